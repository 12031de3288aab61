"""Images of atoms, simulated with their truth or a user's own, and what is cut from them.  In reading order:

    lattices, crystals         where columns of atoms stand
    readers, micrographs       files of strangers, and one record for images from either source;  microscope: images of crystals
    gain                       how many electrons a grey value stands for
    image_scale, gaussian_fit  what an image says of itself: width, period, noise;  where a column is, to a fraction of a pixel
    atomic_columns             columns found in an image, and scored;  segmentation: a network that finds them (needs torch)
    deformation                how the lattice is turned and strained, from the places of neighbours
    patches                    small pieces of images, each remembering where it came from
    precision                  how well a patch's pose can be known at all, with so many electrons
"""
from cardslib.microscopy.atomic_columns import find_columns, score_columns
from cardslib.microscopy.crystals import PHASES, ferroelectric, nio_lsmo, single_crystal
from cardslib.microscopy.deformation import local_deformation
from cardslib.microscopy.gain import measure_gain
from cardslib.microscopy.gaussian_fit import refine
from cardslib.microscopy.image_scale import measure_scale
from cardslib.microscopy.micrographs import Micrograph, open_image
from cardslib.microscopy.microscope import practice, scan
from cardslib.microscopy.patches import column_patches, grid_patches
from cardslib.microscopy.precision import pose_bound

__all__ = ["PHASES", "Micrograph", "column_patches", "ferroelectric", "find_columns", "grid_patches", "local_deformation",
           "measure_gain", "measure_scale", "nio_lsmo", "open_image", "pose_bound", "practice", "refine", "scan",
           "score_columns", "single_crystal"]
