"""The same models on a graphics card, where there is one: device="cuda", and no second code path."""
import numpy as np
import pytest
import torch

from cardslib.cards import make_cards
from cardslib.metrics import angle_error, matched_accuracy
from cardslib.models import VAE, Pose
from cardslib.training import fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
KINDS = {
    "plain": dict(),
    "conditional": dict(classes=4),
    "told numbers": dict(conditions=2),
    "rVAE": dict(pose=Pose(rotation=True)),
    "shift-VAE": dict(pose=Pose(shift=0.2)),
    "spatial": dict(pose=Pose(rotation=True), decoder="spatial"),
    "skip": dict(pose=Pose(rotation=True), decoder="skip"),
    "groups": dict(groups=4),
    "joint": dict(content=0, pose=Pose(rotation=True, shift=0.1, scale=0.1, shear=True), groups=4),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def turned():
    return make_cards(150, rotation=120, shear=1, shift=0.05, size=24)


@pytest.fixture(scope="module")
def labels(kind, turned):
    numbers = np.stack([np.cos(turned.angle), np.sin(turned.angle)], 1)
    return {"conditional": turned.suit, "told numbers": numbers}.get(kind)


@pytest.fixture(scope="module")
def learnt(kind, turned, labels):
    """A model trained on the card, and its history."""
    model = VAE((24, 24), device="cuda", **KINDS[kind])
    return model, fit(model, turned.images, labels, epochs=12 if kind in ("spatial", "skip") else 60, progress=False)


def test_it_learns(learnt):
    _, history = learnt
    assert history.loss[-1] < 0.9 * history.loss[0]


def test_what_it_says_and_draws_comes_as_arrays_and_is_like_the_images(learnt, turned, labels):
    model, _ = learnt
    latents = model.encode(turned.images, labels)
    assert all(isinstance(values, np.ndarray) for values in latents.rows.values())
    drawn = model.decode(latents)
    assert drawn.dtype == np.float32 and np.mean((drawn - turned.images) ** 2) < 0.6 * np.var(turned.images)
    assert np.isfinite(model.elbo(turned.images, labels).total).all()


def test_a_saved_model_says_the_same_on_the_processor(learnt, turned, labels, tmp_path):
    model, _ = learnt
    model.save(tmp_path / "model.safetensors")
    here, there = (one.encode(turned.images, labels) for one in (VAE.load(tmp_path / "model.safetensors"), model))
    for name, values in here.rows.items():
        assert not values.size or np.median(np.abs(values - getattr(there, name))) < 1e-3, name


def test_angle_and_suit_are_right(learnt, kind, turned):
    if kind not in ("rVAE", "joint"):
        pytest.skip("says neither")
    latents = learnt[0].encode(turned.images)
    for suit in range(3):
        chosen = turned.suit == suit
        assert np.median(angle_error(latents.angle[chosen], turned.angle[chosen])) < 4
    if kind == "joint":
        assert matched_accuracy(latents.group.argmax(1), turned.suit) > 0.95
