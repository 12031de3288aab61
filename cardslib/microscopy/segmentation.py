"""A small fully convolutional network that marks columns of atoms, trained in front of the class on simulated images.

The way of AtomAI and AtomSegNet (Ziatdinov et al., ACS Nano 11, 2017, 12742; Lin et al., Sci. Rep. 11, 2021, 5386), made so
small that it learns in well under a minute on two cores: it need not know sizes, because every image is first brought to a
scale at which a column is `STANDARD` pixels wide, and it need not be exact, because `columns.refine` is.
"""
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import nn

from cardslib.microscopy.atomic_columns import measure_scale
from cardslib.validation import check_count

STANDARD = 1.6     # pixels: width of a column in what the network sees
SURROUND = 8       # widths over which the image is brought to mean 0 and standard deviation 1
CROP = 64          # pixels across a training example
STRIP = 512        # rows that are looked at together in a large image
SEEN = 40          # pixels: no answer depends on what is further away
BATCH = 16


class ColumnNetwork(nn.Module):
    """Two looks at full size, three at half size, and both together: image (n, 1, h, w) → logits (n, 1, h, w).

    seed  of the initial weights.  14,000 weights at the default `channels`.
    """

    def __init__(self, channels=12, seed=0):
        super().__init__()
        few, many = check_count("channels", channels), 2 * channels
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_count("seed", seed, 0))
            self.fine = nn.Sequential(_look(1, few), _look(few, few))                             # h×w
            self.coarse = nn.Sequential(nn.AvgPool2d(2), _look(few, many), _look(many, many, 2),  # h/2×w/2
                                        _look(many, few, 4), nn.Upsample(scale_factor=2, mode="bilinear"))
            self.answer = nn.Sequential(_look(2 * few, few), nn.Conv2d(few, 1, 1))                # h×w again
        nn.init.constant_(self.answer[-1].bias, -3.0)                                             # most pixels are no column
        self.learnt = False

    def forward(self, image):
        fine = self.fine(image)
        return self.answer(torch.cat([fine, self.coarse(fine)], 1))

    @torch.no_grad()
    def heat(self, image, width):
        """Probability of a column at each pixel of an image (h, w) whose columns are `width` pixels wide: (h, w), 0 … 1."""
        if not self.learnt:
            raise ValueError("how must be a trained ColumnNetwork; got one that has learnt nothing: call fit_columns first")
        seen = _standard(image, width)
        height, across = seen.shape
        even = F.pad(seen[None, None], (0, across % 2, 0, height % 2), mode="replicate")
        parts = []
        for start in range(0, height, STRIP):
            above = min(start, SEEN)
            part = even[:, :, start - above:start + STRIP + SEEN]
            parts.append(torch.sigmoid(self(part))[:, :, above:above + STRIP])
        heat = torch.cat(parts, 2)[:, :, :height, :across]
        return F.interpolate(heat, np.shape(image), mode="bicubic")[0, 0].numpy()


def fit_columns(network, micrographs, steps=180, seed=0, callback=None):
    """Train a `ColumnNetwork` on simulated `Micrograph`s, whose truth says where the columns are.  Returns the losses.

    Each step takes 16 pieces of 64×64 pixels from anywhere in the images, mirrored and turned by quarters at random.
    callback  called with (step, loss) after each step
    """
    check_count("steps", steps)
    rng = np.random.default_rng(check_count("seed", seed, 0))
    if not len(micrographs) or any(micrograph.truth is None for micrograph in micrographs):
        raise ValueError("micrographs must be simulated ones, at least one, whose truth says where the columns are")
    examples = [_example(micrograph) for micrograph in micrographs]
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    network.learnt, losses = True, []
    for step in range(1, steps + 1):
        batch = torch.stack([_piece(examples[rng.integers(len(examples))], rng) for _ in range(BATCH)])   # (16, 2, 64, 64)
        loss = F.binary_cross_entropy_with_logits(network(batch[:, :1]), batch[:, 1:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if callback is not None:
            callback(step, losses[-1])
    return np.array(losses)


def _look(inputs, outputs, dilation=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.LeakyReLU(0.1))


def _standard(image, width):
    """The image at the network's scale, brought to mean 0 and standard deviation 1 everywhere: (h, w) → tensor (h', w')."""
    size = [max(2 * SEEN // 5, round(length * STANDARD / width)) for length in np.shape(image)]
    scaled = F.interpolate(torch.from_numpy(np.array(image, np.float32))[None, None], size, mode="bilinear", antialias=True)
    scaled = scaled[0, 0].numpy()
    reach = SURROUND * STANDARD
    centred = scaled - gaussian_filter(scaled, reach)
    return torch.from_numpy(centred / np.sqrt(gaussian_filter(centred**2, reach) + 1e-12))


def _example(micrograph):
    """What the network sees of a micrograph and what it should say, (2, h', w'): a soft dot at each visible column."""
    seen = _standard(micrograph.image, measure_scale(micrograph.image).width)
    size = np.array(seen.shape[::-1])
    factor = size / micrograph.image.shape[::-1]
    position = (micrograph.truth[micrograph.truth.visible].position + 0.5) * factor - 0.5
    dots = np.zeros(seen.shape, np.float32)
    window = np.arange(-3, 4)
    for x, y in position:
        columns, rows = round(x) + window, round(y) + window
        columns, rows = columns[(columns >= 0) & (columns < size[0])], rows[(rows >= 0) & (rows < size[1])]
        dot = np.exp(-((rows[:, None] - y) ** 2 + (columns - x) ** 2) / 2)
        there = np.ix_(rows, columns)
        dots[there] = np.maximum(dots[there], dot)
    return torch.stack([seen, torch.from_numpy(dots)])


def _piece(example, rng):
    """A random piece of an example, (2, CROP, CROP), mirrored and turned by quarters at random."""
    height, width = example.shape[1:]
    top, left = rng.integers(max(1, height - CROP + 1)), rng.integers(max(1, width - CROP + 1))
    piece = example[:, top:top + CROP, left:left + CROP]
    piece = F.pad(piece[None], (0, CROP - piece.shape[2], 0, CROP - piece.shape[1]), mode="replicate")[0]
    piece = torch.rot90(piece, int(rng.integers(4)), (1, 2))
    return piece.flip(2) if rng.integers(2) else piece
