"""Variational autoencoders of images.  In reading order:

    vae        the model, in the order in which an image passes through it: encode, sample, decode
    elbo       the evidence lower bound, term by term;  guide: what is maximised beside it while a model learns
    pose       rotation, shift, scale and shear as latent variables: priors, divergences, what an encoder says of them
    latents    what a model says about images, by name;  networks: the layers
    arguments  what users pass, checked;  storage: models on disk
"""
from cardslib.models.latents import ELBO, Latents, latent_grid
from cardslib.models.pose import Pose
from cardslib.models.vae import VAE

__all__ = ["ELBO", "VAE", "Latents", "Pose", "latent_grid"]
