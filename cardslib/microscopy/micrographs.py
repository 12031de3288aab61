"""Images from a microscope, simulated or from a file: one dataclass for both, so that one line of a notebook changes.

A file comes from a stranger: nothing in it is ever run (no pickle), its size is looked at before memory is taken, and what is
no grey image or stack of them is refused with a reason.
"""
import importlib
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST = 2**28        # pixels of all frames together: a gigabyte
LEAST = 8           # pixels along an edge
OUTERMOST = 1e-4    # share of the pixels at each end that the grey scale leaves out: hot and dead ones
ANGSTROM = {"m": 1e10, "mm": 1e7, "µm": 1e4, "um": 1e4, "micron": 1e4, "microns": 1e4, "nm": 10, "Å": 1, "A": 1,
            "angstrom": 1, "angstroms": 1, "pm": 0.01}
READERS = {".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph", ".hspy": "hspy", ".emd": "emd"}   # of RosettaSciIO


@dataclass(frozen=True)
class Micrograph:
    """One image or a stack of equally large ones.

    frames      (f, h, w) float32 in [0, 1], one grey scale for all frames
    pixel_size  Å, or None where nobody knows
    name        of the file, or how it was made
    truth       a `lattices.Crystal` with positions in pixels, where the image was simulated; else None
    """

    frames: np.ndarray
    pixel_size: float | None = None
    name: str = ""
    truth: object = None

    def __len__(self):
        return len(self.frames)

    @property
    def image(self):
        """The first frame, (h, w); the only one of a single image."""
        return self.frames[0]


