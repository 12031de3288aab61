"""Files from strangers, one reader a family of formats: pictures, NumPy's arrays, and what microscopes write (`signals`).

Nothing in a file is ever run (no pickle), its size is looked at before memory is taken, and what is damaged or of the wrong
kind is refused with a reason.  Whether its numbers make an image or spectra is looked at where one is made of them
(`micrographs`, `spectroscopy.spectra`).
"""
import struct
import tokenize
import warnings
import zipfile
import zlib

import numpy as np

from cardslib.microscopy.file_checks import check_file, check_size, chosen, in_angstrom, pixel_size
from cardslib.microscopy.signals import Wanted, read_signal

PICTURES = {".tif": "TIFF", ".tiff": "TIFF", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF",
            ".pgm": "PPM", ".ppm": "PPM"}                                               # Pillow's names
ARRAYS = ".npy", ".npz"
TIF_HEADER = 8              # bytes
DESCRIPTION, RESOLUTION, RESOLUTION_Y = 270, 282, 283   # tags of a tif: text, and pixels a unit of length along x and y
SAMPLE_FORMAT, SIGNED = 339, (2,)           # ... and whether whole numbers have a sign
GATAN_UNIT, GATAN_SCALE = 65003, 65009      # Gatan's own: a unit of length, and how many of them a pixel is across


def read(path, dataset=None):
    """Values of the image or stack in a file, of any shape and dtype; and its pixel size, Å, or None.

    path     a `Path`;  dataset: name of the image to take, where a file holds several

    Raises FileNotFoundError; ImportError with what to install; ValueError for a file that is empty, truncated, damaged, of
    another format, in colour, with pickled objects, with a pattern at each point of a scan, or too large.
    """
    check_file(path)
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        return _read_picture(path)
    if suffix in ARRAYS:
        return read_array(path, dataset), None
    return _read_image_signal(path, dataset)


# ---------------------------------------------------------------------- what microscopes write

def _read_image_signal(path, dataset=None):
    values, axes = read_signal(path, dataset, IMAGE)
    return values, pixel_size([axis for axis in axes if not axis.get("navigate")])


def _is_image(axes):
    """Two axes that are not navigated, and at most one that is: of frames."""
    navigated = [axis for axis in axes if axis.get("navigate")]
    return len(axes) - len(navigated) == 2 and sum(axis.get("size", 1) > 1 for axis in navigated) <= 1


def _instead_of_an_image(signals, path, reader):
    """What to do with a file that holds none."""
    for number, signal in enumerate(signals):
        data = signal["data"]
        if data.ndim == 4:
            options = f"{str(path)!r}, lazy={hasattr(data, 'compute')}"
            return virtual_image(data.shape, f"{reader}.file_reader({options})[{number}]['data']", f"numpy, {reader}")
    return "cardslib.spectroscopy.open_spectra opens spectra"


def virtual_image(shape, scan, imports="numpy"):
    """What to do with a pattern (a, b) at each point of a scan (h, w), where `scan` is an expression for (h, w, a, b)."""
    *_, a, b = shape
    ring = f"numpy.hypot(*numpy.ogrid[{-(a // 2)}:{a - a // 2}, {-(b // 2)}:{b - b // 2}]) > {min(a, b) // 4}"
    return (f"it is a scan with a pattern at each point: sum over a ring of the detector to make a virtual image, and open "
            f"that: `import {imports}; numpy.save('virtual.npy', ({scan} * ({ring})).sum((-2, -1)))`")


# Spectra that were taken with an image may need a package that the image does not
IMAGE = Wanted("image", _is_image, _instead_of_an_image, {"EMD": {"select_type": "images"}})


# ---------------------------------------------------------------------- pictures

