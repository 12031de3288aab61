"""Speed and memory, each beside a baseline in the same run: `make bench` prints a table of ratios.

Every measurement runs in a process of its own, ours and the baseline in turn, several times; the table shows medians.
A ratio above 1 says how many times faster, better or smaller we are than the baseline.

    python tests/benchmarks/measure.py [--runs 3] [--json benchmarks.json]
"""
import argparse
import json
import multiprocessing
import platform
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

MEASUREMENTS = {}


def measurement(what, unit, baseline):
    """Register a function(ours: bool, seed: int) → the measured figure; smaller is better."""
    def register(function):
        MEASUREMENTS[function.__name__] = (what, unit, baseline, function)
        return function
    return register


@measurement("12,000 cards of 48×48", "s", "an upright card turned pixel by pixel (SciPy, linear)")
def cards(ours, seed):
    import numpy as np
    from scipy.ndimage import affine_transform

    from cardslib.cards import SETS, SUITS, make_cards, render
    from cardslib.geometry import pose_matrix
    rotation, shear = SETS[4]
    if ours:
        render([0, 1, 2, 3], [0] * 4, [0] * 4, np.zeros((4, 2)))   # the outlines are made once a process
        start = time.perf_counter()
        make_cards(3000, rotation, shear, seed=seed)
        return time.perf_counter() - start
    drawn = make_cards(1, 0, 0).images
    angle, shears = np.random.default_rng(seed).uniform(-1, 1, (2, 12000)) * np.radians([[rotation], [shear]])
    start = time.perf_counter()
    inverse = np.linalg.inv(pose_matrix(angle, shears))[:, ::-1, ::-1]   # (x, y) → (row, column)
    for index, matrix in enumerate(inverse):
        affine_transform(drawn[index % len(SUITS)], matrix, 23.5 - matrix @ (23.5, 23.5), order=1)
    return time.perf_counter() - start


def _train(ours, number, seed, finish):
    """Train on a card set; the baseline is the usual loop: a DataLoader, Adam at 1e-3, no start from the mean image."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from cardslib.cards import card_set
    from cardslib.models import VAE
    from cardslib.models.elbo import elbo
    from cardslib.training import fit
    images = card_set(number, seed=seed).images
    model = VAE((48, 48), seed=seed)
    start = time.perf_counter()
    if ours:
        fit(model, images, seed=seed, progress=False)
    else:
        torch.manual_seed(seed)
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        loader = DataLoader(TensorDataset(torch.from_numpy(images)), batch_size=128, shuffle=True)
        for _ in range(11):   # epochs, as many as ours
            for (batch,) in loader:
                loss = -elbo(model, batch).total.mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    seconds = time.perf_counter() - start
    return finish(model, seconds)


@measurement("VAE on Cards 4, 11 epochs", "s", "the loop of most tutorials")
def training(ours, seed):
    return _train(ours, 4, seed, lambda model, seconds: seconds)


def _bound(number):
    from cardslib.cards import card_set
    return lambda model, seconds: float(-model.elbo(card_set(number, per_suit=500, seed=1000).images).total.mean())


for _number in (1, 2, 3, 4):
    def _quality(ours, seed, number=_number):
        return _train(ours, number, seed, _bound(number))
    _quality.__name__ = f"bound_{_number}"
    measurement(f"−ELBO on unseen Cards {_number}", "nats", "the same, after the same epochs")(_quality)


@measurement("a card at a new angle, ready for the canvas", "ms", "the same, as a redrawn matplotlib figure")
def slider(ours, seed):
    import io

    import numpy as np
    from matplotlib.figure import Figure

    from cardslib.cards import render
    from cardslib.explorers import CardExplorer
    explorer = CardExplorer()
    explorer.sliders["rotation"].value = 1
    start = time.perf_counter()
    for angle in range(2, 42):
        if ours:
            explorer.sliders["rotation"].value = angle
        else:
            figure = Figure(figsize=(3, 3))
            figure.add_subplot().imshow(render([1], [np.radians(angle)], [0], np.zeros((1, 2)))[0], cmap="gray")
            figure.savefig(io.BytesIO(), format="png")
    return (time.perf_counter() - start) / 40 * 1000


@measurement("memory of a process that trains on one card set", "MB", "importing torch, no more")
def memory(ours, seed):
    if ours:
        training(True, seed)
    else:
        import torch  # noqa: F401
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _run(name, ours, seed):
    return MEASUREMENTS[name][-1](ours, seed)


def measure(name, ours, seed):
    """The figure of one measurement with one seed, taken in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(_run, name, ours, seed).result()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument("--json", help="write the figures to this file")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}: medians of {arguments.runs} runs, a seed each\n")
    print(f"{'':46}{'ours':>9}{'worst':>9}{'baseline':>10}{'ratio':>8}  baseline")
    figures = {}
    for name in arguments.only:
        what, unit, baseline, _ = MEASUREMENTS[name]
        pairs = [(measure(name, True, seed), measure(name, False, seed)) for seed in range(arguments.runs)]
        ours, theirs = (statistics.median(values) for values in zip(*pairs))
        worst = max(here for here, _ in pairs)
        ratio = statistics.median(there / here for here, there in pairs)
        figures[name] = dict(what=what, unit=unit, baseline=baseline, ours=ours, worst=worst, theirs=theirs, ratio=ratio)
        print(f"{what + ', ' + unit:46}{ours:9.3g}{worst:9.3g}{theirs:10.3g}{ratio:8.2f}  {baseline}", flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
