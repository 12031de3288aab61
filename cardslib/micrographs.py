"""Images from a microscope, simulated or from a file: one dataclass for both."""
from dataclasses import dataclass

import numpy as np


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


def grey(values):
    """Any numbers as float32 in [0, 1], on one straight scale from the darkest to the brightest pixel.

    The scale ends where the outermost 0.01 % of the pixels begin, so that a hot or dead pixel of the camera does not squeeze
    everything else.
    """
    low, high = np.quantile(values[..., ::1], (1e-4, 1 - 1e-4))
    if not high > low:
        low, high = values.min(), values.max()
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1).astype(np.float32)
