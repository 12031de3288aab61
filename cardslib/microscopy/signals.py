"""What microscopes write, read by RosettaSciIO, which knows its forty formats by the endings of their files' names.

Several formats may share an ending (h5): each is tried, and the first that understands the file reads it.  Formats whose
readers would run what is in a file are left out.
"""
import importlib
import logging
import re
import warnings
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from cardslib.microscopy.file_checks import check_size, chosen, sizes_in_hdf5

MOST_TEXT = 2**24           # bytes of a spectrum written as text: a million channels
MOST_UNPARTED = 2**30       # bytes of a file that can only be read as a whole
# Formats and endings by RosettaSciIO's names of them
RUNS_TEXT = {"netCDF"}      # its reader passes text from the file to eval
READ_ELSEWHERE = {"Image", "numpy"}                                                     # by `readers`
MORE_FORMATS = {".h5": ["HSPY", "EMD"], ".hdf5": ["EMD"]}                               # HyperSpy's old files, and py4DSTEM's
COMMON = "dm3, dm4, emd, hspy, zspy, mrc, ser, emi, msa or h5"                          # of some seventy
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZARR_HEADERS = {".zarray", ".zmetadata", "zarr.json"}
PICKLES = re.compile(rb'"(numcodecs\.)?pickle"')                                        # of a zarr array: would be unpickled
INSTALLED = {"h5py", "numcodecs", "sparse", "tifffile", "zarr"}                         # by the extra `files` of cardslib
MADE_FROM_OTHERS = re.compile(r"\b(fft|preview|thumbnail)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """What is looked for in a file.

    name     "image" or "spectra"
    suits    function of a signal's axes that says whether it is that: dictionaries with "size", "units", "navigate" …
    cure     function of the signals, the path and the reader's name that says what to do with a file that holds none
    options  of the readers of some formats, by their names, that leave out the rest
    """

    name: str
    suits: Callable
    cure: Callable
    options: dict = field(default_factory=dict)


def read_signal(path, dataset, wanted):
    """Values of a signal that RosettaSciIO reads, of any shape and dtype; and its axes.

    path     a `Path`;  dataset: name of the signal to take, where a file holds several that suit;  wanted: a `Wanted`

    Raises ImportError and ValueError as `readers.read`.
    """
    try:
        with _quiet(), _closed_again(path):
            signals, reader = _signals(path, _formats(path), wanted.options)
            signal = _chosen_signal(signals, dataset, path, wanted, reader)
            return _loaded(signal["data"], path), signal["axes"]
    except Exception as problem:   # a reader of foreign files raises whatever its bytes lead it to
        if isinstance(problem, (ValueError, ImportError)) and str(path) in str(problem):
            raise
        raise ValueError(_not_understood(path, _in_words(problem))) from problem


def _in_words(problem):
    return f"{type(problem).__name__}: {problem}"


def _not_understood(path, why):
    return (f"{path} is not a whole {path.suffix} file, or of a kind that RosettaSciIO does not know ({why}): copy it again, "
            f"or save the image as a tif with the program that wrote it")


# ---------------------------------------------------------------------- which reader

def _formats(path):
    """RosettaSciIO's descriptions of the formats that a file of this ending may have."""
    try:
        from rsciio import IO_PLUGINS
    except ImportError as problem:
        raise ImportError(f"{path} is no picture and no array of NumPy's; other formats are read by RosettaSciIO, and it or "
                          f"what it needs is not installed ({problem}): pip install \"cardslib[files]\"") from problem
    suffix, more = path.suffix.lower(), MORE_FORMATS.get(path.suffix.lower(), [])
    possible = [plugin for plugin in IO_PLUGINS if plugin["name"] not in READ_ELSEWHERE
                and (suffix[1:] in map(str.lower, plugin["file_extensions"]) or plugin["name"] in more)]
    formats = [plugin for plugin in possible if plugin["name"] not in RUNS_TEXT]
    if possible and not formats:
        raise ValueError(f"{path} is never opened: what reads {suffix} files runs text that is in them; save the image with "
                         f"numpy.save")
    if not formats:
        raise ValueError(f"{path} must be a picture (tif, png, jpg), an array (npy, npz), or of a format that RosettaSciIO "
                         f"reads, such as {COMMON}; got {suffix or 'no suffix'}: save its values with numpy.save")
    return formats


def _signals(path, formats, options):
    """All that is in a file, and the name of the module that reads it; numbers are not loaded yet, where that can be."""
    sizes = _checked_sizes(path)
    problems = {}
    for plugin in formats:
        try:
            reader = importlib.import_module(plugin["api"]).file_reader
            return _signals_of_one_format(path, plugin["name"], reader, sizes, options.get(plugin["name"], {})), plugin["api"]
        except Exception as problem:   # it may still be one of the other formats
            problems[plugin["name"]] = problem
    raise _of_none(path, problems)


def _of_none(path, problems):
    """The error to raise where every format that was tried raised one, by its name."""
    missing = [str(problem) for problem in problems.values() if isinstance(problem, ImportError)]
    if len(missing) == len(problems):
        return ImportError(f"{path}: what RosettaSciIO needs for {path.suffix} files is not installed ({', '.join(missing)}): "
                           f"{_installing(missing)}")
    if len(problems) == 1:
        return next(iter(problems.values()))
    found = "; ".join(f"{name}: {_in_words(problem)}" for name, problem in problems.items())
    more = f"; or install what is missing: {_installing(missing)}" if missing else ""
    return ValueError(_not_understood(path, found) + more)


def _installing(missing):
    """How to install what these errors miss."""
    known = all(any(name in problem for name in INSTALLED) for problem in missing)
    return f"pip install \"{'cardslib[files]' if known else 'rosettasciio[all]'}\""


def _signals_of_one_format(path, name, reader, sizes, options):
    if name == "MSA":
        return _signals_of_text(path, reader)
    if name == "MRC":
        _check_mrc(path)
    try:
        signals = reader(str(path), lazy=True, **options)
    except ImportError:
        raise
    except Exception as problem:   # that it cannot be read in parts has no error of its own: each reader raises another
        _check_whole(path, sizes, problem)
        signals = reader(str(path), **options)
    if not signals:
        raise ValueError(_not_understood(path, "nothing is found in it"))
    return signals


def _check_mrc(path):
    """A ValueError if a MRC file promises more pixels than it has half bytes: its reader would go through each part of them."""
    with open(path, "rb") as file:
        header = file.read(12)
    promised = np.frombuffer(header.ljust(12, b"\0"), "<i4")                            # columns, rows, sections
    if not 0 < int(np.prod(promised, dtype=object)) <= 2 * path.stat().st_size:
        raise ValueError(f"{path} is not a whole mrc file: it promises {promised.tolist()} pixels; copy it again")


def _check_whole(path, sizes, problem):
    """A ValueError, before memory is taken, where a file that cannot be read in parts is too large to be read whole."""
    for shape in sizes:
        check_size(shape, path)
    size = path.stat().st_size
    if size > MOST_UNPARTED:
        raise ValueError(f"{path} holds {size:,} bytes; at most {MOST_UNPARTED:,} are read of a file that cannot be read in "
                         f"parts ({_in_words(problem)}): crop or bin it, or take fewer frames") from problem


def _signals_of_text(path, reader):
    """The one spectrum in a msa file: short enough to be read at once, and whole, which is to say with its last line."""
    size = path.stat().st_size
    if size > MOST_TEXT:
        raise ValueError(f"{path} holds {size:,} bytes; a spectrum written as text must be at most {MOST_TEXT:,}")
    if b"#ENDOFDATA" not in path.read_bytes():
        raise ValueError(f"{path} is not a whole msa file: it has no #ENDOFDATA, and may be truncated; copy it again")
    [signal] = reader(str(path))
    promised, found = signal["original_metadata"].get("NPOINTS"), signal["data"].size
    if promised not in (None, found):
        raise ValueError(f"{path} is not a whole msa file: it promises {promised} values and holds {found}; copy it again")
    return [signal]


# ---------------------------------------------------------------------- before and after

def _checked_sizes(path):
    """Shapes of the arrays in a HDF5 file; none where it is of another kind.  ValueError for one that is damaged or pickled."""
    if path.suffix.lower() == ".zspy":
        _check_filters(path)
    if path.is_dir() or not _starts_as_hdf5(path):
        return []
    return list(sizes_in_hdf5(path).values())


def _starts_as_hdf5(path):
    with open(path, "rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def _check_filters(path):
    """A ValueError if an array of a zarr store, a folder or a zip file, would be unpickled."""
    if path.is_dir():
        headers = (file.read_bytes() for file in path.rglob("*") if file.name in ZARR_HEADERS)
    else:
        archive = zipfile.ZipFile(path)
        headers = (archive.read(name) for name in archive.namelist() if name.rpartition("/")[2] in ZARR_HEADERS)
    if any(PICKLES.search(header) for header in headers):
        raise ValueError(f"{path} holds pickled Python objects, which are never opened: save the image with numpy.save")


@contextmanager
def _quiet():
    """What readers say of formats that a file is not of would alarm: what matters is raised."""
    loggers = [logging.getLogger(name) for name in ("rsciio", "tifffile")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


@contextmanager
def _closed_again(path):
    """RosettaSciIO leaves HDF5 files open from which numbers may still be loaded; those opened in here are closed after it."""
    try:
        import h5py
    except ImportError:
        yield
        return

    def opened():
        return {file for file in h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
                if h5py.h5f.get_name(file) == str(path).encode()}

    before = opened()
    try:
        yield
    finally:
        for file in opened() - before:
            h5py.File(file).close()


# ---------------------------------------------------------------------- which signal

def _chosen_signal(signals, dataset, path, wanted, reader):
    """The signal asked for, or the only one of those that suit; spectra of an image, previews and colours do not count."""
    suitable = {}
    for number, signal in enumerate(signals):
        if wanted.suits(signal["axes"]):
            suitable[_title(signal, number, suitable)] = signal
    if not suitable:
        shapes = ", ".join(str(signal["data"].shape) for signal in signals) or "nothing"
        raise ValueError(f"{path} holds no {wanted.name}, only {shapes}: {wanted.cure(signals, path, reader)}")
    measured = [title for title, signal in suitable.items() if _is_measured(title, signal)]
    if dataset is None and len(measured) == 1:
        return suitable[measured[0]]
    return suitable[chosen(list(suitable), dataset, path)]


def _is_measured(title, signal):
    """Neither complex (V: nor in colour), nor made from another image of the file."""
    return signal["data"].dtype.kind not in "cV" and not MADE_FROM_OTHERS.search(title)


def _title(signal, number, taken):
    title = str(signal.get("metadata", {}).get("General", {}).get("title") or number)
    return title if title not in taken else f"{title} ({number})"


def _loaded(data, path):
    """The array of a signal, of which so far only shape and dtype were read."""
    check_size(data.shape, path)
    if data.dtype.kind == "V":
        raise ValueError(f"{path} must be grey; got a colour image: save one of its channels, or their mean")
    if data.dtype.hasobject:
        raise ValueError(f"{path} must hold one array of numbers; got objects: rows of different lengths, or text")
    return np.asarray(data.compute(scheduler="synchronous") if hasattr(data, "compute") else data)
