"""A small fully convolutional network that marks columns of atoms, trained in front of the class on simulated images.

The way of AtomAI and AtomSegNet (Ziatdinov et al., ACS Nano 11, 2017, 12742; Lin et al., Sci. Rep. 11, 2021, 5386), made so
small that it learns in well under a minute on two cores: it need not know sizes, because every image is first brought to a
scale at which a column is `STANDARD` pixels wide, and it need not be exact, because `gaussian_fit.refine` is.
"""
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import nn

from cardslib.microscopy.image_scale import measure_scale
from cardslib.validation import check_count

STANDARD = 1.6     # pixels: width of a column in what the network sees
SURROUND = 8       # widths over which the image is brought to mean 0 and standard deviation 1
CROP = 64          # pixels across a training example
DOT = 3            # pixels: how far the dot reaches that the network should answer a column with
STRIP = 512        # rows that are looked at together in a large image
OVERLAP = 40       # rows by which such strips overlap: no answer depends on what is further away
SMALLEST = 16      # pixels along an edge of what the network sees, however coarse the image
CHANNELS = 12      # of what it sees at full size; twice as many at half size
RARE = -3.0        # logit with which every pixel starts, a probability of 5 %: most pixels are no column
BATCH = 16         # training examples a step


class ColumnNetwork(nn.Module):
    """Two convolutions at full size, three at half size, and both together: image (n, 1, h, w) → logits (n, 1, h, w).

    seed  of the 14,000 initial weights
    """

    def __init__(self, seed=0):
        super().__init__()
        few, many = CHANNELS, 2 * CHANNELS
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_count("seed", seed, 0))
            self.fine = nn.Sequential(_convolution(1, few), _convolution(few, few))               # h×w
            self.coarse = nn.Sequential(nn.AvgPool2d(2), _convolution(few, many), _convolution(many, many, 2),   # h/2×w/2
                                        _convolution(many, few, 4), nn.Upsample(scale_factor=2, mode="bilinear"))
            self.head = nn.Sequential(_convolution(2 * few, few), nn.Conv2d(few, 1, 1))           # h×w again
        nn.init.constant_(self.head[-1].bias, RARE)
        self.learnt = False

    def forward(self, image):
        fine = self.fine(image)
        return self.head(torch.cat([fine, self.coarse(fine)], 1))

    @torch.no_grad()
    def heat(self, image, width):
        """Probability of a column at each pixel of an image (h, w) whose columns are `width` pixels wide: (h, w), 0 … 1."""
        if not self.learnt:
            raise ValueError("finder must be a trained ColumnNetwork; got one that has learnt nothing: call fit_columns first")
        seen = _standard(image, width)
        height, across = seen.shape
        even = F.pad(seen[None, None], (0, across % 2, 0, height % 2), mode="replicate")
        parts = []
        for start in range(0, height, STRIP):
            above = min(start, OVERLAP)
            part = even[:, :, start - above:start + STRIP + OVERLAP]
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


def _convolution(inputs, outputs, dilation=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation), nn.LeakyReLU(0.1))


def _standard(image, width):
    """The image at the network's scale, brought to mean 0 and standard deviation 1 everywhere: (h, w) → tensor (h', w')."""
    size = [max(SMALLEST, round(length * STANDARD / width)) for length in np.shape(image)]
    scaled = F.interpolate(torch.from_numpy(np.array(image, np.float32))[None, None], size, mode="bilinear", antialias=True)
    scaled = scaled[0, 0].numpy()
    reach = SURROUND * STANDARD
    centred = scaled - gaussian_filter(scaled, reach)
    return torch.from_numpy(centred / np.sqrt(gaussian_filter(centred**2, reach) + 1e-12))


def _example(micrograph):
    """What the network sees of a micrograph and what it should say, (2, h', w'): a soft dot at each visible column."""
    seen = _standard(micrograph.image, measure_scale(micrograph.image).width)
    factor = np.array(seen.shape[::-1]) / micrograph.image.shape[::-1]
    position = (micrograph.truth[micrograph.truth.visible].position + 0.5) * factor - 0.5   # a pixel's middle is its place
    return torch.stack([seen, torch.from_numpy(_dots(position, seen.shape))])


def _dots(position, shape):
    """An image of `shape` with a Gaussian of height 1 and width 1 at each position (n, 2), the highest where they meet."""
    dots, window = np.zeros(shape, np.float32), np.arange(-DOT, DOT + 1)
    for middle_x, middle_y in position:
        x, y = round(middle_x) + window, round(middle_y) + window
        x, y = x[(x >= 0) & (x < shape[1])], y[(y >= 0) & (y < shape[0])]
        dot = np.exp(-((y[:, None] - middle_y) ** 2 + (x - middle_x) ** 2) / 2)
        there = np.ix_(y, x)
        dots[there] = np.maximum(dots[there], dot)
    return dots


def _piece(example, rng):
    """A random piece of an example, (2, CROP, CROP), mirrored and turned by quarters at random."""
    height, across = example.shape[1:]
    top, left = rng.integers(max(1, height - CROP + 1)), rng.integers(max(1, across - CROP + 1))
    piece = example[:, top:top + CROP, left:left + CROP]
    piece = F.pad(piece[None], (0, CROP - piece.shape[2], 0, CROP - piece.shape[1]), mode="replicate")[0]
    piece = torch.rot90(piece, int(rng.integers(4)), (1, 2))
    return piece.flip(2) if rng.integers(2) else piece
