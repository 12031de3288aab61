"""Files from strangers, one reader a family of formats: pictures, NumPy's arrays, and what microscopes write.

Nothing in a file is ever run (no pickle), its size is looked at before memory is taken, and what is damaged or of the wrong
kind is refused with a reason.  Whether its numbers make an image or spectra is looked at where one is made of them
(`micrographs`, `spectroscopy.spectra`).
"""
import importlib
import tokenize
import warnings
import zipfile
import zlib

import numpy as np

MOST_FILE_PIXELS = 2**28    # of all frames together: a gigabyte
MOST_TEXT = 2**24           # bytes of a spectrum written as text: a million channels
PICTURES = ".tif", ".tiff", ".png"
ARRAYS = ".npy", ".npz"
ROSETTA = {".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".hspy": "hspy", ".emd": "emd",
           ".msa": "msa"}   # RosettaSciIO's readers
ANGSTROM = {"m": 1e10, "mm": 1e7, "µm": 1e4, "um": 1e4, "micron": 1e4, "microns": 1e4, "nm": 10, "Å": 1, "A": 1,
            "angstrom": 1, "angstroms": 1, "pm": 0.01}
GREEK_MU, ANGSTROM_SIGN = "\u03bc", "\u212b"                               # letters that look like µ and Å
DESCRIPTION, RESOLUTION = 270, 282          # tags of a tif: text, and pixels a unit of length along x
GATAN_UNIT, GATAN_SCALE = 65003, 65009      # Gatan's own: a unit of length, and how many of them a pixel is across


def check_file(path):
    """FileNotFoundError unless there is a file at this `Path`; ValueError if nothing is in it."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}" + (": it is a folder" if path.is_dir() else ""))
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: 0 bytes; copy it again")


def read(path, dataset=None):
    """Values of the image or stack in a file that is not empty, of any shape and dtype; and its pixel size, Å, or None.

    path     a `Path`;  dataset: name of the image to take, where a file holds several

    Raises ImportError with what to install; ValueError for a file that is truncated, damaged, of another format, in colour,
    with pickled objects, or too large.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return _read_picture(path)
    if suffix in ARRAYS:
        return read_array(path, dataset), None
    if suffix in ROSETTA:
        values, axes = read_signal(path, dataset, "image", _is_image, "cardslib.spectroscopy.open_spectra opens spectra")
        return values, pixel_size([axis for axis in axes if not axis.get("navigate")])
    raise ValueError(f"{path} must be a tif, png, npy, npz, dm3, dm4, hspy or emd file; got {suffix or 'no suffix'}: "
                     f"save its frames as one tif stack, or the array with numpy.save")


# ---------------------------------------------------------------------- what all of them look at

def _check_size(shape, path):
    """Before any memory is taken for it."""
    pixels = int(np.prod([int(length) for length in shape], dtype=object))
    if pixels > MOST_FILE_PIXELS:
        raise ValueError(f"{path} holds {pixels:,} pixels, {tuple(map(int, shape))}; at most {MOST_FILE_PIXELS:,} are opened: "
                         f"crop or bin it, or take fewer frames")


def _chosen(names, dataset, path):
    """The name asked for, or the only one there is."""
    if dataset in names:
        return dataset
    if dataset is not None or len(names) != 1:
        raise ValueError(f"dataset must be one of those in {path}: {', '.join(map(repr, names)) or 'none are there'}; "
                         f"got {dataset!r}")
    return names[0]


def pixel_size(axes):
    """Å, of axes as RosettaSciIO describes them, if they have one step in common and it is a length; else None."""
    sizes = [_in_angstrom(axis.get("scale", 0), axis.get("units")) for axis in axes]
    return sizes[-1] if sizes and None not in sizes and np.allclose(sizes, sizes[-1], rtol=0.01, atol=0) else None


def _in_angstrom(length, unit):
    """A length in Å, or None if the unit is no length or the length is none."""
    factor = ANGSTROM.get(str(unit).strip().replace(GREEK_MU, "µ").replace(ANGSTROM_SIGN, "Å"))
    return float(length * factor) if factor and np.isfinite(length) and length > 0 else None


# ---------------------------------------------------------------------- pictures: tif, png

