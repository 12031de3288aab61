"""The neural networks inside the models: layers and where they read, no latent variables.

What is given beside an image (a label as one-hot numbers, conditions, a group) comes as (n, given) numbers, or None.
A decoder has a `name` and says whether it is `pointwise`: a network evaluated anew at every point, at a hundred times the cost.
It turns content, what is given, and points (n, p, 2) of the canonical picture, in half widths, into logits there,
(n, p).  (The dense one knows no points: it draws the image itself.)
"""
from math import ceil, hypot

import torch
import torch.nn.functional as F
from torch import nn

from cardslib.transforms import crop_side, crops, orientations, pixel_grid, rotated_copies

FINEST = 12.0   # the typical wave of a spatial decoder: radians a half width


class DenseEncoder(nn.Module):
    """Image, and what is given, → `outputs` numbers: (n, h, w), (n, given) → (n, outputs)."""

    def __init__(self, shape, outputs, hidden, given=0):
        super().__init__()
        height, width = shape
        self.layers = _dense(height * width + given, hidden, outputs)

    def forward(self, images, given=None):
        pixels = images.flatten(1)                                          # (n, h, w) → (n, h·w)
        return self.layers(pixels if given is None else torch.cat([pixels, given], 1))


class TurningEncoder(nn.Module):
    """Looks at an image from `sides` orientations, with the same eyes: → (n, sides, outputs).

    If the image turns by one of these orientations, the answers change places and are otherwise the same (it is equivariant
    under the cyclic group): nothing about a suit has to be learnt once for every orientation.
    which (n,) chooses one side of each image, and no work is done for the others.
    """

    def __init__(self, shape, outputs, hidden, given=0, sides=1):
        super().__init__()
        self.layers = _dense(crop_side(*shape) ** 2 + given, hidden, outputs)
        self.register_buffer("angles", orientations(sides), persistent=False)

    def forward(self, images, given=None, centre=None, which=None):
        pictures = crops(images, centre)
        copies = rotated_copies(pictures, self.angles) if len(self.angles) > 1 else pictures.flatten(1)[:, None]
        if which is not None:   # one side of each image only: (n, 1, side²)
            copies = copies[torch.arange(len(copies), device=copies.device), which][:, None]
        if given is not None:
            copies = torch.cat([copies, given[:, None].expand(-1, copies.shape[1], -1)], 2)
        return self.layers(copies)


class DenseDecoder(nn.Module):
    """Content, and what is given, → logits of the pixels: (n, content), (n, given) → (n, h, w)."""

    name, pointwise = "dense", False

    def __init__(self, shape, content, hidden, given=0):
        super().__init__()
        height, width = shape
        self.layers = _dense(content + given, hidden, height * width)
        self.layers.append(nn.Unflatten(1, (height, width)))                # (n, h·w) → (n, h, w)

    @property
    def offset(self):
        """The bias of the last layer, (h·w,): the logits of the picture that is drawn before anything else is known."""
        return self.layers[-2].bias

    @torch.no_grad()
    def start_from(self, logits):
        """Draw this picture, (h, w) logits, before anything is learnt."""
        self.offset.copy_(logits.flatten())                                 # (h, w) → (h·w,)

    def forward(self, content, given=None):
        return self.layers(_inputs(content, given))


class SpatialDecoder(nn.Module):
    """A network of the coordinates, asked at every point: what the slides call a function of spatial coordinate.

    Coordinates enter as waves of several lengths: a network of the bare coordinates would blur (Tancik et al., Fourier
    features let networks learn high frequency functions in low dimensional domains, 2020).  With `skip`, content and
    coordinates enter every layer again (skip-rVAE).
    """

    pointwise = True

    def __init__(self, shape, content, hidden, given=0, reach=1.0, skip=False):
        super().__init__()
        self.name, self.skip = "skip" if skip else "spatial", skip
        hidden //= 2                                                        # the same work is done at every point
        self.waves = nn.Parameter(torch.randn(2, hidden // 2) * (FINEST / reach))
        layers = 3
        self.of_waves = nn.ModuleList(nn.Linear(hidden, hidden, bias=False) for _ in range(layers if skip else 1))
        self.of_content = nn.ModuleList(nn.Linear(max(content + given, 1), hidden) for _ in range(layers if skip else 1))
        self.hidden = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(layers - 1))
        self.last = nn.Linear(hidden, 1)

    @torch.no_grad()
    def start_from(self, logits):
        """Draw a uniform picture of this brightness, (h, w) logits, before anything is learnt."""
        self.last.bias.fill_(logits.sigmoid().mean().logit())

    def forward(self, content, given, points):
        inputs = _inputs(content, given)
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
    """Draws one canonical picture an image, on a canvas that reaches `reach` half widths, and reads it where it is asked."""

    name, pointwise = "warp", False

    def __init__(self, shape, content, hidden, given=0, reach=1.0):
        super().__init__()
        self.shape, self.reach = shape, reach
        self.side = ceil(shape[1] * reach)                                  # of the square canvas, in the image's own pixels
        self.canvas = DenseDecoder((self.side, self.side), content, hidden, given)

    def start_from(self, logits):
        """Draw this picture, (h, w) logits, before anything is learnt; beyond its edge as at the edge."""
        height, width = self.shape
        unit = torch.tensor([1, width / height], device=logits.device)      # half widths → the units of grid_sample
        grid = pixel_grid(self.side, self.side, logits.device) * self.reach * unit
        self.canvas.start_from(F.grid_sample(logits[None, None], grid[None], padding_mode="border", align_corners=False)[0, 0])

    def forward(self, content, given, points):
        canvas = self.canvas(content, given)[:, None]                       # (n, 1, side, side)
        read = F.grid_sample(canvas, points[:, None] / self.reach, padding_mode="border", align_corners=False)
        return read[:, 0, 0]                                                # (n, 1, 1, p) → (n, p)


def make_decoder(kind, shape, content, hidden, given, pose):
    """The decoder of that name, or a ValueError: "dense" has no pose, "warp", "spatial" and "skip" have one."""
    kinds = ("warp", "spatial", "skip") if pose else ("dense",)
    if kind not in kinds:
        raise ValueError(f"decoder must be {' or '.join(map(repr, kinds))} {'with' if pose else 'without'} a pose; "
                         f"got {kind!r}")
    if kind == "dense":
        return DenseDecoder(shape, content, hidden, given)
    reach = pose_reach(shape, pose)
    if kind == "warp":
        return WarpDecoder(shape, content, hidden, given, reach)
    return SpatialDecoder(shape, content, hidden, given, reach, skip=kind == "skip")


def pose_reach(shape, pose):
    """How far from its middle a canonical picture is ever looked at, in half widths: to the corners if it turns."""
    height, width = shape
    reach = hypot(1, height / width) if pose.widths.get("angle") else max(1, height / width)
    return reach + pose.widths.get("shift", 0)


def _dense(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(max(inputs, 1), hidden), nn.SiLU(),
        nn.Linear(hidden, hidden), nn.SiLU(),
        nn.Linear(hidden, outputs))


def _inputs(content, given):
    """Content and what is given side by side; a single zero if there is neither."""
    inputs = content if given is None else torch.cat([content, given], 1)
    return inputs if inputs.shape[1] else content.new_zeros(len(content), 1)
