"""Which images are alike, before any model has seen them.  In reading order:

    neighbours  the similarity graph: each image's likest neighbours, and by what turn and strain they differ
    alignment   turns added up along the graph: which way up each image is, relative to the others
    clustering  regions of the graph: which images are of a kind
"""
from cardslib.similarity.alignment import Alignment, align

__all__ = ["Alignment", "align"]
