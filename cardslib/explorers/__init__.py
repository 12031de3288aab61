"""Sliders beside pictures, drawn in the page; a reader of the models may skip this folder whole.  In reading order:

    images      the cards in any pose; reconstructions;  latent: travels in the latent space;  micrograph: columns and patches
    live        a training to watch, to pause and to stop
    widget      the canvas and its sliders, in a notebook;  html: in a page of its own
    weights     decoders made small enough for a page;  js/: what the page does, in JavaScript
"""
from cardslib.explorers.images import CardExplorer, ReconstructionExplorer
from cardslib.explorers.latent import LatentExplorer, ManifoldExplorer, StyleExplorer
from cardslib.explorers.live import LiveTraining
from cardslib.explorers.micrograph import ColumnExplorer, PatchExplorer

__all__ = ["CardExplorer", "ColumnExplorer", "LatentExplorer", "LiveTraining", "ManifoldExplorer", "PatchExplorer",
           "ReconstructionExplorer", "StyleExplorer"]
