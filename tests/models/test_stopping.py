"""A training that was stopped at any moment and is called again ends where one that was not stopped does."""
import numpy as np
import pytest

from cardslib import similarity, training
from cardslib.cards import make_cards
from cardslib.metrics import angle_error, matched_accuracy
from cardslib.models import VAE, Pose
from cardslib.training import fit

SIZE, STEPS = 16, 260   # of a training: small pictures of few cards are learnt by then
CARDS = make_cards(24, rotation=120, shear=1, size=SIZE)
KINDS = {"plain": (dict(), False), "conditional": (dict(classes=4), True), "shift-VAE": (dict(pose=Pose(shift=0.1)), False),
         "rVAE": (dict(pose=Pose(rotation=True)), False),
         "joint": (dict(content=0, groups=4, pose=Pose(rotation=True)), False)}


def new(kind):
    settings, labelled = KINDS[kind]
    model = VAE((SIZE, SIZE), hidden=32, **settings)
    model.steps = STEPS
    return model, CARDS.suit if labelled else None


def stop_in_the_comparison(monkeypatch, model, labels):
    def interrupted(*arguments):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(similarity, "similarity_graph", interrupted)
        return fit(model, CARDS.images, labels, progress=False)


def stop_before_the_first_epoch(monkeypatch, model, labels):
    return stop_after(model, labels, 0)


def stop_within_an_epoch(monkeypatch, model, labels):
    steps, objective = [], training.objective

    def interrupted(*arguments):
        steps.append(1)
        if len(steps) > 13:
            raise KeyboardInterrupt
        return objective(*arguments)
    with monkeypatch.context() as patch:
        patch.setattr(training, "objective", interrupted)
        return fit(model, CARDS.images, labels, batch=16, progress=False)


def end_after_one_epoch(monkeypatch, model, labels):
    return fit(model, CARDS.images, labels, epochs=1, progress=False)


def stop_in_the_first_quarter(monkeypatch, model, labels):
    return stop_after(model, labels, 60)


def stop_near_the_end(monkeypatch, model, labels):
    return stop_after(model, labels, 240)


def stop_after(model, labels, epoch):
    def interrupt(progress):
        if progress.epoch == epoch:
            raise KeyboardInterrupt
    return fit(model, CARDS.images, labels, callback=interrupt, progress=False)


@pytest.fixture(scope="module")
def loss():
    """{kind: −ELBO of a model that was never stopped}, nats an image."""
    found = {}

    def of(kind):
        if kind not in found:
            model, labels = new(kind)
            fit(model, CARDS.images, labels, progress=False)
            assert model.prepared
            found[kind] = -model.elbo(CARDS.images, labels).total.mean()
        return found[kind]
    return of


@pytest.mark.parametrize("kind, stop", [
    *(("joint", stop) for stop in (stop_in_the_comparison, stop_before_the_first_epoch, stop_within_an_epoch,
                                   end_after_one_epoch, stop_in_the_first_quarter, stop_near_the_end)),
    ("rVAE", end_after_one_epoch), ("rVAE", stop_in_the_first_quarter),
    *((kind, stop_in_the_first_quarter) for kind in ("plain", "conditional", "shift-VAE"))])
def test_stopped_and_called_again_it_ends_where_one_that_was_not_stopped_does(kind, stop, loss, monkeypatch, tmp_path):
    model, labels = new(kind)
    history = stop(monkeypatch, model, labels)
    assert history.interrupted or len(history.loss) == 1
    assert not model.prepared
    model.save(tmp_path / "half")   # and it may go on another day
    model = VAE.load(tmp_path / "half")
    model.steps = STEPS
    fit(model, CARDS.images, labels, progress=False)
    assert model.prepared and -model.elbo(CARDS.images, labels).total.mean() < 1.1 * loss(kind)
    latents = model.encode(CARDS.images, labels)
    if kind == "joint":
        assert matched_accuracy(latents.group.argmax(1), CARDS.suit) >= 0.97
    if kind in ("rVAE", "joint"):
        for suit in range(3):   # the diamond is nearly a square
            chosen = CARDS.suit == suit
            assert np.median(angle_error(latents.angle[chosen], CARDS.angle[chosen])) < 3
