"""Our rVAE's three decoders beside pyroVED's rVAE, on the same images, in one run: `make bench-rvae`.

    python tests/benchmarks/rvae.py [--quick] [--json rvae.json] [--figure rvae.png]

prints tables and saves every number, and a figure of −ELBO on unseen cards against the seconds of training.  Both sides run
on two threads and learn two content latents and the angle; pyroVED has the slides' settings (hidden layers 256×256, batches
of 50) and an environment of its own in .peers/ beside this file, made at the first run (1 GB).  Every timing runs alone in a
process of its own, one after the other.  The clock starts at the making of the model, counts our alignment, and stands still
while −ELBO is measured.  About eight minutes on two cores; --quick, to try this file out, about one.
"""
import argparse
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
OURS = ("warp", "spatial", "skip")
CARDS, EPOCHS = 12000, 100               # of a published training of pyroVED's
PUBLISHED = {3: (86.2,), 4: (112, 125)}  # −ELBO after it, on the slides' glyphs, by card set
FLOORS_APART = 17                        # nats: the entropy floor of those glyphs, about 60, less that of ours, about 43
CAPTION = """Grey: pyroVED after 100 epochs as published, on other glyphs (entropy floor about 60 nats an image; of our cards \
about 43); dashed: less that difference.
Hollow: when pyroVED would have done 100 epochs on ours, projected from its time an image; its −ELBO there was not measured."""


# ---------------------------------------------------------------------- the measurements, each run in a process of its own

def draw(number, per_suit, unseen, folder):
    """Write the cards to train on, and the unseen ones, where pyroVED's process finds them: the two files."""
    import numpy as np

    from cardslib.cards import card_set
    paths = [f"{folder}/cards{number}.npy", f"{folder}/unseen{number}.npy"]
    for path, cards in zip(paths, (card_set(number, per_suit), card_set(number, unseen, seed=1000))):
        np.save(path, cards.images)
    return paths


def train(decoder, number, per_suit, unseen=0, seed=0, size=48, content=2, hidden=128, epochs=None, batch=128):
    """Train one of ours: seconds before the first epoch (the alignment) and after each, and −ELBO then on unseen cards.

    Also milliseconds an image, in the median epoch and on average with the alignment, and the most MB that the process held.
    """
    from cardslib.cards import card_set
    from cardslib.models import VAE, Pose
    from cardslib.training import fit
    images = card_set(number, per_suit, size).images
    held_out = card_set(number, unseen, size, seed=1000).images if unseen else None
    seconds, minus_elbo, looking = [], [], 0.0

    def watch(progress):
        nonlocal looking
        now = time.perf_counter()
        seconds.append(now - start - looking)
        if unseen:
            minus_elbo.append(float(-progress.model.elbo(held_out).total.mean()))
        looking += time.perf_counter() - now

    start = time.perf_counter()
    model = VAE((size, size), content, pose=Pose(rotation=True), decoder=decoder, hidden=hidden, seed=seed)
    fit(model, images, epochs=epochs, batch=batch, seed=seed, callback=watch, progress=False)
    epoch = median(later - earlier for earlier, later in pairwise(seconds))
    seen = len(images) * (len(seconds) - 1)
    return dict(ms_an_image=1000 * epoch / len(images), ms_with_alignment=1000 * seconds[-1] / seen, images=seen, batch=batch,
                seconds=seconds, minus_elbo=minus_elbo,
                memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def alone(function, *arguments, **settings):
    print(f"{time.strftime('%H:%M:%S')} {function.__name__} {arguments} {settings}", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(function, *arguments, **settings).result()


def pyroved(paths, limit, looks):
    """The same of pyroVED, trained for `limit` seconds, with −ELBO measured `looks` times."""
    surroundings = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "PYTHONPATH")}
    command = [PEERS / "bin/python", HERE / "pyroved_run.py", *paths, f"--limit={limit}", f"--looks={looks}"]
    return json.loads(subprocess.run(command, env=surroundings, check=True, stdout=subprocess.PIPE).stdout)


