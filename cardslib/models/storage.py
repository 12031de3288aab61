"""Models on disk: weights as safetensors, what the model was made with as JSON in the header.  No pickle is ever read."""
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cardslib.models.arguments import check_device
from cardslib.models.pose import Pose

KEY = "cardslib.VAE"
COUNTS = ("content", "classes", "conditions", "groups", "hidden")
PARTS = {"shape", "pose", "decoder", "likelihood", "noise", *COUNTS}


def save(model, path):
    """`VAE.save`."""
    if not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {Path(path).parent} to save the model in: make it first")
    made_with = dict(shape=model.shape, pose=model.pose and asdict(model.pose), decoder=model.decoder.name,
                     likelihood=model.likelihood.name, noise=model.likelihood.noise,
                     **{name: getattr(model, name) for name in COUNTS})
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, path, {KEY: json.dumps(made_with)})


def load(cls, path, device="cpu"):
    """`VAE.load`: a model of class `cls`."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    check_device(device)
    try:
        with safe_open(path, "pt") as file:
            made_with = json.loads((file.metadata() or {})[KEY])
            if set(made_with) != PARTS or np.prod(list(made_with["shape"])) > 1e7 \
                    or max(made_with[name] for name in COUNTS) > 1e6:
                raise ValueError("its header does not describe a VAE")
            made_with["pose"] = made_with["pose"] and Pose(**made_with["pose"])
            with torch.device("meta"):   # no memory is taken until the file is known to fit
                model = cls(**made_with, device="meta")
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
            promised = model.state_dict()
            if shapes != {name: tuple(weight.shape) for name, weight in promised.items()}:
                raise ValueError("its weights do not have the shapes that its header promises")
            weights = {name: file.get_tensor(name) for name in shapes}
            if any(weight.dtype != promised[name].dtype or not weight.isfinite().all() for name, weight in weights.items()):
                raise ValueError("its weights are not finite 32-bit numbers")
            model = cls(**made_with, device=device)
            model.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as problem:
        reason = "its header names no cardslib VAE" if isinstance(problem, KeyError) else problem
        raise ValueError(f"{path} is not a whole model file of cardslib ({reason}): save the model again with "
                         f"VAE.save") from problem
    return model