def _read_picture(path):
    """Frames and pixel size of a tif, png, jpg …"""
    from PIL import Image, UnidentifiedImageError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                                             # sizes are checked here, below
            with Image.open(path, formats=tuple(PICTURES.values())) as picture:
                count = getattr(picture, "n_frames", 1)
                if count < _frames_promised(picture):                                   # all after one header, or cut off
                    return _read_imagej_stack(path, _frames_promised(picture))
                check_size((count, picture.height, picture.width), path)
                pixel_size = _pixel_size_of_tif(picture)                                # of the first frame
                return np.stack(_frames_of_picture(picture, count, path)), pixel_size
    except UnidentifiedImageError as problem:
        if _is_tif(path):                                                               # of numbers that Pillow does not read
            return _read_image_signal(path)
        raise ValueError(f"{path} is not a {path.suffix[1:]} file, whatever its name says: save the image again") from problem
    except Image.DecompressionBombError as problem:
        raise ValueError(f"{path} is too large to be opened ({problem}): crop or bin it") from problem
    except (OSError, SyntaxError, EOFError, KeyError, TypeError, ValueError) as problem:   # what Pillow raises for half a file
        if str(path) in str(problem):
            raise
        raise ValueError(f"{path} is not a whole image file ({problem}): it may be truncated; copy it again") from problem


def _read_imagej_stack(path, promised):
    """Frames and pixel size of a tif whose frames do not all have a header of their own, as ImageJ writes large ones."""
    values, size = _read_image_signal(path)
    found = len(values) if values.ndim == 3 else 1
    if found < promised:
        raise ValueError(f"{path} is not a whole image file: it promises {promised} frames and holds {found}; copy it again")
    return values, size


def _is_tif(path):
    """Whether a file has the tags of a tif that say how large the image is, and how many bits a pixel has."""
    from PIL.TiffImagePlugin import BITSPERSAMPLE, IMAGELENGTH, IMAGEWIDTH, ImageFileDirectory_v2
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")                                             # of tags that are cut off
            tags = ImageFileDirectory_v2(file.read(TIF_HEADER))
            file.seek(tags.next)
            tags.load(file)
            return {IMAGEWIDTH, IMAGELENGTH, BITSPERSAMPLE} <= set(tags)
    except (OSError, SyntaxError, ValueError, struct.error):                            # what Pillow raises for other bytes
        return False


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
        values = np.asarray(picture)
        signed = values.dtype == np.uint8 and getattr(picture, "tag_v2", {}).get(SAMPLE_FORMAT) == SIGNED
        return values.view(np.int8) if signed else values                               # Pillow has no mode for them
    channels = np.asarray(picture.convert("RGB"))
    if (channels == channels[..., :1]).all():
        return channels[..., 0]
    raise ValueError(f"{path} must be grey; got a colour picture (mode {picture.mode}): save one channel, or the mean")


def _pixel_size_of_tif(picture):
    """Å, from what ImageJ (a resolution, and its unit in the description) or Gatan (tags of its own) wrote; else None."""
    tags = getattr(picture, "tag_v2", {})
    try:
        if GATAN_SCALE in tags:
            return in_angstrom(float(tags[GATAN_SCALE]), _text(tags.get(GATAN_UNIT, "")))
        words = _words_of_imagej(tags)
        if RESOLUTION in tags and words:
            along = (float(tags[name]) for name in (RESOLUTION_Y, RESOLUTION) if name in tags)
            return pixel_size([dict(scale=1 / pixels, units=words.get("unit", "")) for pixels in along])
    except (TypeError, ValueError, ZeroDivisionError):
        pass                                                                            # tags that make no sense say nothing
    return None


def _frames_promised(picture):
    """How many frames a tif of ImageJ's says that it has; 0 if it does not say."""
    words = _words_of_imagej(getattr(picture, "tag_v2", {}))
    return int(words["images"]) if words.get("images", "").isdecimal() else 0


def _words_of_imagej(tags):
    """What ImageJ wrote into the description of a tif, by name: {} if it did not write it."""
    words = dict(line.partition("=")[::2] for line in _text(tags.get(DESCRIPTION, "")).splitlines())
    return words if "ImageJ" in words else {}


def _text(value):
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:                                                      # a µ of one byte
            value = value.decode("latin-1")
    value = str(value)
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
            item = arrays[chosen(list(arrays), dataset, path)]
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
    check_size(shape, path)
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
