"""Lecture 9 over several seeds: drift, abundances and error bars of a shift-VAE, beside a fit without a network and the bound.

    python tests/benchmarks/spectra.py [--seeds 5] [--counts 30 100 300]

Prints of each dose the mean over the seeds and, after ±, their standard deviation.  One zero an end member is a gauge that no
spectrum fixes: errors are given as they are, after two lines of a textbook have fixed it (no look at the truth), and with the
zeros taken out.  About half a minute for each seed and dose, on one thread.
"""
import argparse
import time

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import nnls
from sklearn.decomposition import PCA

from cardslib.metrics import coverage, readable, z_spread
from cardslib.models import VAE, Pose
from cardslib.spectroscopy import correct_drift, nio_lsmo_spectra
from cardslib.training import fit

TEXTBOOK = {"NiO": 855.0, "manganite": 832.0}   # eV: Ni L₃ and La M₅
SPREAD = 1.5                                    # eV, of the drift: simulated, and the width of its prior


def bound(truth, energy):
    """Standard deviation of any unbiased estimate of a spectrum's drift (eV), amounts unknown, root mean square over pixels."""
    slope = CubicSpline(energy, truth.spectra, axis=1)(energy, 1)
    amounts = (truth.thickness[..., None] * truth.abundances).reshape(-1, 3)[::16]
    variances = []
    for amount in amounts:
        derivatives = np.vstack([truth.spectra, -amount @ slope])                       # (4, channels)
        variances.append(np.linalg.inv(derivatives / (amount @ truth.spectra) @ derivatives.T)[3, 3])
    return np.sqrt(np.mean(variances))


def peak(energy, spectrum, near):
    """Place of a line, eV: the vertex of the parabola through the logarithms of the highest channel near it and of its two
    neighbours."""
    highest = np.argmax(np.where(np.abs(energy - near) < 5, spectrum, 0))
    a, b, c = np.log(spectrum[highest - 1:highest + 2])
    return energy[highest] + (energy[1] - energy[0]) * (a - c) / (2 * (a - 2 * b + c))


def textbook_zero(model, content, energy):
    """By how much each pixel's spectrum is drawn too high, eV (n,): from a line of nickel and one of lanthanum."""
    drawn = model.decode(content)
    nickel = drawn[:, np.abs(energy - TEXTBOOK["NiO"]) < 2].sum(1) / drawn[:, np.abs(energy - TEXTBOOK["manganite"]) < 2].sum(1)
    oxide, manganite = drawn[nickel > np.quantile(nickel, 0.95)].mean(0), drawn[nickel < np.quantile(nickel, 0.5)].mean(0)
    high = [peak(energy, oxide, TEXTBOOK["NiO"]) - TEXTBOOK["NiO"],
            peak(energy, manganite, TEXTBOOK["manganite"]) - TEXTBOOK["manganite"]]
    parts = np.array([nnls(np.column_stack([oxide, manganite]), spectrum)[0] for spectrum in drawn])
    return parts / parts.sum(1, keepdims=True) @ high


def without_zeros(error, share):
    return error - share @ np.linalg.lstsq(share, error, rcond=None)[0]


def measure(seed, counts):
    """{what: number} of one seed."""
    image = nio_lsmo_spectra(counts=counts, drift=SPREAD, seed=seed)
    energy, spectra, truth = image.energy, image.spectra, image.truth
    share, drift = truth.abundances.reshape(-1, 3).astype(float), truth.drift.ravel()
    half = len(energy) * image.dispersion / 2
    begun = time.perf_counter()
    model = VAE((len(energy),), content=3, pose=Pose(shift=SPREAD / half), likelihood="poisson", seed=seed)
    fit(model, spectra, seed=seed, progress=False)
    trained = time.perf_counter()
    latents = model.refine(spectra)
    refined = time.perf_counter()
    aligned, by_hand = correct_drift(spectra)
    corrected = time.perf_counter()
    found, sd = latents.shift[:, 0] * half, latents.shift_sd * half
    rest = without_zeros(found - drift, share)
    even = aligned / aligned.mean(1, keepdims=True)
    scores = PCA(2, random_state=0).fit_transform(even / np.sqrt(even.mean(0)))
    hand = by_hand * image.dispersion - drift
    return {"bound of the drift (eV)": bound(truth, energy),
            "shift-VAE: drift, as found (eV)": np.std(found - drift),
            "   zeros from the textbook": np.std(found + textbook_zero(model, latents.content, energy) - drift),
            "   zeros taken out": rest.std(),
            "   SD of the z-scores": z_spread(rest, sd, np.zeros(len(rest))),
            "   coverage of 95 %": coverage(rest, sd, np.zeros(len(rest))),
            "   content → drift (R²)": readable(latents.content, drift),
            **{f"   content → {name} (R²)": readable(latents.content, of) for name, of in zip(truth.names, share.T)},
            "   seconds to train": trained - begun, "   seconds to refine": refined - trained,
            "without a network: drift, as found (eV)": hand.std(), "   zeros taken out ": without_zeros(hand, share).std(),
            **{f"   PCA → {name} (R²)": readable(scores, of) for name, of in zip(truth.names, share.T)},
            "   seconds": corrected - refined}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--counts", type=float, nargs="*", default=[30, 100, 300], help="electrons a channel")
    arguments = parser.parse_args()
    for counts in arguments.counts:
        runs = [measure(seed, counts) for seed in range(arguments.seeds)]
        print(f"\n{counts:g} electrons a channel, {arguments.seeds} seeds")
        for name in runs[0]:
            values = [run[name] for run in runs]
            print(f"{name:42}{np.mean(values):9.3f} ± {np.std(values):.3f}", flush=True)


if __name__ == "__main__":
    main()
