"""Images of atoms, simulated with their truth or a user's own, and what is cut from them.  In reading order:

    lattices, crystals   where columns of atoms stand;  microscope: the image of them
    micrographs, readers images from either source, one record for both;  files of strangers
    atomic_columns       columns found in an image, and scored;  segmentation: by a network (the one module that needs torch)
    patches              small pieces of images, each remembering where it came from
"""
from cardslib.microscopy.atomic_columns import find_columns, measure_scale, refine, score_columns
from cardslib.microscopy.crystals import PHASES, ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.micrographs import Micrograph, open_image
from cardslib.microscopy.microscope import practice, scan
from cardslib.microscopy.patches import column_patches, grid_patches

__all__ = ["PHASES", "Micrograph", "column_patches", "ferroelectric", "find_columns", "grid_patches", "measure_scale",
           "nio_lsmo", "open_image", "practice", "refine", "scan", "score_columns", "single_crystal"]
