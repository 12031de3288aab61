"""Scores: how well latents know the true factors, and whether what is said can be believed.  In reading order:

    factors          one latent against one factor: correlations, the error of an angle
    labels           labels in the latent space, and clusters against labels
    disentanglement  how cleanly each latent keeps to one factor: MIG, SAP, DCI
    calibration      are stated standard deviations those of the errors?
    mixtures         end members and abundances of spectra
    arguments        what users pass, checked

All take arrays: latents (n, c), a factor (n,), labels (n,) whole numbers.
"""
from cardslib.metrics.calibration import coverage, z_scores, z_spread
from cardslib.metrics.disentanglement import dci, mig, readable, sap
from cardslib.metrics.factors import (
    angle_error,
    angle_errors,
    circular_correlation,
    circular_linear_correlation,
    rank_correlation,
    rank_correlation_within,
)
from cardslib.metrics.labels import cluster_accuracy, label_information, matched_accuracy, probe_accuracy
from cardslib.metrics.mixtures import (
    abundance_r2,
    abundance_rmse,
    matching_abundances,
    matching_spectra,
    spectral_angles,
)

__all__ = ["abundance_r2", "abundance_rmse", "angle_error", "angle_errors", "circular_correlation",
           "circular_linear_correlation", "cluster_accuracy", "coverage", "dci", "label_information", "matched_accuracy",
           "matching_abundances", "matching_spectra", "mig", "probe_accuracy", "rank_correlation", "rank_correlation_within",
           "readable", "sap", "spectral_angles", "z_scores", "z_spread"]
