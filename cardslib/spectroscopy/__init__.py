"""Spectra at every pixel of a scan, simulated with their truth or a user's own.  In reading order:

    spectra     one record for spectra from either source;  files of strangers
    edges       what an energy-loss spectrum is made of;  simulation: NiO pillars in LSMO, whose energy scale wanders
    drift       taken out of spectra before any model sees them
    unmixing    end members and abundances by Bayesian linear unmixing
"""
from cardslib.spectroscopy.drift import correct_drift
from cardslib.spectroscopy.simulation import nio_lsmo_spectra
from cardslib.spectroscopy.spectra import SpectraTruth, SpectrumImage, open_spectra
from cardslib.spectroscopy.unmixing import Unmixed, blu

__all__ = ["SpectraTruth", "SpectrumImage", "Unmixed", "blu", "correct_drift", "nio_lsmo_spectra", "open_spectra"]
