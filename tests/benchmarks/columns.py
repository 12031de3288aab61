"""How well and how fast columns of atoms are found, by every finder on many crystals: `make bench-columns`.

    python tests/benchmarks/columns.py [--seeds 2] [--json columns.json]

Times are of the processor, on one thread, so that what else runs on the machine hardly counts.
"""
import argparse
import json
import resource
import statistics
import time

import torch

from cardslib.microscopy import (
    column_patches,
    ferroelectric,
    find_columns,
    grid_patches,
    measure_scale,
    nio_lsmo,
    practice,
    scan,
    score_columns,
    single_crystal,
)
from cardslib.microscopy.segmentation import ColumnNetwork, fit_columns

GRAPHENE = dict(pixel_size=0.08, width=0.45)
CASES = {   # a crystal, and how it is scanned
    "NiO–LSMO, 60 counts": (nio_lsmo, dict(counts=60)), "NiO–LSMO, 20 counts": (nio_lsmo, dict(counts=20)),
    "NiO–LSMO, 5 counts": (nio_lsmo, dict(counts=5)),
    "… pixels of 0.18 Å, 5 counts": (nio_lsmo, dict(counts=5, pixel_size=0.18)),
    "… pixels of 0.07 Å": (lambda seed: nio_lsmo((80, 70), seed=seed), dict(pixel_size=0.07)),
    "… drift 1 %, jitter 0.5 pixels, wedge": (nio_lsmo, dict(drift=0.01, jitter=0.5, thickness=0.5)),
    "… 80 % background": (nio_lsmo, dict(background=0.8, thickness=0.4)),
    "LSMO, turned by 17°": (lambda seed: single_crystal(angle=17, seed=seed), {}), "BiFeO₃, 20 counts": (ferroelectric, {}),
    "BiFeO₃, 5 counts": (ferroelectric, dict(counts=5)),
    "graphene, 6 counts": (lambda seed: single_crystal("graphene", 40, seed=seed), dict(counts=6, **GRAPHENE)),
}


def clocked(function, *arguments, **options):
    """What a function returns, and the seconds of the processor that it took."""
    start = time.process_time()
    answer = function(*arguments, **options)
    return answer, time.process_time() - start


def measure(make, settings, seed, finders):
    """F1, error in pm and seconds of every finder on one image."""
    micrograph = scan(make(seed=seed), seed=seed, **settings)
    true = micrograph.truth[micrograph.truth.visible].position
    scale = measure_scale(micrograph.image)
    figures = {}
    for name, finder in finders.items():
        found, seconds = clocked(find_columns, micrograph.image, finder, scale)
        score = score_columns(found.position, true, micrograph.image.shape, margin=2 * scale.width)
        figures[name] = score.f1, 100 * score.rmse * micrograph.pixel_size, seconds
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", help="write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = ColumnNetwork()
    micrographs, making = clocked(practice)
    learning = clocked(fit_columns, network, micrographs)[1]
    finders = {"maxima": "maxima", "blobs": "blobs", "network": network}
    report = {"practice images, s": making, "training of the network, s": learning}
    print(f"{'F1 worst of seeds; median error, pm':40}" + "".join(f"{name:>18}" for name in finders))
    for case, (make, settings) in CASES.items():
        seeds = [measure(make, settings, seed, finders) for seed in range(arguments.seeds)]
        report[case] = {}
        for name in finders:
            f1, pm, seconds = zip(*(each[name] for each in seeds))
            report[case][name] = dict(f1=min(f1), pm=statistics.median(pm), seconds=statistics.median(seconds))
        print(f"{case:40}" + "".join(f"{row['f1']:10.4f}{row['pm']:8.2f}" for row in report[case].values()), flush=True)
    crystal, report["a crystal with pillars, s"] = clocked(nio_lsmo)
    micrograph, report["its image of a megapixel, s"] = clocked(scan, crystal)
    found, report["its columns, by blobs, s"] = clocked(find_columns, micrograph.image)
    report["its columns, by the network, s"] = clocked(find_columns, micrograph.image, network)[1]
    for what, cut, argument in (("about columns", column_patches, (found.position, 32)), ("on a grid", grid_patches, (32, 4))):
        patches, seconds = min((clocked(cut, micrograph, *argument) for _ in range(3)), key=lambda answer: answer[1])
        report[f"patches of 32×32 {what}, a second"] = len(patches) / seconds
    report["most memory of all this, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for what, figure in report.items():
        if not isinstance(figure, dict):
            print(f"{what:45}{figure:12,.2f}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
