"""Descriptors of an image: small square pieces of it, each remembering where it came from.

Piece and image share their pixels: a patch is cut at whole pixels, never resampled, so that noise stays what it was.  What is
lost by that, up to half a pixel, is not forgotten: `Patches.offset` says where in the patch its column lies.
"""
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cardslib.geometry import inside
from cardslib.microscopy.micrographs import counts_of
from cardslib.records import Record, concatenate
from cardslib.validation import check_count

MOST_PATCH_PIXELS = 2**28   # of all patches together: a gigabyte
CUT_TOGETHER = 4096         # patches at a time: bounds the memory
BORDERS = "leave out", "mirror"
LEAST_CONTRAST = 1e-6       # grey values: less is rounding


@dataclass(frozen=True)
class Patches(Record):
    """Square pieces of images; index it to get fewer of them.

    images       (n, size, size) float32 in [0, 1]
    position     (n, 2) x and y in the image, pixels: what the patch is about, a column or a point of a grid
    corner       (n, 2) int64, x and y of the patch's first pixel in the image
    frame        (n,) int64: which frame of the micrograph
    source       (n,) int64: which micrograph, an index into names
    index        (n,) int64: which of the positions that were asked for
    names        of the micrographs
    gain         (n,) electrons from grey 0 to grey 1 in its micrograph, NaN where nobody knows
    black_level  (n,) electrons at grey 0
    """

    images: np.ndarray
    position: np.ndarray
    corner: np.ndarray
    frame: np.ndarray
    source: np.ndarray
    index: np.ndarray
    names: tuple
    gain: np.ndarray
    black_level: np.ndarray

    @property
    def size(self):
        """Pixels along an edge."""
        return self.images.shape[1]

    @property
    def counts(self):
        """Electrons a pixel, (n, size, size) float32, none negative; a ValueError where a gain is not known."""
        unknown = np.isnan(self.gain)
        if unknown.any():
            raise ValueError(f"the gain of {self.names[self.source[unknown][0]] or 'a micrograph'} must be known to count its "
                             f"electrons: cut the patches from measure_gain(micrograph), or from open_image(path, gain=…)")
        return counts_of(self.images, self.gain[:, None, None], self.black_level[:, None, None])

    @property
    def brightness(self):
        """(n,): mean grey of each."""
        return self.images.mean((1, 2))

    @property
    def contrast(self):
        """(n,): standard deviation of the grey values in each."""
        return self.images.std((1, 2))

    @property
    def standardised(self):
        """The patches without their light, (n, size, size) float32 of mean 0 and standard deviation 1, no longer in [0, 1].

        images = brightness + contrast · standardised: what stands for all pixels alike has names of its own, and is taken out
        before a model sees the patch.  A Gaussian likelihood of learnt noise goes with it.  Raises ValueError where a patch
        is empty.
        """
        brightness, contrast = self.brightness, self.contrast
        empty = contrast < LEAST_CONTRAST
        if empty.any():
            raise ValueError(f"patches must hold something to be standardised; {empty.sum()} of {len(self)} are empty, all "
                             f"grey {brightness[empty][0]:.3g}: leave them out, patches[patches.contrast > {LEAST_CONTRAST:g}]")
        return (self.images - brightness[:, None, None]) / contrast[:, None, None]

    def surroundings(self, columns):
        """The same `Patches`, each without the column that it is about: what the places around say of the lattice.

        columns  all `Columns` that were found, whose positions these patches were cut about: their Gaussians are taken off

        A column is the strongest mark in its own patch, and a model's shift follows it where it goes: of its displacement only
        the rest is left between the two.  Without it the shift is that of the lattice around.  (The images may fall below 0
        by the noise: take them standardised.)
        """
        own = _of_patches(columns, self)
        x, y = (np.arange(self.size) - (own.position - self.corner)[:, [axis]] for axis in (0, 1))   # (n, size) both
        x, y = x.astype(np.float32)[:, None], y.astype(np.float32)[:, :, None]           # (n, 1, size), (n, size, 1)
        long, diagonal = own.ellipticity.T.astype(np.float32)[..., None, None]
        squares = (1 - long) * x**2 - 2 * diagonal * x * y + (1 + long) * y**2           # (n, size, size)
        width = own.width[:, None, None] * (1 - long**2 - diagonal**2) ** 0.25           # as in `gaussian_fit`
        light = own.amplitude[:, None, None] * np.exp(-squares / (2 * width**2))
        return replace(self, images=(self.images - light).astype(np.float32))

    @property
    def offset(self):
        """(n, 2): where the position lies beside the middle of its patch, x and y in half widths, as a `Pose`'s shift."""
        return (self.position - self.corner - (self.size - 1) / 2) / (self.size / 2)

    def in_image(self, shift):
        """Points at a shift (n, 2) from the middle of each patch, in half widths, as pixels of the image."""
        return self.corner + (self.size - 1) / 2 + np.asarray(shift) * self.size / 2


