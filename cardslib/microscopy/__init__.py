"""Images of atoms, simulated with their truth or a user's own, and what is cut from them.  In reading order:

    lattices, crystals         where columns of atoms stand
    file_checks, signals       what is looked at in a file before it is read;  what microscopes write, by RosettaSciIO
    readers, micrographs       files of strangers, and one record for images from either source;  microscope: images of crystals
    practice_images            images of many kinds and faults, for a network to learn from
    gain                       how many electrons a grey value stands for
    image_scale, gaussian_fit  what an image says of itself: width, period, noise;  where a column is, to a fraction of a pixel
    blemishes, local_order     pixels that are none of the specimen's;  columns that are no crystal
    column_scores              how well columns were found, against the truth
    atomic_columns             columns found in an image, and how good each is;  segmentation: a network that finds them
    deformation                how the lattice is turned and strained, from the places of neighbours
    primitive_cell             the two vectors of the lattice;  sublattices: which column stands where in the cell, by name
    displacements              from the middle of neighbours, from the lattice, and strain;  column_files: for other programs
    bonds                      which way they point, and which angles they contradict;  light: is a map one of the brightness?
    patches                    small pieces of images, each remembering where it came from
    precision                  how well a patch's pose can be known at all, with so many electrons
"""
from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.bonds import bond_orientation, doubt_angles
from cardslib.microscopy.column_files import read_columns, write_columns, write_hyperspy
from cardslib.microscopy.column_scores import score_columns
from cardslib.microscopy.crystals import PHASES, ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.deformation import local_deformation
from cardslib.microscopy.displacements import (
    displacement_from_lattice,
    displacement_from_neighbours,
    strain_components,
)
from cardslib.microscopy.gain import measure_gain
from cardslib.microscopy.gaussian_fit import refine
from cardslib.microscopy.image_scale import measure_scale
from cardslib.microscopy.light import brightness_correlation, local_brightness
from cardslib.microscopy.micrographs import Micrograph, open_image
from cardslib.microscopy.microscope import scan
from cardslib.microscopy.patches import column_patches, grid_patches
from cardslib.microscopy.practice_images import practice
from cardslib.microscopy.precision import pose_bound
from cardslib.microscopy.primitive_cell import lattice_vectors
from cardslib.microscopy.sublattices import find_sublattices, without_columns

__all__ = ["Micrograph", "PHASES", "bond_orientation", "brightness_correlation", "column_patches",
           "displacement_from_lattice", "displacement_from_neighbours", "doubt_angles", "ferroelectric", "find_columns",
           "find_sublattices", "grid_patches", "lattice_vectors", "local_brightness", "local_deformation", "measure_gain",
           "measure_scale", "nio_lsmo", "open_image", "pose_bound", "practice", "read_columns", "refine", "scan",
           "score_columns", "single_crystal", "strain_components", "without_columns", "write_columns", "write_hyperspy"]
