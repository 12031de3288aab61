"""Hot pixels, dead ones and streaks of a detector: what is sharper than any column of atoms is none, and is taken out."""
import numpy as np
from scipy.ndimage import uniform_filter

from cardslib.microscopy.image_scale import measure_noise

STANDS_OUT = 6       # standard deviations of the noise, beside the mean of the eight pixels about it: these are looked at
CLEARLY = 8          # ... and beside the median of the 24 about it: that is no noise,
SCATTER = 8          # times the median way of these 24 from their median: nor the noise that there is where it is bright
SHARE = 0.4          # of its height, which a neighbour has if both are of one column, 0.8 pixels wide or wider
FEWEST = 3           # neighbours that have it, of eight: in a streak along a line there are two


def without_blemishes(image):
    """An image (h, w) with the median of the 24 pixels about them in place of those that are brighter or darker than noise
    allows, but with no more than two neighbours likewise (compare van Dokkum, PASP 113, 2001, 1420–1427).

    Those in the outermost two lines are left as they are: no column is found there.
    """
    noise = measure_noise(image)
    beside = (9 * uniform_filter(image, 3, mode="reflect") - image) / 8
    y, x = np.nonzero(np.abs(image - beside)[2:-2, 2:-2] > STANDS_OUT * noise)
    if not len(y):
        return image
    y, x = y + 2, x + 2
    steps = np.indices((5, 5)).reshape(2, -1) - 2
    squares = image[y[:, None] + steps[0], x[:, None] + steps[1]]                      # (m, 25) pixels about each
    others = np.delete(squares, 12, 1)
    median = np.median(others, 1)
    allowed = np.maximum(CLEARLY * noise, SCATTER * np.median(np.abs(others - median[:, None]), 1))
    height = (squares - median[:, None]).reshape(-1, 5, 5)[:, 1:4, 1:4].reshape(-1, 9)  # (m, 9), its own in the middle
    own = height[:, [4]]
    alike = (np.sign(own) * height > SHARE * np.abs(own)).sum(1) - 1
    blemish = (np.abs(own[:, 0]) > allowed) & (alike < FEWEST)
    cleaned = image.copy()
    cleaned[y[blemish], x[blemish]] = median[blemish]
    return cleaned
