"""What is looked at in a stranger's file before its reader is trusted with it: is it there, how large, which of its images; and
units of length."""
import json
import subprocess
import sys

import numpy as np

MOST_FILE_PIXELS = 2**28    # of all frames together: a gigabyte
FOLDERS = {".zspy"}         # formats that may be a folder
LONGEST_WALK = 30           # seconds: a sound file of a thousand groups is looked through in less than one
ANGSTROM = {"m": 1e10, "mm": 1e7, "µm": 1e4, "um": 1e4, "micron": 1e4, "microns": 1e4, "nm": 10, "Å": 1, "A": 1,
            "angstrom": 1, "angstroms": 1, "pm": 0.01}
GREEK_MU, ANGSTROM_SIGN = "\u03bc", "\u212b"                               # letters that look like µ and Å

# Run on its own, so that it can be ended: HDF5 may run in circles in a damaged file, or take the interpreter down with it.
WALK_HDF5 = """
import json, sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    datasets = []
    def look(name, item):
        dict(item.attrs)
        if isinstance(item, h5py.Dataset):
            datasets.append([name, item.shape or ()])
    look("/", file)
    file.visititems(look)
print(json.dumps(datasets))
"""


def check_file(path):
    """FileNotFoundError unless there is a file at this `Path`; ValueError if nothing is in it."""
    if path.is_dir() and path.suffix.lower() in FOLDERS:
        return
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}" + (": it is a folder" if path.is_dir() else ""))
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: 0 bytes; copy it again")


def check_size(shape, path):
    """ValueError, before any memory is taken, if an array of this shape is too large."""
    pixels = int(np.prod([int(length) for length in shape], dtype=object))
    if pixels > MOST_FILE_PIXELS:
        raise ValueError(f"{path} holds {pixels:,} pixels, {tuple(map(int, shape))}; at most {MOST_FILE_PIXELS:,} are opened: "
                         f"crop or bin it, or take fewer frames")


def chosen(names, dataset, path):
    """The name asked for, or the only one there is."""
    if dataset in names:
        return dataset
    if dataset is not None or len(names) != 1:
        raise ValueError(f"dataset must be one of those in {path}: {', '.join(map(repr, names)) or 'none are there'}; "
                         f"got {dataset!r}")
    return names[0]


def sizes_in_hdf5(path):
    """Shape of each array in a HDF5 file, by its name; an error of h5py's or a ValueError if it is truncated or damaged."""
    import h5py
    h5py.File(path).close()                                                             # a truncated one ends here, at once
    try:
        walk = subprocess.run([sys.executable, "-c", WALK_HDF5, str(path)], capture_output=True, text=True,
                              timeout=LONGEST_WALK)
    except subprocess.TimeoutExpired as problem:
        raise ValueError(f"{path} is not a whole {path.suffix} file (HDF5 finds no end in it): copy it again") from problem
    if walk.returncode:
        reason = walk.stderr.strip().splitlines()[-1:] or ["HDF5 crashes on it"]
        raise ValueError(f"{path} is not a whole {path.suffix} file ({reason[0]}): it may be truncated; copy it again")
    return dict(json.loads(walk.stdout))


def pixel_size(axes):
    """Å, of axes as RosettaSciIO describes them, if they have one step in common and it is a length; else None."""
    sizes = [in_angstrom(axis.get("scale", 0), axis.get("units")) for axis in axes]
    return sizes[-1] if sizes and None not in sizes and np.allclose(sizes, sizes[-1], rtol=0.01, atol=0) else None


def in_angstrom(length, unit):
    """A length in Å, or None if the unit is no length or the length is none."""
    factor = ANGSTROM.get(str(unit).strip().replace(GREEK_MU, "µ").replace(ANGSTROM_SIGN, "Å"))
    return float(length * factor) if factor and np.isfinite(length) and length > 0 else None
