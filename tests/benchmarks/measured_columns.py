"""Columns in measured images, beside atomap: `make bench-measured ARGS=FOLDER`.

    python tests/benchmarks/measured_columns.py FOLDER … [--json measured.json]

FOLDER … may be several; each holds images as name.npy, (h, w), and beside each name-xy.npy (or else name_xy.npy), reference
positions (n, 2), x and y in pixels.  Our finders run with their defaults and are told nothing; atomap is given the same grey
image and the distance from a column to the nearest other one, and runs in an environment of its own, made once
(.peers-atomap).  One thread; times are of the wall.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.spatial import cKDTree  # noqa: E402

from cardslib.microscopy import find_columns, measure_scale, practice, score_columns  # noqa: E402
from cardslib.microscopy.micrographs import grey  # noqa: E402
from cardslib.microscopy.segmentation import ColumnNetwork, fit_columns  # noqa: E402

HERE = Path(__file__).parent
PEERS = HERE / ".peers-atomap"
INSTALLED = PEERS / "installed"   # written last: without it, what is there is half of an environment
PATIENCE = 600                    # seconds for one image


def install():
    """Make atomap's environment, unless it is there and whole."""
    if not INSTALLED.is_file():
        venv.create(PEERS, with_pip=True, clear=True)
        subprocess.run([PEERS / "bin/pip", "install", "--quiet", "atomap==0.4.2"], check=True)
        INSTALLED.touch()


def atomap(image, separation):
    """Positions that atomap finds in an image (h, w), and its seconds; None where it fails or takes too long."""
    install()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, image)
        command = [PEERS / "bin/python", HERE / "atomap_run.py", path, f"--separation={separation}"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            print(f"    atomap took more than {PATIENCE} s", file=sys.stderr)
            return None
    if answer.returncode:
        reason = answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"]
        print(f"    atomap stopped: {reason[-1]}", file=sys.stderr)
        return None
    said = json.loads(answer.stdout.splitlines()[-1])
    return np.reshape(said["position"], (-1, 2)), said["seconds"]


def examples(folder):
    """Names with their folder, images and reference positions in a folder; of two references the one with a hyphen."""
    for path in sorted(folder.glob("*.npy")):
        names = [f"{path.stem}-xy.npy", f"{path.stem}_xy.npy"]
        references = [path.with_name(name) for name in names if path.with_name(name).is_file()]
        if references:
            image, true = (np.load(file, allow_pickle=False) for file in (path, references[0]))
            yield path.with_suffix("").as_posix(), grey(image), true


def measure(image, true, finders):
    """F1, error in pixels and seconds of all finders on one image."""
    scale = measure_scale(image)
    separation = float(np.median(cKDTree(true).query(true, 2)[0][:, 1]))
    report = {}
    for name, finder in finders.items():
        start = time.perf_counter()
        position = find_columns(image, finder).position
        report[name] = (position, time.perf_counter() - start)
    report["atomap"] = atomap(image, separation)
    report = {name: answer for name, answer in report.items() if answer is not None}
    for name, (position, seconds) in report.items():
        score = score_columns(position, true, image.shape, margin=2 * scale.width)
        report[name] = dict(f1=score.f1, pixels=score.rmse, seconds=seconds)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--json", help="write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = ColumnNetwork()
    fit_columns(network, practice())
    finders = {"blobs": "blobs", "maxima": "maxima", "network": network}
    names, report = [*finders, "atomap"], {}
    print(f"{'F1; error, pixels; seconds':28}" + "".join(f"{name:>22}" for name in names))
    for folder in arguments.folder:
        for example, image, true in examples(folder):
            report[example] = row = measure(image, true, finders)
            cells = ["{f1:8.3f}{pixels:6.2f}{seconds:8.2f}".format(**row[name]) if name in row else "–" for name in names]
            print(f"{example:28}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()
