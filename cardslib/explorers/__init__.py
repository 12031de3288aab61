"""Sliders beside pictures, drawn in the page; a reader of the models may skip this folder whole.  In reading order:

    images      the cards in any pose; reconstructions beside their originals; one of several pictures
    latent      travels in a latent space, its grid, one style in every class;  decoder: what these share
    micrograph  columns of atoms and patches
    spectrum    a pixel's spectrum, and what a model makes of it;  scan: what the page holds of them
    live        a training to watch, to pause and to stop
    widget      an explorer in a notebook;  sliders: how they are made;  rerun: running a cell again
    weights     decoders made small enough for a page;  packing: numbers on their way there;  html: a page of its own
    js/         what the page does, in JavaScript: short files that `html` joins
"""
from cardslib.explorers.images import CardExplorer, PictureExplorer, ReconstructionExplorer
from cardslib.explorers.latent import LatentExplorer, ManifoldExplorer, StyleExplorer
from cardslib.explorers.live import LiveTraining
from cardslib.explorers.micrograph import ColumnExplorer, PatchExplorer
from cardslib.explorers.spectrum import SpectrumExplorer

__all__ = ["CardExplorer", "ColumnExplorer", "LatentExplorer", "LiveTraining", "ManifoldExplorer", "PatchExplorer",
           "PictureExplorer", "ReconstructionExplorer", "SpectrumExplorer", "StyleExplorer"]
