"""Train pyroVED's rVAE with the slides' settings for so many seconds; prints what it measured as JSON.

rvae.py starts this in pyroVED's own environment:

    .peers/bin/python pyroved_run.py cards.npy unseen.npy --limit 60 --looks 8

The clock runs from the making of the model, without imports, and stands still while −ELBO is measured on the unseen images.
"""
import argparse
import json
import sys
import time
from statistics import median
from types import ModuleType

import numpy as np
import torch

# pyroVED needs torchvision for a mosaic of images only, and is installed without it.
unused = ModuleType("torchvision.utils")
unused.make_grid = None
sys.modules |= {"torchvision": ModuleType("torchvision"), "torchvision.utils": unused}

import pyroved  # noqa: E402

BATCH = 50

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("images", help="file of the images to train on, (n, h, w) float32 in [0, 1]")
parser.add_argument("unseen", help="file of the images that −ELBO is measured on")
parser.add_argument("--limit", type=float, default=60, help="seconds of training")
parser.add_argument("--looks", type=int, default=0, help="how often −ELBO is measured, ever more rarely")
options = parser.parse_args()

images, unseen = (torch.from_numpy(np.load(path, allow_pickle=False)) for path in (options.images, options.unseen))
looks = list(np.geomspace(options.limit / 30, options.limit, options.looks)) if options.looks else []
seconds, minus_elbo, paces, looking = [], [], [], 0.0

start = time.perf_counter()
model = pyroved.models.iVAE(images.shape[1:], latent_dim=2, invariances=["r"], hidden_dim_e=[256, 256],
                            hidden_dim_d=[256, 256], seed=1, device="cpu")
svi = pyroved.trainers.SVItrainer(model, device="cpu").svi   # Adam at 1e-3, Pyro's Trace_ELBO
steps = (batch for _ in iter(int, 1) for (batch,) in pyroved.utils.init_dataloader(images, batch_size=BATCH))
while (elapsed := time.perf_counter() - start - looking) < options.limit or looks:
    if looks and elapsed >= looks[0]:
        looks.pop(0)
        now = time.perf_counter()
        seconds.append(elapsed)
        minus_elbo.append(sum(map(svi.evaluate_loss, unseen.split(BATCH))) / len(unseen))
        looking += time.perf_counter() - now
    else:
        now = time.perf_counter()
        svi.step(next(steps))
        paces.append(1000 * (time.perf_counter() - now) / BATCH)
print(json.dumps(dict(ms_an_image=median(paces), images=len(paces) * BATCH, batch=BATCH, seconds=seconds,
                      minus_elbo=minus_elbo, pyroved=pyroved.__version__, torch=torch.__version__)))
