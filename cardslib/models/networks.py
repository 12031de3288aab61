"""The neural networks inside the models: layers and where they read, no latent variables.

What a network is told beside an image or its content (a label as one-hot numbers, conditions, a group) is its *conditioning*,
(n, size) numbers.  A decoder turns `inputs`, content and conditioning side by side, and points (n, p, 2) of the canonical
picture, in half widths, into natural parameters of the likelihood there (a Bernoulli's: logits), (n, p); the dense one knows no
points: it draws the image itself.  Each has a `name`, and says whether it is `pointwise`: a network evaluated anew at every
point, which makes a step many times slower.
"""
from itertools import pairwise
from math import ceil, prod

import torch
import torch.nn.functional as F
from torch import nn

from cardslib.transforms import crops, pixel_grid, rotated_copies

HIDDEN_LAYERS = 2      # of a dense network
POINTWISE_LAYERS = 3   # of a network of the coordinates
FINEST = 12.0          # the typical wave that it is given: radians a half width


class DenseEncoder(nn.Module):
    """Image or spectrum, and conditioning → `outputs` numbers: (n, h, w) or (n, channels), (n, size) → (n, outputs)."""

    def __init__(self, shape, outputs, hidden, conditioning_size=0):
        super().__init__()
        self.layers = _dense(prod(shape) + conditioning_size, hidden, outputs)

    def forward(self, images, conditioning=None):
        pixels = images.flatten(1)                                          # (n, h, w) → (n, h·w)
        return self.layers(pixels if conditioning is None else torch.cat([pixels, conditioning], 1))


class PoseEncoder(nn.Module):
    """Looks at an image from several orientations, at `angles` (k,), with shared weights: → (n, orientations, outputs).

    If they divide the circle and the image turns by one of them, the outputs change places and are otherwise the same (the
    encoder is equivariant under the cyclic group): nothing about a suit has to be learnt once for every orientation.
    which (n,) chooses one orientation for each image, and no work is done for the others.
    """

    def __init__(self, shape, outputs, hidden, conditioning_size=0, angles=(0.0,)):
        super().__init__()
        side = crops(torch.zeros(1, *shape)).shape[-1]
        self.layers = _dense(side**2 + conditioning_size, hidden, outputs)
        self.register_buffer("angles", torch.as_tensor(angles), persistent=False)

    def forward(self, images, conditioning=None, centre=None, which=None):
        pictures = crops(images, centre)                                    # (n, h, w) → (n, side, side)
        copies = rotated_copies(pictures, self.angles) if len(self.angles) > 1 else pictures.flatten(1)[:, None]
        if which is not None:                                               # (n, orientations, side²) → (n, 1, side²)
            copies = copies[torch.arange(len(copies), device=copies.device), which][:, None]
        if conditioning is not None:
            copies = torch.cat([copies, conditioning[:, None].expand(-1, copies.shape[1], -1)], 2)
        return self.layers(copies)


class DenseDecoder(nn.Module):
    """Content and conditioning → pixels of an image, or channels: (n, inputs) → (n, h, w) or (n, channels)."""

    name, pointwise = "dense", False

    def __init__(self, shape, content, hidden, conditioning_size=0):
        super().__init__()
        self.layers = _dense(content + conditioning_size, hidden, prod(shape))
        self.layers.append(nn.Unflatten(1, shape))                          # (n, h·w) → (n, h, w)

    @torch.no_grad()
    def start_from(self, picture):
        """Draw this picture, (h, w) natural parameters, before anything is learnt."""
        self.layers[-2].bias.copy_(picture.flatten())                       # (h, w) → (h·w,)

    def forward(self, inputs):
        return self.layers(inputs if inputs.shape[1] else inputs.new_zeros(len(inputs), 1))   # a zero if there is nothing


