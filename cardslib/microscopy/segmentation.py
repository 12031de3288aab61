"""A small fully convolutional network that marks columns of atoms, trained in front of the class on simulated images.

The way of AtomAI and AtomSegNet (Ziatdinov et al., ACS Nano 11, 2017, 12742; Lin et al., Sci. Rep. 11, 2021, 5386), made so
small that it learns in well under a minute on two cores: it need not know sizes, because every image is first brought to a
scale at which a column is `STANDARD` pixels wide, and it need not be exact, because `gaussian_fit.refine` is.  What it can do
it has from what it was shown (`practice_images`).
"""
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import nn

from cardslib.microscopy.image_scale import measure_scale
from cardslib.validation import check_count

STANDARD = 2.0     # pixels: width of a column in what the network sees
SCALES = 0.8, 1.0, 1.25   # times that width: it looks thrice; with one look, trainings imagined columns in NiO (F1 0.69 once)
SURROUND = 8       # widths over which the image is brought to mean 0 and standard deviation 1
NORMAL = 1.4826    # standard deviation of normally distributed numbers, in medians of their absolute values
LEAST_USUAL = 0.1  # of the standard deviation: what deviates usually, in an image that is mostly empty
CROP = 64          # pixels across a training example
DOT = 1.1          # pixels: standard deviation of the dot that it should answer a column with; wider ones run together in
                   # dumbbells, whose columns are two widths apart
DOT_REACH = 4      # pixels: how far the dot is drawn
STRIP = 512        # rows that are looked at together in a large image
OVERLAP = 48       # rows by which such strips overlap: no answer depends on what is further away
SMALLEST = 16      # pixels along an edge of what the network sees, however coarse the image
FINE, MIDDLE, COARSE = 8, 16, 24   # channels at full, half and quarter size
RARE = -3.0        # logit with which every pixel starts, a probability of 5 %: most pixels are no column
FASTEST = 2e-2     # learning rate at its highest: batch normalisation bears it
COLUMNS_WEIGH = 4.0   # times as much as the dark, of which there is more
MISJUDGED = 0.15   # standard deviation of the logarithm of the width, in training: it is measured, and never quite right
BATCH = 16         # training examples a step


class ColumnNetwork(nn.Module):
    """A U-Net of three sizes: standardised images (n, 2, h, w), h and w multiples of 4 → logits (n, 1, h, w).

    Ronneberger et al., MICCAI 2015, 234–241, with a tenth of its layers; 29,000 weights.
    seed   of the initial weights
    reach  widths of a column within which its answer has one maximum: columns of a dumbbell are two of them apart
    """

    reach = 1.0

    def __init__(self, seed=0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_count("seed", seed, 0))
            self.fine = nn.Sequential(_convolution(2, FINE), _convolution(FINE, FINE))                             # h×w
            self.middle = nn.Sequential(nn.AvgPool2d(2), _convolution(FINE, MIDDLE), _convolution(MIDDLE, MIDDLE))   # h/2×w/2
            self.coarse = nn.Sequential(nn.AvgPool2d(2), _convolution(MIDDLE, COARSE), _convolution(COARSE, COARSE),   # h/4×w/4
                                        _convolution(COARSE, COARSE, 2), _convolution(COARSE, MIDDLE), _doubled())   # h/2×w/2
            self.up = nn.Sequential(_convolution(2 * MIDDLE, MIDDLE), _convolution(MIDDLE, FINE), _doubled())      # h×w
            self.head = nn.Sequential(_convolution(2 * FINE, FINE), nn.Conv2d(FINE, 1, 1))
        nn.init.constant_(self.head[-1].bias, RARE)
        self.learnt = False

    def forward(self, seen):
        fine = self.fine(seen)
        middle = self.middle(fine)
        middle = self.up(torch.cat([middle, self.coarse(middle)], 1))
        return self.head(torch.cat([fine, middle], 1))

    @torch.no_grad()
    def heat(self, image, width):
        """Probability of a column at each pixel of an image (h, w) whose columns are `width` pixels wide: (h, w), 0 … 1."""
        if not self.learnt:
            raise ValueError("finder must be a trained ColumnNetwork; got one that has learnt nothing: call fit_columns first")
        agreed = torch.stack([self._log_probability(image, scale * width) for scale in SCALES]).mean(0)
        return torch.exp(agreed).numpy()

    def _log_probability(self, image, width):
        """Logarithm of the probability of a column at each pixel of an image (h, w), looked at once: (h, w)."""
        seen = _standardised(image, width)
        height, across = seen.shape[1:]
        even = F.pad(seen[None], (0, -across % 4, 0, -height % 4), mode="replicate")
        parts = []
        for start in range(0, height, STRIP):
            above = min(start, OVERLAP)
            part = even[:, :, start - above:start + STRIP + OVERLAP]
            parts.append(F.logsigmoid(self(part))[:, :, above:above + STRIP])
        answer = torch.cat(parts, 2)[:, :, :height, :across]
        return F.interpolate(answer, np.shape(image), mode="bilinear")[0, 0]