def open_image(path, dataset=None):
    """The `Micrograph` in a file: tif, png, npy, npz, dm3, dm4, hspy or emd; a stack of images keeps all its frames.

    dataset  name of the image to take, where a file (npz, dm3, dm4, hspy, emd) holds several

    The pixel size is kept where the file knows one (tif as ImageJ or Gatan write it, dm3, dm4, hspy, emd).  dm3, dm4, hspy
    and emd need RosettaSciIO: `pip install "cardslib[files]"`.

    Raises FileNotFoundError; ImportError with what to install; ValueError for a file that is truncated, damaged, empty, of
    another kind, in colour, with pickled objects, too large (2²⁸ pixels), or whose pixels are not finite or all the same.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}" + (": it is a folder" if path.is_dir() else ""))
    kind = path.suffix.lower()
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: 0 bytes; copy it again")
    if kind in (".tif", ".tiff", ".png"):
        values, pixel_size = _read_picture(path)
    elif kind in (".npy", ".npz"):
        values, pixel_size = (_read_npy if kind == ".npy" else _read_npz)(path, dataset), None
    elif kind in READERS:
        values, pixel_size = _read_microscope(path, READERS[kind], dataset)
    else:
        raise ValueError(f"{path} must be a tif, png, npy, npz, dm3, dm4, hspy or emd file; got {kind or 'no suffix'}: "
                         f"save its frames as one tif stack, or the array with numpy.save")
    return Micrograph(_frames(values, path), pixel_size, path.name)


def grey(values):
    """Any numbers as float32 in [0, 1], on one straight scale from the darkest to the brightest pixel.

    The scale leaves out the outermost 0.01 % of the pixels at both ends, so that a hot or dead one does not squeeze the others.
    """
    values = np.asarray(values, np.float32)
    some = values.reshape(-1)[::max(1, values.size // 2**22)]                            # four million say it well enough
    low, high = np.quantile(some, (OUTERMOST, 1 - OUTERMOST))
    if not high > low:
        low, high = values.min(), values.max()
    scaled = (values - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, 0, 1, out=scaled)


# ---------------------------------------------------------------------- from numbers to frames

def _frames(values, path):
    """Numbers of any kind, (h, w) or (f, h, w), as frames in [0, 1]; or a ValueError that says what is wrong with them."""
    values = np.asarray(values)
    if values.ndim > 3:                                                                 # axes of length 1 say nothing
        values = values.reshape([length for length in values.shape[:-2] if length > 1] + list(values.shape[-2:]))
    if values.ndim == 3 and values.shape[2] in (3, 4) and min(values.shape[:2]) > 4:
        raise ValueError(f"{path} must be grey; got a colour image {values.shape}: save one of its channels, or their mean")
    if values.ndim not in (2, 3):
        raise ValueError(f"{path} must hold an image (h, w) or a stack (f, h, w); got an array {values.shape}")
    values = values[None] if values.ndim == 2 else values
    if values.size == 0 or min(values.shape[1:]) < LEAST:
        raise ValueError(f"{path} must hold images of at least {LEAST}×{LEAST} pixels; got {values.shape[1:]}"
                         + (": it is empty" if values.size == 0 else ""))
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold real numbers; got {values.dtype}"
                         + (": take the absolute value or the phase" if values.dtype.kind == "c" else ""))
    wrong = values.size - np.count_nonzero(np.isfinite(values))
    if wrong:
        raise ValueError(f"{path} must hold finite numbers; {wrong:,} of {values.size:,} pixels are NaN or infinite: crop the "
                         f"image, or fill them with numpy.nan_to_num")
    if values.min() == values.max():
        raise ValueError(f"{path} holds nothing to see: all pixels are {values.flat[0]:.4g}")
    return grey(values)


def _check_size(shape, path):
    """Before any memory is taken for it."""
    pixels = int(np.prod([int(length) for length in shape], dtype=object))
    if pixels > MOST:
        raise ValueError(f"{path} holds {pixels:,} pixels, {tuple(map(int, shape))}; at most {MOST:,} are opened: crop or bin "
                         f"it, or take fewer frames")


# ---------------------------------------------------------------------- one reader a kind of file

def _read_picture(path):
    """Frames and pixel size of a tif or png."""
    from PIL import Image, UnidentifiedImageError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                             # sizes are checked here, below
            with Image.open(path, formats=("TIFF", "PNG")) as picture:
                count = getattr(picture, "n_frames", 1)
                _check_size((count, picture.height, picture.width), path)
                pixel_size, frames = _pixel_size_of_tif(picture), []
                for number in range(count):
                    picture.seek(number)
                    if frames and picture.size != frames[0].shape[::-1]:
                        raise ValueError(f"its frames are of different sizes: frame {number} is {picture.size}")
                    frames.append(_pixels(picture, path))
                return np.stack(frames), pixel_size
    except UnidentifiedImageError as problem:
        raise ValueError(f"{path} is not a tif or png file, whatever its name says: save the image again") from problem
    except Image.DecompressionBombError as problem:
        raise ValueError(f"{path} is too large to be opened ({problem}): crop or bin it") from problem
    except (OSError, SyntaxError, EOFError, KeyError, TypeError, ValueError) as problem:   # what Pillow raises for half a file
        if str(path) in str(problem):
            raise
        raise ValueError(f"{path} is not a whole image file ({problem}): it may be truncated; copy it again") from problem


def _pixels(picture, path):
    """Grey values of one frame; a colour picture is taken if its channels are all alike."""
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
        if 65009 in tags:                                                               # Gatan: scale, and unit in 65003
            return _in_angstrom(float(tags[65009]), _text(tags.get(65003, "")))
        words = dict(line.partition("=")[::2] for line in _text(tags.get(270, "")).splitlines())
        if "ImageJ" in words and 282 in tags:
            return _in_angstrom(1 / float(tags[282]), words.get("unit", ""))
    except (TypeError, ValueError, ZeroDivisionError):
        pass                                                                            # tags that make no sense say nothing
    return None


def _text(value):
    value = value.decode("utf-8", "ignore") if isinstance(value, bytes) else str(value)
    return value.replace("\\u00B5", "µ").replace("\\u00C5", "Å").replace("\0", "").strip()


def _in_angstrom(length, unit):
    """A length in Å, or None if the unit is no length or the length is none."""
    factor = ANGSTROM.get(str(unit).strip().replace("μ", "µ").replace("Å", "Å"))
    return float(length * factor) if factor and np.isfinite(length) and length > 0 else None


def _read_npy(path, dataset=None):
    if dataset is not None:
        raise ValueError(f"dataset must be None for a npy file, which holds one array; got {dataset!r}")
    with open(path, "rb") as file:
        return _array(file, path, path.stat().st_size)


def _array(file, path, size):
    """The array of an open npy file of `size` bytes.  Its header is read first; pickled objects are never unpacked."""
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = {(1, 0): np.lib.format.read_array_header_1_0,
                                 (2, 0): np.lib.format.read_array_header_2_0}[version](file)
    except (ValueError, KeyError, EOFError) as problem:
        raise ValueError(f"{path} is not a whole npy file ({problem}): save the array again with numpy.save") from problem
    if dtype.hasobject:
        raise ValueError(f"{path} holds pickled Python objects, which are never opened: save the image as numbers, "
                         f"numpy.save(path, image.astype(float))")
    _check_size(shape, path)
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    content = file.read(expected) if expected <= size else b""
    if len(content) != expected:
        raise ValueError(f"{path} is truncated: its header promises {expected:,} bytes of pixels; copy it again")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _read_npz(path, dataset=None):
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {item.filename.removesuffix(".npy"): item for item in archive.infolist() if item.filename.endswith(".npy")}
            item = sizes[_chosen(list(sizes), dataset, path)]
            with archive.open(item) as file:
                return _array(file, path, item.file_size)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as problem:
        raise ValueError(f"{path} is not a whole npz file ({problem}): save the array again with numpy.savez") from problem


def _chosen(names, dataset, path):
    """The name asked for, or the only one there is."""
    if dataset in names:
        return dataset
    if dataset is not None or len(names) != 1:
        raise ValueError(f"dataset must be one of those in {path}: {', '.join(map(repr, names)) or 'none are there'}; "
                         f"got {dataset!r}")
    return names[0]


def _read_microscope(path, reader, dataset):
    """Values and pixel size from a file of Gatan's, HyperSpy's or the EMD formats, read by RosettaSciIO."""
    try:
        read = importlib.import_module(f"rsciio.{reader}").file_reader
    except ImportError as problem:
        raise ImportError(f"{path.suffix} files are read by RosettaSciIO, which is not installed ({problem}): "
                          f"pip install \"cardslib[files]\"") from problem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals = read(str(path), lazy=True)
            images = {}
            for number, signal in enumerate(signals):
                axes = signal["axes"]
                if len([axis for axis in axes if not axis.get("navigate")]) == 2:
                    images[_title(signal, number, images)] = signal
            if not images:
                shapes = ", ".join(str(signal["data"].shape) for signal in signals) or "nothing"
                raise ValueError(f"{path} holds no image, only {shapes} (spectra?)")
            signal = images[_chosen(list(images), dataset, path)]
            _check_size(signal["data"].shape, path)
            if signal["data"].dtype.kind == "V":
                raise ValueError(f"{path} must be grey; got a colour image: save one of its channels, or their mean")
            data = signal["data"]
            values = np.asarray(data.compute(scheduler="synchronous") if hasattr(data, "compute") else data)
    except Exception as problem:   # a reader of foreign files raises whatever its bytes lead it to
        if isinstance(problem, ValueError) and str(path) in str(problem):
            raise
        raise ValueError(f"{path} is not a whole {path.suffix} file ({type(problem).__name__}: {problem}): it may be "
                         f"truncated; copy it again") from problem
    along = [_in_angstrom(axis.get("scale", 0), axis.get("units")) for axis in signal["axes"] if not axis.get("navigate")]
    square = None not in along and np.isclose(*along, rtol=0.01)
    return values, along[1] if square else None


def _title(signal, number, taken):
    title = str(signal.get("metadata", {}).get("General", {}).get("title") or number)
    return title if title not in taken else f"{title} ({number})"
