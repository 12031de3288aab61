"""Which column stands where in the cell: the sublattices of a crystal, found, named, and taken out of an image.

Where the lattice lies about each column is read off the phases of two of its waves, as in geometric phase analysis (Hÿtch,
Snoeck & Kilaas, Ultramicroscopy 74, 1998, 131–146), but of the columns' places and not of pixels: it may bend, and columns
may be missing, for nothing is counted from one column to the next.  What is left of a column's place beside the lattice is
its place in the cell, and columns of one sublattice share it.
"""
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from cardslib.microscopy.gaussian_fit import drawn
from cardslib.microscopy.image_scale import check_image
from cardslib.microscopy.primitive_cell import checked_columns, lattice_vectors, nearest_distance
from cardslib.records import Record

AROUND = 1.0        # times the mean length of a and b: standard deviation of the weights with which the columns around count
FURTHEST = 3        # ... standard deviations: who is further weighs nothing
COHERENT = 0.4      # of the usual coherence: with less, the columns around are of another phase, or of none
SUMMED_TOGETHER = 4096    # columns: bounds the memory
GRID = 64           # points of the cell along each edge, on which columns are counted
BLUR = 0.2          # of the way to the nearest neighbour: standard deviation of that count
APART = 0.3         # ... between two peaks of it, at the least, along a and b
ASTRAY = 0.4        # ... from the place of its sublattice, at most, for a column of it
FEWEST = 0.1        # of the columns of the largest sublattice: fewer are none
MOST_OF_NONE = 0.3  # of the columns, if vectors are right: of LSMO with pillars of NiO, 0.24 were of no sublattice; with a
                    # twice as long as need be, 0.35 or more in the simulated crystals that were tried


@dataclass(frozen=True)
class Lattice:
    """A lattice, and the places of its sublattices in the cell.

    vectors  (2, 2) a and b as rows, x and y in pixels: of the average cell (`lattice_vectors`)
    places   (k, 2) as shares of a and b, within -½ … ½; the first is (0, 0)
    names    (k,) text: "A" for the brightest sublattice, "B", …
    """

    vectors: np.ndarray
    places: np.ndarray
    names: tuple

    def number(self, name):
        """Which sublattice has this name, counted from 0; a ValueError if none has."""
        if name not in self.names:
            raise ValueError(f"the name of a sublattice must be one of {', '.join(self.names)}; got {name!r}")
        return self.names.index(name)


@dataclass(frozen=True)
class Sublattices(Record):
    """To which sublattice each of n columns belongs; index it to get fewer.

    position  (n, 2) of the columns, x and y in pixels
    label     (n,) int64: index into names; -1 for a column that belongs to none
    place     (n, 2) in the cell beside the place of "A", as shares of a and b, within -½ … ½
    lattice   the `Lattice`
    """

    position: np.ndarray
    label: np.ndarray
    place: np.ndarray
    lattice: Lattice

    @property
    def names(self):
        """Of the sublattices, the brightest first."""
        return self.lattice.names

    def of(self, name):
        """(n,) bool: the columns of a sublattice, such as "A"."""
        return self.label == self.lattice.number(name)


def find_sublattices(columns, vectors=None):
    """The `Sublattices` of columns, named "A", "B", … from the brightest (median amplitude) to the faintest.

    columns  `Columns` of one crystal, or anything with position (n, 2) in pixels and amplitude (n,)
    vectors  a and b of the primitive cell, (2, 2), rows, pixels; by default `lattice_vectors(columns)`

    Columns in the same place of the cell are of one sublattice, even if each is displaced by up to a fifth of the way to its
    neighbour.  Brightness decides what the cell is, so that the two sites of a centred perovskite are told apart, and the order
    of the names; of two that are equally bright (graphene, silicon), which is "A" is left to chance.  The lattice may bend by
    ±10° or so.  Columns of another phase, of a grain that is turned by more, or where two sublattices are equally bright that
    elsewhere are not, are labelled -1: give them alone.  Raises ValueError where, with vectors that are given, 30 % or more
    would be: then they are hardly those of the primitive cell.
    """
    position, amplitude = checked_columns(columns)
    given = vectors is not None
    vectors = _checked_vectors(vectors) if given else lattice_vectors(columns)
    nearest = nearest_distance(cKDTree(position))
    place, coherent = _places_in_cell(position, amplitude, vectors)
    sites = _sites(place[coherent], vectors, nearest)
    label = np.where(coherent, _nearest_site(place, sites, vectors, ASTRAY * nearest), -1)
    label, count = _brightest_first(label, amplitude)
    _check_labels(label, MOST_OF_NONE if given else 1)
    sites = np.array([_mean_place(place[label == number]) for number in range(count)])
    lattice = Lattice(vectors, wrap_cell(sites - sites[:1]), tuple(ascii_uppercase[:count]))
    return Sublattices(position, label, wrap_cell(place - sites[0]), lattice)


def without_columns(image, columns):
    """The image (h, w), in [0, 1], without the Gaussians of these `Columns`: what is left shows fainter ones.

        find_columns(without_columns(image, columns), scale=columns.scale)

    Where a Gaussian was brighter than the image, 0 is left.
    """
    image = check_image(image)
    checked_columns(columns, fewest=0)
    return np.maximum(image - drawn(image.shape, columns), 0).astype(np.float32)