def make_peers():
    """pyroVED in an environment of its own; without torchvision, which it needs for one plot only."""
    if not (PEERS / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        for packages in (["torch==2.13.0", "matplotlib", "pyro-ppl==1.9.2"], ["--no-deps", "pyroved==0.3.0"]):
            subprocess.run([PEERS / "bin/python", "-m", "pip", "install", "--quiet", *packages], check=True)
        (PEERS / "installed").touch()


def measure(quick):
    """Every run: {card set: {model: [run, …]}}, and the warp decoder's by what its cost grows with: {what: {how much: run}}."""
    per_suit, unseen, some, few, seeds = (250, 25, 250, 2, 1) if quick else (CARDS // 4, 50, 750, 3, 3)
    counts, sizes, widths = (((400,), (24, 48), (1, 4)) if quick else
                             ((1000, 3000), (24, 32, 48, 64, 96), (1, 2, 4, 8, 16)))
    runs = {}
    for number in PUBLISHED:
        runs[number] = {"warp": [alone(train, "warp", number, per_suit, unseen, seed) for seed in range(seeds)]}
        for decoder in ("spatial", "skip"):
            runs[number][decoder] = [alone(train, decoder, number, per_suit, unseen, epochs=few)]
        with tempfile.TemporaryDirectory() as folder:
            paths = alone(draw, number, per_suit, unseen, folder)
            runs[number]["pyroVED"] = [alone(pyroved, paths, 6 if quick else 60, 3 if quick else 6)]
    runs[4]["warp, 256 hidden"] = [alone(train, "warp", 4, per_suit, hidden=256, batch=50, epochs=few)]
    costs = {"images": {count: alone(train, "warp", 4, count // 4) for count in counts} | {4 * per_suit: runs[4]["warp"][0]},
             "pixels": {size: alone(train, "warp", 4, some, size=size, epochs=few) for size in sizes},
             "content latents": {width: alone(train, "warp", 4, some, content=width, epochs=few) for width in widths}}
    return runs, costs


# ---------------------------------------------------------------------- what they say

def typical(runs, key):
    return median(run[key] for run in runs)


def reached(runs, level):
    """Seconds until −ELBO was measured at `level` or below: median and worst over the runs, or None if one never was."""
    first = [next((second for second, loss in zip(run["seconds"], run["minus_elbo"]) if loss <= level), None) for run in runs]
    return None if None in first else (median(first), max(first))


def projected(runs):
    """Seconds that pyroVED would take for a published training, at its measured pace."""
    return typical(runs, "ms_an_image") / 1000 * CARDS * EPOCHS


def report(runs, costs):
    """The tables, in Markdown."""
    theirs = typical(runs[4]["pyroVED"], "ms_an_image")
    yield "| Cards 4, 48×48 | ms an image | alignment included | images a step | ms a step | times faster than pyroVED |"
    yield "|---|---|---|---|---|---|"
    for name, some in runs[4].items():
        ours, batch = typical(some, "ms_an_image"), some[0]["batch"]
        whole = f"{typical(some, 'ms_with_alignment'):.3g}" if name == "warp" else ""
        yield f"| {name} | {ours:.3g} | {whole} | {batch} | {ours * batch:.3g} | {theirs / ours:.0f} |"
    yield "\n| seconds to −ELBO | | warp (worst seed) | spatial | skip | pyroVED, *projected* | ratio to warp |"
    yield "|---|---|---|---|---|---|---|"
    for number in runs:
        later = projected(runs[number]["pyroVED"])
        for name, level in ("as published", PUBLISHED[number][0]), ("less 17", PUBLISHED[number][0] - FLOORS_APART):
            found = {decoder: reached(runs[number][decoder], level) for decoder in OURS}
            cells = [f"{found[decoder][0]:.1f}" if found[decoder] else "not reached" for decoder in OURS]
            if found["warp"]:
                cells[0] += f" ({found['warp'][1]:.1f})"
            ratio = f"{later / found['warp'][0]:.0f}" if found["warp"] else ""
            yield f"| Cards {number} | {level:.4g}, {name} | {' | '.join(cells)} | {later:.0f} | {ratio} |"
    yield "\n| −ELBO at the end, measured | warp | spatial | skip | pyroVED |\n|---|---|---|---|---|"
    for number, models in runs.items():
        ends = [f"{median(run['minus_elbo'][-1] for run in some):.1f} after {median(run['seconds'][-1] for run in some):.0f} s "
                f"({some[0]['images'] / CARDS:.2g} epochs)" for some in map(models.get, (*OURS, "pyroVED"))]
        yield f"| Cards {number} | {' | '.join(ends)} |"
    yield "\n| warp, Cards 4 | ms an image | alignment, s | whole training, s | memory, MB |\n|---|---|---|---|---|"
    for what, by in costs.items():
        for much, run in sorted(by.items()):
            whole = f"{run['seconds'][-1]:.1f}" if what == "images" else ""
            size = f"{much}×{much} pixels" if what == "pixels" else f"{much} {what}"
            yield f"| {size} | {run['ms_an_image']:.3g} | {run['seconds'][0]:.2f} | {whole} | {run['memory']:.0f} |"


def figure(runs):
    """−ELBO on unseen cards against the seconds of training, a panel a card set."""
    import matplotlib

    from cardslib.figures.plots import CURVES
    from cardslib.figures.style import STYLE, Figure
    with matplotlib.rc_context(STYLE):
        drawn = Figure(10.2, 4.4, "Minus ELBO on unseen cards against seconds of training, for our decoders and for pyroVED.")
        for axes, (number, models) in zip(drawn.subplots(1, 2, sharey=True), runs.items()):
            later = projected(models["pyroVED"])
            for name, (colour, style) in zip((*OURS, "pyroVED"), CURVES):
                for index, run in enumerate(models[name]):
                    axes.plot(run["seconds"], run["minus_elbo"], style, color=colour, ms=4, lw=1.4,
                              label=None if index else f"{name}, measured")
            for level in PUBLISHED[number]:
                axes.axhline(level, color="#777777", lw=1)
                axes.axhline(level - FLOORS_APART, color="#777777", lw=1, ls="--")
                axes.plot(later, level, "D", color=colour, mfc="white", label="pyroVED, projected" if level < 100 else None)
            axes.set(xscale="log", yscale="log", xlabel="seconds of training", title=f"Cards {number}")
            axes.set_yticks([50, 70, 100, 150, 200, 500, 1000], ["50", "70", "100", "150", "200", "500", "1000"])
            axes.minorticks_off()
        drawn.axes[0].set_ylabel("−ELBO, nats an image")
        drawn.axes[0].legend()
        drawn.supxlabel(CAPTION, fontsize=8, x=0.01, ha="left")
        return drawn.png()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="everything small, to try this file out")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--figure", type=Path, help="write the figure, a PNG, to this file")
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "2"}
    make_peers()
    runs, costs = measure(options.quick)
    print(f"{platform.machine()}, Python {platform.python_version()}, two threads\n", *report(runs, costs), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(dict(runs=runs, costs=costs), indent=1), encoding="utf-8")
    if options.figure:
        options.figure.write_bytes(figure(runs))


if __name__ == "__main__":
    main()