def _read_picture(path):
    """Frames and pixel size of a tif or png."""
    from PIL import Image, UnidentifiedImageError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                             # sizes are checked here, below
            with Image.open(path, formats=("TIFF", "PNG")) as picture:
                count = getattr(picture, "n_frames", 1)
                _check_size((count, picture.height, picture.width), path)
                pixel_size = _pixel_size_of_tif(picture)                                # of the first frame
                return np.stack(_frames_of_picture(picture, count, path)), pixel_size
    except UnidentifiedImageError as problem:
        raise ValueError(f"{path} is not a tif or png file, whatever its name says: save the image again") from problem
    except Image.DecompressionBombError as problem:
        raise ValueError(f"{path} is too large to be opened ({problem}): crop or bin it") from problem
    except (OSError, SyntaxError, EOFError, KeyError, TypeError, ValueError) as problem:   # what Pillow raises for half a file
        if str(path) in str(problem):
            raise
        raise ValueError(f"{path} is not a whole image file ({problem}): it may be truncated; copy it again") from problem


def _frames_of_picture(picture, count, path):
    frames = []
    for number in range(count):
        picture.seek(number)
        if frames and picture.size != frames[0].shape[::-1]:
            raise ValueError(f"its frames are of different sizes: frame {number} is {picture.size}")
        frames.append(_grey_values(picture, path))
    return frames


def _grey_values(picture, path):
    """Of one frame; a colour picture is taken if its channels are all alike."""
    if picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;16"):
        return np.asarray(picture)
    channels = np.asarray(picture.convert("RGB"))
    if (channels == channels[..., :1]).all():
        return channels[..., 0]
    raise ValueError(f"{path} must be grey; got a colour picture (mode {picture.mode}): save one channel, or the mean")


def _pixel_size_of_tif(picture):
    """Å, from what ImageJ (a resolution, and its unit in the description) or Gatan (tags of its own) wrote; else None."""
    tags = getattr(picture, "tag_v2", {})
    try:
        if GATAN_SCALE in tags:
            return _in_angstrom(float(tags[GATAN_SCALE]), _text(tags.get(GATAN_UNIT, "")))
        words = dict(line.partition("=")[::2] for line in _text(tags.get(DESCRIPTION, "")).splitlines())
        if "ImageJ" in words and RESOLUTION in tags:
            return _in_angstrom(1 / float(tags[RESOLUTION]), words.get("unit", ""))
    except (TypeError, ValueError, ZeroDivisionError):
        pass                                                                            # tags that make no sense say nothing
    return None


def _text(value):
    value = value.decode("utf-8", "ignore") if isinstance(value, bytes) else str(value)
    return value.replace("\\u00B5", "µ").replace("\\u00C5", "Å").replace("\0", "").strip()


# ---------------------------------------------------------------------- NumPy's arrays: npy, npz

def read_array(path, dataset=None):
    """The array in a npy file, or the one of this name in a npz file.  ValueError as of `read`."""
    return _read_npy(path, dataset) if path.suffix.lower() == ".npy" else _read_npz(path, dataset)


def _read_npy(path, dataset):
    if dataset is not None:
        raise ValueError(f"dataset must be None for a npy file, which holds one array; got {dataset!r}")
    with open(path, "rb") as file:
        return _array(file, path, path.stat().st_size)


