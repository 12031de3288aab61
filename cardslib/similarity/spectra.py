"""Which spectra are alike?  Their similarity graph: spectra are mostly noise until they are projected onto what they share.

Jolliffe, Principal component analysis, 2002; Gavish & Donoho, The optimal hard threshold for singular values is 4/√3, 2014 (how
many components stand out of the noise); Simard, LeCun & Denker, Efficient pattern recognition using a new transformation
distance, 1993 (a distance in which brightness and a small shift do not count).
"""
import numpy as np
import torch

from cardslib.similarity.neighbours import JOINS, NEIGHBOURS, Graph, Pairs, closest, node_order
from cardslib.validation import check_values

BRIGHT = 0.1   # of a spectrum's distance from the mean spectrum: a mean shorter than this is one of values about zero


def spectra_graph(spectra, shift=False, first=None):
    """The similarity `Graph` of spectra (n, channels), n ≥ 2, as they stand; ValueError for anything else.

    spectra  every channel counted from zero and equally noisy: counts are divided by the root of the mean spectrum (Keenan &
             Kotula, Accounting for Poisson noise in the multivariate analysis of ToF-SIMS spectrum images, 2004)
    shift    True: a small shift along the channels does not count
    first    (n,) bool: the spectra that are to be nodes before others are; the rest are drawn by lot

    How bright a spectrum is (thickness, dose) does not count either.  Spectra are not registered: its pairs have no matrix.
    """
    spectra = torch.from_numpy(check_values(spectra, np.shape(spectra)[-1:], "spectra"))
    if len(spectra) < 2:
        raise ValueError("spectra must be at least two, to be compared with one another; got one")
    order, nodes = node_order(len(spectra), first)
    scores = _leading_components(_without_tangents(spectra[order], shift), nodes)
    edges = _nearest(scores[:nodes], scores[:nodes], NEIGHBOURS, skip_self=True)
    joins = _nearest(scores[nodes:], scores[:nodes], JOINS) if nodes < len(spectra) else None
    return Graph(order, None, edges, joins)


def _without_tangents(spectra, shift):
    """Spectra about their mean, without the directions in which the mean moves if it grows brighter or is shifted a little."""
    mean = spectra.mean(0)
    centred = spectra - mean
    if mean.norm() <= BRIGHT * centred.norm(dim=1).mean():
        return centred
    tangents = [mean, *torch.gradient(mean)] if shift and len(mean) > 1 else [mean]
    basis = torch.linalg.qr(torch.stack(tangents, 1)).Q                           # (channels, tangents), orthonormal
    return centred - centred @ basis @ basis.T


def _leading_components(centred, nodes):
    """Scores of the principal components of the nodes that stand out of the noise, of all spectra: (n, channels) → (n, k).

    They are those above 4/√3 and more times the median singular value (Gavish & Donoho, equation 5), the first at least.
    """
    _, singular, components = torch.linalg.svd(centred[:nodes], full_matrices=False)
    ratio = min(nodes, centred.shape[1]) / max(nodes, centred.shape[1])
    threshold = (0.56 * ratio**3 - 0.95 * ratio**2 + 1.82 * ratio + 1.43) * singular.median()
    count = max(1, int((singular > threshold).sum()))
    return centred @ components[:count].T


def _nearest(scores, others, count, skip_self=False):
    """`Pairs` of points (n, k) with the `count` others that are nearest."""
    neighbour = closest(scores, others, min(count, len(others) - skip_self), skip_self)
    distance = (scores[:, None] - others[neighbour]).square().sum(2)
    distance, nearest_first = distance.sort(1)
    return Pairs(neighbour.gather(1, nearest_first).numpy(), distance.double().numpy(), None)
