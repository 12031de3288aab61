"""Is a column part of a crystal?  It is, if another one near it has its neighbours in the same places."""
import numpy as np
from scipy.spatial import cKDTree

NEIGHBOURS = 8      # of a column, whose places are compared
CANDIDATES = 12     # columns near it, one of which should be alike
ASTRAY = 0.2        # of the way to the nearest neighbour: who is further from where a neighbour should be is none
SMOOTHED = 6        # neighbours, over which and the column itself the median is taken: a crystal is no matter of one column


def local_order(position):
    """How well the neighbourhood of each of n columns repeats near it, (n,) from 0 to 1; position (n, 2), x and y in pixels.

    The vectors to its eight nearest neighbours are put to each of the twelve columns about it: the largest share of them at
    whose end there is a column, too; then the median with the six nearest.  In a crystal it is 1, whatever its cell, and
    however it is turned; among columns that stand at random it is 0.2 to 0.4, by chance.  With 12 columns or fewer it is 0.
    """
    position = np.asarray(position, float).reshape(-1, 2)
    if len(position) <= CANDIDATES:
        return np.zeros(len(position))
    tree = cKDTree(position)
    distance, near = tree.query(position, CANDIDATES + 1)                               # each is its own nearest
    vectors = position[near[:, 1:NEIGHBOURS + 1]] - position[:, None]                   # (n, neighbours, 2)
    expected = position[near[:, 1:], None] + vectors[:, None]                           # (n, candidates, neighbours, 2)
    away, _ = tree.query(expected.reshape(-1, 2))
    there = away.reshape(expected.shape[:3]) < ASTRAY * distance[:, 1, None, None]
    return np.median(there.mean(2).max(1)[near[:, :SMOOTHED + 1]], 1)