def _read_npz(path, dataset):
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {item.filename.removesuffix(".npy"): item for item in archive.infolist()
                      if item.filename.endswith(".npy")}
            item = arrays[_chosen(list(arrays), dataset, path)]
            with archive.open(item) as file:
                return _array(file, path, item.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as problem:
        raise ValueError(f"{path} is not a whole npz file ({problem}): save the array again with numpy.savez") from problem


def _array(file, path, size):
    """The array of an open npy file of `size` bytes.  Its header is read first; pickled objects are never unpacked."""
    shape, fortran, dtype = _header(file, path)
    if dtype.hasobject:
        raise ValueError(f"{path} holds pickled Python objects, which are never opened: save the image as numbers, "
                         f"numpy.save(path, image.astype(float))")
    _check_size(shape, path)
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    content = file.read(expected) if expected <= size else b""
    if len(content) != expected:
        raise ValueError(f"{path} is truncated: its header promises {expected:,} bytes of pixels; copy it again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _header(file, path):
    """Shape, whether it is in Fortran's order, and dtype of an open npy file."""
    try:
        version = np.lib.format.read_magic(file)
        return {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version](file)
    except (ValueError, KeyError, EOFError, tokenize.TokenError) as problem:
        raise ValueError(f"{path} is not a whole npy file ({problem}): save the array again with numpy.save") from problem


# ---------------------------------------------------------------------- what microscopes write: dm3, dm4, hspy, emd, msa

def read_signal(path, dataset, wanted, suits, cure):
    """Values of a signal in a file of Gatan's, HyperSpy's, the EMD or the EMSA formats, read by RosettaSciIO; and its axes.

    dataset  name of the signal to take, where a file holds several that suit
    wanted   what is looked for, "image" or "spectrum", and
    suits    function of a signal's axes that says whether it is that: dictionaries with "size", "units", "navigate" …
    cure     what to do with a file that holds none

    Raises ImportError and ValueError as `read`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signal = _chosen_signal(_signals(path), dataset, path, wanted, suits, cure)
            values = _loaded(signal["data"], path)
    except ImportError as problem:
        raise ImportError(f"{path.suffix} files are read by RosettaSciIO, and it or what it needs is not installed "
                          f"({problem}): pip install \"cardslib[files]\"") from problem
    except Exception as problem:   # a reader of foreign files raises whatever its bytes lead it to
        if isinstance(problem, ValueError) and str(path) in str(problem):
            raise
        raise ValueError(f"{path} is not a whole {path.suffix} file ({type(problem).__name__}: {problem}): it may be "
                         f"truncated; copy it again") from problem
    return values, signal["axes"]


def _signals(path):
    """All that is in a file; numbers are not loaded yet, but for a text's."""
    reader = ROSETTA[path.suffix.lower()]
    file_reader = importlib.import_module(f"rsciio.{reader}").file_reader
    return _signals_of_text(path, file_reader) if reader == "msa" else file_reader(str(path), lazy=True)


def _signals_of_text(path, file_reader):
    """The one spectrum in a msa file: short enough to be read at once, and whole, which is to say with its last line."""
    size = path.stat().st_size
    if size > MOST_TEXT:
        raise ValueError(f"{path} holds {size:,} bytes; a spectrum written as text must be at most {MOST_TEXT:,}")
    if b"#ENDOFDATA" not in path.read_bytes():
        raise ValueError(f"{path} is not a whole msa file: it has no #ENDOFDATA, and may be truncated; copy it again")
    [signal] = file_reader(str(path))
    promised, found = signal["original_metadata"].get("NPOINTS"), signal["data"].size
    if promised not in (None, found):
        raise ValueError(f"{path} is not a whole msa file: it promises {promised} values and holds {found}; copy it again")
    return [signal]


def _chosen_signal(signals, dataset, path, wanted, suits, cure):
    """The signal asked for, or the only one, of those that suit."""
    suitable = {}
    for number, signal in enumerate(signals):
        if suits(signal["axes"]):
            suitable[_title(signal, number, suitable)] = signal
    if not suitable:
        shapes = ", ".join(str(signal["data"].shape) for signal in signals) or "nothing"
        raise ValueError(f"{path} holds no {wanted}, only {shapes}: {cure}")
    return suitable[_chosen(list(suitable), dataset, path)]


def _is_image(axes):
    """Two axes that are not navigated."""
    return len([axis for axis in axes if not axis.get("navigate")]) == 2


def _title(signal, number, taken):
    title = str(signal.get("metadata", {}).get("General", {}).get("title") or number)
    return title if title not in taken else f"{title} ({number})"


def _loaded(data, path):
    """The array of a signal, of which so far only shape and dtype were read."""
    _check_size(data.shape, path)
    if data.dtype.kind == "V":
        raise ValueError(f"{path} must be grey; got a colour image: save one of its channels, or their mean")
    if data.dtype.hasobject:
        raise ValueError(f"{path} must hold one array of numbers; got objects: rows of different lengths, or text")
    return np.asarray(data.compute(scheduler="synchronous") if hasattr(data, "compute") else data)