def fit_columns(network, micrographs, steps=350, seed=0, callback=None):
    """Train a `ColumnNetwork` on simulated `Micrograph`s, whose truth says where the columns are.  Returns the losses.

    Each step takes 16 pieces of 64×64 pixels from anywhere in the images, mirrored and turned by quarters at random.  Images
    that `measure_scale` can make nothing of are left out.
    callback  called with (step, loss) after each step
    """
    check_count("steps", steps)
    rng = np.random.default_rng(check_count("seed", seed, 0))
    examples = _examples(micrographs, rng)
    weight = torch.tensor(COLUMNS_WEIGH)
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, FASTEST, total_steps=steps)
    losses = []
    network.train()
    try:
        for step in range(1, steps + 1):
            chosen = rng.integers(len(examples), size=BATCH)
            batch = torch.stack([_piece(examples[number], rng) for number in chosen])       # (16, 3, 64, 64)
            loss = F.binary_cross_entropy_with_logits(network(batch[:, :2]), batch[:, 2:], pos_weight=weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            network.learnt = True
            if callback is not None:
                callback(step, losses[-1])
    finally:   # a training that is stopped has learnt something, too
        network.eval()
    return np.array(losses)


def _convolution(inputs, outputs, dilation=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
                         nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1))


def _doubled():
    return nn.Upsample(scale_factor=2, mode="bilinear")


def _standardised(image, width):
    """What the network sees of an image (h, w), at its own scale: tensor (2, h', w').

    Deviations from the surroundings, in units of what is usual, whose logarithm is taken where they are large (asinh), so that
    one heavy atom does not dim all others; first with the standard deviation brought to 1 everywhere, then as they are.
    """
    size = [max(SMALLEST, round(length * STANDARD / width)) for length in np.shape(image)]
    scaled = F.interpolate(torch.from_numpy(np.array(image, np.float32))[None, None], size, mode="bilinear", antialias=True)
    centred = _centred(scaled[0, 0].numpy())
    usual = max(NORMAL * np.median(np.abs(centred)), LEAST_USUAL * centred.std(), 1e-12)
    compressed = np.arcsinh(centred / usual)
    even = _centred(compressed)
    even /= np.sqrt(gaussian_filter(even**2, SURROUND * STANDARD) + 1e-12)
    return torch.from_numpy(np.stack([even, compressed]))


def _centred(image):
    return image - gaussian_filter(image, SURROUND * STANDARD)


# ---------------------------------------------------------------------- what it learns from

def _examples(micrographs, rng):
    """An example (3, h', w') of each micrograph that shows a scale."""
    if not len(micrographs) or any(micrograph.truth is None for micrograph in micrographs):
        raise ValueError("micrographs must be simulated ones, at least one, whose truth says where the columns are")
    examples = []
    for micrograph in micrographs:
        try:
            width = measure_scale(micrograph.image).width
        except ValueError:      # nor will anyone find columns in such an image
            continue
        examples.append(_example(micrograph, width * np.exp(MISJUDGED * rng.standard_normal())))
    if not examples:
        raise ValueError(f"micrographs must show columns; measure_scale finds no scale in any of the {len(micrographs)}")
    return examples


def _example(micrograph, width):
    """What the network sees of a micrograph and what it should say, (3, h', w'): a soft dot at each visible column."""
    seen = _standardised(micrograph.image, width)
    factor = np.array(seen.shape[:0:-1]) / micrograph.image.shape[::-1]
    position = (micrograph.truth[micrograph.truth.visible].position + 0.5) * factor - 0.5   # a pixel's middle is its place
    return torch.cat([seen, torch.from_numpy(_dots(position, seen.shape[1:]))[None]])


def _dots(position, shape):
    """An image of `shape` with a Gaussian of height 1 and width `DOT` at each position (n, 2), the highest where they meet."""
    dots, window = np.zeros(shape, np.float32), np.arange(-DOT_REACH, DOT_REACH + 1)
    for middle_x, middle_y in position:
        x, y = round(middle_x) + window, round(middle_y) + window
        x, y = x[(x >= 0) & (x < shape[1])], y[(y >= 0) & (y < shape[0])]
        dot = np.exp(-((y[:, None] - middle_y) ** 2 + (x - middle_x) ** 2) / (2 * DOT**2))
        there = np.ix_(y, x)
        dots[there] = np.maximum(dots[there], dot)
    return dots


def _piece(example, rng):
    """A random piece of an example, (3, CROP, CROP), mirrored and turned by quarters at random."""
    height, across = example.shape[1:]
    top, left = rng.integers(max(1, height - CROP + 1)), rng.integers(max(1, across - CROP + 1))
    piece = example[:, top:top + CROP, left:left + CROP]
    piece = F.pad(piece[None], (0, CROP - piece.shape[2], 0, CROP - piece.shape[1]), mode="replicate")[0]
    piece = torch.rot90(piece, int(rng.integers(4)), (1, 2))
    return piece.flip(2) if rng.integers(2) else piece
