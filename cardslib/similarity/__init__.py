"""Which images are alike, before any model has seen them.  In reading order:

    neighbours  the similarity graph: each image's nearest neighbours, and the turn and strain that carry it onto them
    spectra     the same of spectra, as they stand, once most of their noise is left out
    alignment   turns and strains added up along the graph: how each image lies, relative to the others
    clustering  the graph cut into groups, or labels spread along it: which images belong together
"""
from cardslib.similarity.alignment import Alignment, align, align_graph
from cardslib.similarity.clustering import UNKNOWN, cluster
from cardslib.similarity.neighbours import Graph, similarity_graph
from cardslib.similarity.spectra import spectra_graph

__all__ = ["UNKNOWN", "Alignment", "Graph", "align", "align_graph", "cluster", "similarity_graph",
           "spectra_graph"]
