"""The course's figures: functions that take arrays and return the figure, each with its alt text.  In reading order:

    style            a figure that shows itself; colours, and parts of figures, drawn on axes
    wrapping         titles and labels broken into lines, so that no word is cut off
    scale_bars       how long a round length is in an image
    drawings         what a text describes, drawn: an autoencoder, a VAE
    plots            images, latent spaces, trainings, curves
    maps             what was found of each column of atoms, drawn where it stands
    vector_maps      a vector at each column of atoms, as an arrow
    spectrum_images  curves against the energy, and maps over a spectrum image
"""
from cardslib.figures.drawings import autoencoder_drawing
from cardslib.figures.maps import Map, against_truth, column_maps, found_columns, labelled_image, overview
from cardslib.figures.plots import (
    cards_study,
    curves,
    distributions,
    encoded_against_true,
    examples,
    latent_distribution,
    latent_representation,
    loss_by_term,
    representations,
    rows_of_images,
    training_view,
)
from cardslib.figures.spectrum_images import group_maps, pixel_maps, spectra
from cardslib.figures.style import Figure, enlargement, mosaic
from cardslib.figures.vector_maps import arrows

__all__ = ["Figure", "Map", "against_truth", "arrows", "autoencoder_drawing", "cards_study", "column_maps", "curves",
           "distributions", "encoded_against_true", "enlargement", "examples", "found_columns", "group_maps",
           "labelled_image", "latent_distribution", "latent_representation", "loss_by_term", "mosaic", "overview",
           "pixel_maps", "representations", "rows_of_images", "spectra", "training_view"]
