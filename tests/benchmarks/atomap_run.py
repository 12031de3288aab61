"""Find the columns of an image with atomap, told how far apart they are; prints positions and seconds as JSON.

measured_columns.py starts this in atomap's own environment:

    .peers-atomap/bin/python atomap_run.py image.npy --separation 9.5

As its tutorial has it: maxima of the image without its ground, at least half the separation apart; twice a centre of mass;
then a two-dimensional Gaussian for each column, without its neighbours.
"""
import argparse
import json
import time

import atomap.api as atomap
import hyperspy.api as hyperspy
import numpy as np

hyperspy.preferences.General.show_progressbar = False
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("image", help="file of the image, (h, w)")
parser.add_argument("--separation", type=float, required=True, help="pixels from a column to the nearest other one")
options = parser.parse_args()

signal = hyperspy.signals.Signal2D(np.load(options.image, allow_pickle=False).astype(float))
start = time.perf_counter()
found = atomap.get_atom_positions(signal, separation=max(2, options.separation / 2), subtract_background=True)
columns = atomap.Sublattice(found, image=signal.data)
columns.find_nearest_neighbors()
for _ in range(2):
    columns.refine_atom_positions_using_center_of_mass(show_progressbar=False)
columns.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
seconds = time.perf_counter() - start
print(json.dumps(dict(position=np.asarray(columns.atom_positions).tolist(), seconds=seconds)))
