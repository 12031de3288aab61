"""Images from a microscope, simulated or from a file: one dataclass for both, so that one line of a notebook changes."""
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cardslib.microscopy.readers import read, virtual_image
from cardslib.validation import check_number, check_unmasked

SHORTEST_EDGE = 8   # pixels along an edge of an image
OUTERMOST = 1e-4    # share of the pixels at each end that the grey scale leaves out: hot and dead ones
ENOUGH = 2**22      # pixels that say well enough where these ends are
LEAST_GAIN = 1e-12  # electrons a unit: some files hold numbers that are very large, none as large as this


@dataclass(frozen=True)
class Micrograph:
    """One image or a stack of equally large ones.

    frames       (f, h, w) float32 in [0, 1], one grey scale for all frames
    pixel_size   Å, or None where nobody knows
    name         of the file, or how it was made
    truth        a `lattices.Crystal` with positions in pixels, where the image was simulated; else None
    gain         electrons from grey 0 to grey 1, or None where nobody knows (`gain.measure_gain` measures it)
    black_level  electrons at grey 0: negative where the detector's zero is brighter than that
    """

    frames: np.ndarray
    pixel_size: float | None = None
    name: str = ""
    truth: object = None
    gain: float | None = None
    black_level: float = 0.0

    def __post_init__(self):
        check_unmasked("frames", self.frames)

    def __len__(self):
        return len(self.frames)

    @property
    def image(self):
        """The first frame, (h, w); the only one of a single image."""
        return self.frames[0]

    @property
    def counts(self):
        """Electrons a pixel, (f, h, w) float32, none negative; a ValueError where the gain is not known.

        What the grey scale left out, the outermost 0.01 % of the pixels, is not in them.
        """
        if self.gain is None:
            raise ValueError(f"the gain of {self.name or 'this micrograph'} must be known to count its electrons: use "
                             f"measure_gain(micrograph), or open_image(path, gain=…)")
        return counts_of(self.frames, self.gain, self.black_level)


def counts_of(grey_values, gain, black_level):
    """Electrons, float32 and none negative, of grey values of any shape: black_level + gain · grey."""
    counts = np.float32(gain) * np.asarray(grey_values, np.float32) + np.float32(black_level)
    return np.maximum(counts, 0, out=counts)


def open_image(path, dataset=None, gain=None, dark=0.0):
    """The `Micrograph` in a file; a stack of images keeps all its frames.

    path     of a picture (tif, png, jpg, bmp, gif, pgm), an array (npy, npz), or a file that RosettaSciIO reads, by its own
             list of formats: dm3, dm4, emd, hspy, zspy, mrc, ser, emi, h5 …
    dataset  name of the image to take, where a file holds several that are images, and neither complex nor previews
    gain     electrons for each unit of the file's values, where you know it (1 if it holds counts); else None: `measure_gain`
    dark     the file's value of a pixel that no electron has hit; used with a gain

    The pixel size is kept where the file knows one: a tif as ImageJ or Gatan write it, and what RosettaSciIO reads, which
    needs `pip install "cardslib[files]"`.

    Raises FileNotFoundError; ImportError with what to install; ValueError for a file that is truncated, damaged, empty, of
    another format, in colour, with pickled objects, with a pattern at each point of a scan, too large (2²⁸ pixels), or whose
    pixels are not finite or all the same.
    """
    path = Path(path)
    if gain is not None:
        check_number("gain", gain, LEAST_GAIN, unit="electrons a unit")
    check_number("dark", dark, -np.inf)
    values, pixel_size = read(path, dataset)
    frames = _frames(np.asarray(values), path)
    _check_pixels(frames, path)
    micrograph = Micrograph(grey(frames), pixel_size, path.name)
    if gain is None:
        return micrograph
    black, white = grey_range(frames)
    return replace(micrograph, gain=gain * (white - black), black_level=gain * (black - dark))


def grey(values):
    """Any numbers as float32 in [0, 1], on one straight scale from the darkest to the brightest pixel (`grey_range`)."""
    values = _as_floats(values)
    black, white = grey_range(values)
    scaled = (values - black) / (white - black)
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float32, copy=False)


def grey_range(values):
    """The values that become grey 0 and grey 1.

    They leave out the outermost 0.01 % of the pixels at both ends, so that a hot or dead one does not squeeze the others.
    """
    values = _as_floats(values)
    some = values.reshape(-1)[::max(1, values.size // ENOUGH)]
    black, white = np.quantile(some, (OUTERMOST, 1 - OUTERMOST))
    if not white > black:
        black, white = values.min(), values.max()
    return float(black), float(white)


def _as_floats(values):
    """In single precision where that holds them: numbers of 32 or 64 bits may differ by less than it sees."""
    values = check_unmasked("values", values)
    return values.astype(np.promote_types(values.dtype, np.float32), copy=False)


def _frames(values, path):
    """Values (h, w) or (f, h, w) as frames (f, h, w), or a ValueError: large enough, and no colours."""
    if values.ndim > 3:                                                                 # axes of length 1 say nothing
        values = values.reshape([length for length in values.shape[:-2] if length > 1] + list(values.shape[-2:]))
    if values.ndim == 3 and values.shape[2] in (3, 4) and min(values.shape[:2]) > 4:
        raise ValueError(f"{path} must be grey; got a colour image {values.shape}: save one of its channels, or their mean")
    if values.ndim == 4:
        raise ValueError(f"{path} must hold an image (h, w) or a stack (f, h, w); got an array {values.shape}: "
                         + virtual_image(values.shape, f"numpy.load({str(path)!r})"))
    if values.ndim not in (2, 3):
        raise ValueError(f"{path} must hold an image (h, w) or a stack (f, h, w); got an array {values.shape}")
    frames = values[None] if values.ndim == 2 else values
    if frames.size == 0 or min(frames.shape[1:]) < SHORTEST_EDGE:
        raise ValueError(f"{path} must hold images of at least {SHORTEST_EDGE}×{SHORTEST_EDGE} pixels; got {frames.shape[1:]}"
                         + (": it is empty" if frames.size == 0 else ""))
    return frames


def _check_pixels(frames, path):
    """A ValueError unless pixels are real and finite numbers, and not all the same."""
    if frames.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold real numbers; got {frames.dtype}"
                         + (": take the absolute value or the phase" if frames.dtype.kind == "c" else ""))
    wrong = frames.size - np.count_nonzero(np.isfinite(frames))
    if wrong:
        raise ValueError(f"{path} must hold finite numbers; {wrong:,} of {frames.size:,} pixels are NaN or infinite: crop the "
                         f"image, or fill them with numpy.nan_to_num")
    if frames.min() == frames.max():
        raise ValueError(f"{path} holds nothing to see: all pixels are {frames.flat[0]:.4g}")