# ---------------------------------------------------------------------- where in the cell

def _places_in_cell(position, amplitude, vectors):
    """Places of columns in the cell as shares of a and b, (n, 2), and where the lattice about them is seen at all, (n,).

    The phase of a wave of the lattice at a column is that of the sum Σ amplitude² exp(2πi f) over the columns around, f their
    places in units of a or b.  The square makes the bright sublattice count, even where the faint one is nearly as bright.
    """
    in_cells = position @ np.linalg.inv(vectors)                                        # (n, 2)
    weighted = amplitude[:, None] ** 2 * np.column_stack([np.exp(2j * np.pi * in_cells), np.ones(len(position))])
    sums = _smoothed(position, weighted, AROUND * np.hypot(*vectors.T).mean())          # (n, 3)
    waves, all_light = sums[:, :2], sums[:, 2:].real
    coherence = (np.abs(waves) / all_light).min(1)
    return wrap_cell(in_cells - np.angle(waves) / (2 * np.pi)), coherence > COHERENT * np.quantile(coherence, 0.75)


def _smoothed(position, values, width):
    """Sums (n, m) of the values (n, m) of the columns around each, with Gaussian weights of standard deviation `width`."""
    tree, sums = cKDTree(position), []
    for start in range(0, len(position), SUMMED_TOGETHER):
        part = cKDTree(position[start:start + SUMMED_TOGETHER])
        weight = part.sparse_distance_matrix(tree, FURTHEST * width, output_type="coo_matrix")
        weight.data = np.exp(-(weight.data / width) ** 2 / 2)
        sums.append(weight @ values)
    return np.concatenate(sums)


def wrap_cell(place):
    """The same places within -½ … ½."""
    return (place + 0.5) % 1 - 0.5


def _sites(place, vectors, nearest):
    """Places (k, 2) in the cell about which columns crowd, from those of m columns, (m, 2)."""
    count, *_ = np.histogram2d(*wrap_cell(place).T, GRID, ((-0.5, 0.5), (-0.5, 0.5)))
    smooth = _blurred(count, vectors, BLUR * nearest)
    reach = np.ceil(APART * nearest * np.hypot(*np.linalg.inv(vectors)) * GRID)  # of a box about a disc, along a and b
    top = (smooth == maximum_filter(smooth, 2 * reach.astype(int) + 1, mode="wrap")) & (smooth > FEWEST * smooth.max())
    return (np.argwhere(top) + 0.5) / GRID - 0.5


def _blurred(count, vectors, width):
    """Counts on the cell (GRID, GRID) under a Gaussian of standard deviation `width`, pixels of the image."""
    numbers = np.stack(np.meshgrid(*[np.fft.fftfreq(GRID, 1 / GRID)] * 2, indexing="ij"), -1)
    waves = np.hypot(*np.moveaxis(numbers @ np.linalg.inv(vectors).T, -1, 0))           # (GRID, GRID) periods a pixel
    return np.fft.ifft2(np.fft.fft2(count) * np.exp(-2 * (np.pi * width * waves) ** 2)).real


def _nearest_site(place, sites, vectors, reach):
    """Which site (k, 2) each place (n, 2) is nearest to, (n,) int64, -1 where it is further away than `reach` pixels."""
    distance = np.linalg.norm(wrap_cell(place[:, None] - sites) @ vectors, axis=-1)     # (n, k)
    return np.where(distance.min(1) < reach, distance.argmin(1), -1)


def _brightest_first(label, amplitude):
    """Labels (n,) numbered by the brightness of their columns, -1 for those that hardly any column has; and their number."""
    number = np.bincount(label[label >= 0], minlength=1)
    kept = np.flatnonzero(number >= max(1, FEWEST * number.max()))
    if len(kept) > len(ascii_uppercase):
        raise ValueError(f"vectors must span a cell of at most {len(ascii_uppercase)} columns; got one of {len(kept)}: use "
                         f"lattice_vectors(columns)")
    order = kept[np.argsort([-np.median(amplitude[label == site]) for site in kept])]
    new = np.full(len(number) + 1, -1)                                                  # the last is that of label -1
    new[order] = np.arange(len(order))
    return new[label], len(order)


def _check_labels(label, most):
    """A ValueError where a share `most` of the columns or more have label -1."""
    share = (label < 0).mean()
    if share >= most:
        raise ValueError(f"vectors must be those of the primitive cell, in pixels; {share:.0%} of the columns stand in no "
                         f"place of the cell they span: leave them out, or use lattice_vectors(columns)")


def _mean_place(place):
    """The mean (2,) of places (m, 2) in the cell that are near one another, across its border too."""
    return np.angle(np.exp(2j * np.pi * place).mean(0)) / (2 * np.pi)


def _checked_vectors(vectors):
    vectors = np.asarray(vectors, float)
    if vectors.shape != (2, 2) or not np.isfinite(vectors).all() or np.linalg.matrix_rank(vectors) < 2:
        raise ValueError(f"vectors must be (2, 2), a and b as rows, x and y in pixels, not along one line; got {vectors}")
    return vectors