class SpatialDecoder(nn.Module):
    """A network of the coordinates, evaluated at every point: what the slides call a function of spatial coordinate.

    Coordinates enter as waves of several lengths: a network of the bare coordinates would blur (Tancik et al., Fourier
    features let networks learn high frequency functions in low dimensional domains, 2020).  With `skip`, content and
    coordinates enter every layer again (skip-rVAE).
    """

    pointwise = True

    def __init__(self, shape, content, hidden, conditioning_size=0, reach=(1.0, 1.0), skip=False):
        super().__init__()
        self.name, self.skip = "skip" if skip else "spatial", skip
        hidden = 2 * max(1, hidden // 4)            # half as wide, as the work is done at every point; even: a sine, a cosine
        self.waves = nn.Parameter(torch.randn(2, hidden // 2) * (FINEST / max(reach)))
        entries = range(POINTWISE_LAYERS if skip else 1)
        self.of_waves = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in entries)
        self.of_content = nn.ModuleList(nn.Linear(max(content + conditioning_size, 1), hidden) for _ in entries)
        self.hidden = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(POINTWISE_LAYERS - 1))
        self.last = nn.Linear(hidden, 1)

    @torch.no_grad()
    def start_from(self, picture):
        """Draw a uniform picture, the mean of (h, w) natural parameters, before anything is learnt."""
        self.last.bias.fill_(picture.mean())

    def forward(self, inputs, points):
        inputs = inputs if inputs.shape[1] else inputs.new_zeros(len(inputs), 1)
        phase = points @ self.waves                                         # (n, p, hidden / 2)
        waves = torch.cat([phase.sin(), phase.cos()], 2)
        signal = F.silu(self.of_waves[0](waves) + self.of_content[0](inputs)[:, None])
        for number, layer in enumerate(self.hidden, 1):
            signal = layer(signal)
            if self.skip:
                signal = signal + self.of_waves[number](waves) + self.of_content[number](inputs)[:, None]
            signal = F.silu(signal)
        return self.last(signal)[..., 0]


class WarpDecoder(nn.Module):
    """Draws one canonical picture an image, which reaches so many half widths along x and y, and reads it where it is asked."""

    name, pointwise = "warp", False

    def __init__(self, shape, content, hidden, conditioning_size=0, reach=(1.0, 1.0)):
        super().__init__()
        self.height, self.width = (1, *shape)[-2:]
        self.canvas = tuple(max(1, ceil(self.width * edge)) for edge in reversed(reach))   # rows, columns of the image's pixels
        self.register_buffer("reach", torch.tensor(reach), persistent=False)
        self.canonical = DenseDecoder(self.canvas, content, hidden, conditioning_size)

    def start_from(self, picture):
        """Draw this picture, (h, w) natural parameters, before anything is learnt; beyond its edge as at the edge."""
        unit = torch.tensor([1, self.width / self.height], device=picture.device)   # half widths → the units of grid_sample
        rows, columns = self.canvas
        within_one = torch.tensor([1, columns / rows], device=picture.device)       # the canvas' own half widths → ±1 down, too
        grid = pixel_grid(rows, columns, picture.device) * within_one * self.reach * unit
        picture = picture.reshape(1, 1, self.height, self.width)
        self.canonical.start_from(F.grid_sample(picture, grid[None], padding_mode="border", align_corners=False)[0, 0])

    def forward(self, inputs, points):
        picture = self.canonical(inputs)[:, None]                           # (n, 1, rows, columns)
        read = F.grid_sample(picture, points[:, None] / self.reach, padding_mode="border", align_corners=False)
        return read[:, 0, 0]                                                # (n, 1, 1, p) → (n, p)


def make_decoder(name, shape, content, hidden, conditioning_size, pose):
    """The decoder of that name, or a ValueError: "dense" has no pose, "warp", "spatial" and "skip" have one."""
    names = ("warp", "spatial", "skip") if pose else ("dense",)
    if name not in names:
        raise ValueError(f"decoder must be {' or '.join(map(repr, names))} {'with' if pose else 'without'} a pose; "
                         f"got {name!r}")
    if name == "dense":
        return DenseDecoder(shape, content, hidden, conditioning_size)
    if name == "warp":
        return WarpDecoder(shape, content, hidden, conditioning_size, pose.reach(shape))
    return SpatialDecoder(shape, content, hidden, conditioning_size, pose.reach(shape), skip=name == "skip")


def _dense(inputs, hidden, outputs):
    sizes = [max(inputs, 1), *[hidden] * HIDDEN_LAYERS, outputs]
    layers = [layer for size in pairwise(sizes) for layer in (nn.Linear(*size), nn.SiLU())]
    return nn.Sequential(*layers[:-1])