def column_patches(micrograph, position, size, frame=0, border="leave out"):
    """`Patches` about columns at position (n, 2), x and y in pixels, of one frame of a `Micrograph`.

    size    pixels along an edge; of the patches on whole pixels, that one is cut whose middle is nearest to the column
    border  "leave out" columns whose patch would reach over the edge of the image (`Patches.index` says which are left);
            "mirror" the image there, so that every column has its patch
    """
    position = np.asarray(position, float)
    if position.ndim != 2 or position.shape[1] != 2 or not np.isfinite(position).all():
        raise ValueError(f"position must be (n, 2) finite numbers, x and y in pixels; got {position.shape}")
    image = _frame(micrograph, frame, size)
    if border not in BORDERS:
        raise ValueError(f"border must be one of {', '.join(map(repr, BORDERS))}; got {border!r}")
    height, width = image.shape
    _check_inside(position, width, height)
    corner = np.round(position - (size - 1) / 2).astype(np.int64)
    whole = inside(corner, 0, np.array([width, height]) - size)
    index = np.flatnonzero(whole) if border == "leave out" else np.arange(len(position))
    if not len(index):
        raise ValueError(f"no patch of size={size} about any of the {len(position)} positions lies inside the image of "
                         f"{width}×{height} pixels: use smaller patches, or border='mirror'")
    position, corner = position[index], corner[index]
    _check_memory(len(corner), size)
    images = _cut(image, corner, size) if border == "leave out" else _cut(np.pad(image, size, "symmetric"), corner + size, size)
    return _patches(images, position, corner, index, micrograph, frame)


def grid_patches(micrograph, size, step, frame=0):
    """`Patches` on a regular grid, every `step` pixels along x and y, all wholly inside the frame; in reading order.

    The grid is centred: what does not fit is left over equally on opposite sides.  A patch's position is its middle.
    """
    image, step = _frame(micrograph, frame, size), check_count("step", step)
    room = np.array(image.shape[::-1]) - size                                           # pixels that a corner can move, x and y
    x, y = (most % step // 2 + np.arange(0, most + 1, step) for most in room)
    _check_memory(len(x) * len(y), size)
    corner = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.int64)            # row by row
    return _patches(_cut(image, corner, size), corner + (size - 1) / 2, corner, np.arange(len(corner)), micrograph, frame)


def join(*several):
    """All `Patches` of several images or frames as one, to learn from together; they must be of one size."""
    if len({patches.size for patches in several}) != 1:
        raise ValueError(f"all patches must be of one size; got {sorted({patches.size for patches in several})}")
    names = tuple(dict.fromkeys(name for patches in several for name in patches.names))
    _check_memory(sum(len(patches) for patches in several), several[0].size)
    renamed = [replace(patches, source=np.array([names.index(name) for name in patches.names])[patches.source])
               for patches in several]
    return replace(concatenate(renamed), names=names)


def _of_patches(columns, patches):
    """The column of each patch, or a ValueError if the patches are about something else."""
    if not hasattr(columns, "amplitude"):
        raise ValueError(f"columns must be Columns, from find_columns; got {type(columns).__name__}: pass all that were found, "
                         f"not their positions")
    if len(columns) <= patches.index.max(initial=-1) or not np.array_equal(columns.position[patches.index], patches.position):
        raise ValueError(f"columns must be those about which the patches were cut, all of them; got {len(columns)} others: cut "
                         f"the patches by column_patches(micrograph, columns.position, size)")
    return columns[patches.index]


def _frame(micrograph, frame, size):
    """One frame (h, w) of a micrograph, or a ValueError: a frame that there is, and a patch that is not larger."""
    if not hasattr(micrograph, "frames"):
        raise ValueError(f"micrograph must be a Micrograph, from open_image or scan; got {type(micrograph).__name__}: "
                         f"use Micrograph(image[None])")
    if not isinstance(frame, (int, np.integer)) or not 0 <= frame < len(micrograph.frames):
        raise ValueError(f"frame must be 0 to {len(micrograph.frames) - 1}; got {frame!r}")
    image = micrograph.frames[frame]
    if check_count("size", size, 2) > min(image.shape):
        raise ValueError(f"size must be at most {min(image.shape)} pixels, for an image of {image.shape}; got {size}")
    return image


def _check_inside(position, width, height):
    outside = ~inside(position, -0.5, np.array([width, height]) - 0.5)
    if outside.any():
        raise ValueError(f"position must lie in the image of {width}×{height} pixels; {outside.sum()} of {len(position)} do "
                         f"not, the first at {position[outside][0].round(1).tolist()}: x comes first, then y")


def _check_memory(count, size):
    if count * size**2 > MOST_PATCH_PIXELS:
        raise ValueError(f"{count:,} patches of {size}×{size} pixels would take {count * size**2 * 4 / 1e9:.1f} GB; at most "
                         f"{MOST_PATCH_PIXELS * 4 / 1e9:.1f} GB: use fewer, smaller ones, a larger step, or part of the image")


def _cut(image, corner, size):
    """Squares of an image whose first pixels are at corner (n, 2), x and y: (n, size, size)."""
    windows = sliding_window_view(image, (size, size))                                  # a view: no pixel is copied yet
    images = np.empty((len(corner), size, size), np.float32)
    for start in range(0, len(corner), CUT_TOGETHER):
        x, y = corner[start:start + CUT_TOGETHER].T
        images[start:start + CUT_TOGETHER] = windows[y, x]
    return images


def _patches(images, position, corner, index, micrograph, frame):
    """`Patches` of one frame of a micrograph."""
    n = len(images)
    gain = np.full(n, np.nan if micrograph.gain is None else micrograph.gain)
    return Patches(images, position, corner, frame=np.full(n, frame, np.int64), source=np.zeros(n, np.int64), index=index,
                   names=(micrograph.name,), gain=gain, black_level=np.full(n, float(micrograph.black_level)))
