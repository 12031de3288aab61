"""The training: it learns, it can be repeated, watched, stopped and gone on with, and it refuses what cannot work."""
import importlib
import io
import subprocess
import sys
from pathlib import Path

import IPython.display
import numpy as np
import pytest
import torch

import cardslib
from cardslib import training as module
from cardslib.cards import card_set, make_cards
from cardslib.models import VAE, Pose
from cardslib.training import Adam, fit

SIZE = 24


def new(seed=0, **settings):
    return VAE((SIZE, SIZE), seed=seed, **settings)


def cross_entropy_of_mean_image(images):
    """−log-likelihood in nats an image if every image were drawn as the mean of all."""
    mean = np.clip(images.mean(0), 1e-3, 1 - 1e-3)
    return -(images * np.log(mean) + (1 - images) * np.log(1 - mean)).sum((1, 2)).mean()


class Noted:
    """A callback that keeps what it is told."""

    def __init__(self, stop_after=None):
        self.seen, self.stop_after = [], stop_after

    def __call__(self, progress):
        self.seen.append((progress.epoch, progress.epochs, progress.elapsed, progress.remaining, str(progress)))
        if progress.epoch == self.stop_after:
            raise KeyboardInterrupt


# ---------------------------------------------------------------------- it learns

@pytest.mark.parametrize("seed", range(3))
def test_a_vae_learns_the_cards_from_any_seed(cards, seed):
    model, unseen = new(seed), card_set(1, per_suit=50, size=SIZE, seed=99)
    fit(model, cards.images, epochs=20, seed=seed, progress=False)
    assert -model.elbo(unseen.images).total.mean() < cross_entropy_of_mean_image(cards.images) - 15


@pytest.fixture(scope="module")
def conditional(cards):
    """A model that was told the suit, and its history."""
    model = new(classes=4)
    return model, fit(model, cards.images, cards.suit, epochs=40, progress=False)


def test_a_model_that_is_told_the_suit_need_not_encode_it(cards, conditional):
    told, untold = conditional[1], fit(new(), cards.images, epochs=40, progress=False)
    assert told.loss[-1] < untold.loss[-1] - 1
    assert told.terms["content"][-1] < untold.terms["content"][-1] - 1   # four suits are log 4 = 1.4 nats


def test_a_model_that_is_told_the_suit_draws_that_suit(cards, conditional):
    means = np.stack([cards.images[cards.suit == suit].mean(0) for suit in range(4)])
    drawn = conditional[0].decode(np.zeros((4, 2)), np.arange(4))
    apart = ((drawn[:, None] - means[None]) ** 2).mean((2, 3))   # (drawn, suit)
    assert apart.argmin(1).tolist() == [0, 1, 2, 3]


def test_the_loss_falls(history):
    assert np.mean(history.loss[-3:]) < np.mean(history.loss[:3]) - 10
    assert np.mean(np.diff(history.loss) < 0) > 0.8


def test_the_loss_is_minus_the_elbo_in_nats_an_image(trained, history, cards):
    assert history.loss[-1] == pytest.approx(-trained.elbo(cards.images).total.mean(), abs=0.7)


def test_the_first_picture_is_the_mean_image(cards):
    model, drawn = new(), []

    def before_the_first_step(progress):
        drawn.append(progress.model.decode(np.zeros((1, 2)))[0])
        raise KeyboardInterrupt

    fit(model, cards.images, progress=False, callback=before_the_first_step)
    assert np.abs(drawn[0] - cards.images.mean(0)).mean() < 0.05


def test_the_mean_image_is_set_only_once(cards):
    model = new()
    fit(model, cards.images, epochs=2, progress=False)
    bias, seen = model.decoder.layers[-2].bias, []
    learnt = bias.tolist()
    fit(model, cards.images[:50], epochs=1, progress=False, callback=lambda progress: seen.append(bias.tolist()))
    assert seen[0] == learnt


def test_a_loaded_model_goes_on_from_where_it_was(cards, tmp_path):
    model = new()
    fit(model, cards.images, epochs=2, progress=False)
    model.save(tmp_path / "model")
    loaded = VAE.load(tmp_path / "model")
    again = [fit(each, cards.images, epochs=1, seed=5, progress=False).loss for each in (model, loaded)]
    assert again[0] == again[1]


def test_a_large_beta_presses_the_divergence_down(cards):
    divergence = {beta: fit(new(), cards.images, epochs=10, beta=beta, progress=False).terms["content"][-1]
                  for beta in (0, 1, 20)}
    assert divergence[20] < 0.1 < 1 < divergence[1] < 5 < divergence[0]


def test_the_loss_at_another_beta_is_still_minus_the_elbo(cards):
    history = fit(new(), cards.images, epochs=2, beta=20, progress=False)
    assert history.loss == [sum(parts) for parts in zip(*history.terms.values())]


# ---------------------------------------------------------------------- the history

def test_the_history_has_a_number_an_epoch(history):
    assert len(history.loss) == len(history.seconds) == 20
    assert {name: len(values) for name, values in history.terms.items()} == dict(reconstruction=20, content=20)
    assert all(type(value) is float for value in history.loss)
    assert not history.interrupted


def test_the_loss_is_the_sum_of_its_terms(history):
    assert history.loss == [sum(parts) for parts in zip(*history.terms.values())]
    assert min(history.terms["content"]) > 0 and min(history.terms["reconstruction"]) > 0


def test_the_seconds_run_on(history):
    assert 0 < history.seconds[0] and all(np.diff(history.seconds) > 0)


@pytest.mark.parametrize("pose, count", [(None, 30), (None, 300), (Pose(rotation=True), 30)])
def test_by_default_about_as_many_steps_are_made_as_are_right_for_the_model(pose, count):
    images = np.random.default_rng(0).uniform(size=(count, 4, 4))
    model, sizes = VAE((4, 4), hidden=4, pose=pose), []
    model.decoder.register_forward_hook(lambda network, given, out: sizes.append(len(out)))
    fit(model, images, progress=False)
    assert model.steps <= len(sizes) <= 1.1 * model.steps and 500 <= model.steps <= 1000
    assert sum(sizes) % count == 0   # whole passes


@pytest.mark.parametrize("pose", [None, Pose(rotation=True)])
def test_by_default_the_learning_rate_is_the_models(cards, pose):
    losses = [fit(new(pose=pose), cards.images[:100], epochs=2, learning_rate=rate, progress=False).loss
              for rate in (None, new(pose=pose).learning_rate, 1e-3)]
    assert losses[0] == losses[1] != losses[2]


def test_every_image_is_seen_once_an_epoch():
    images = np.random.default_rng(0).uniform(size=(300, 4, 4)).astype(np.float32)
    model, seen = VAE((4, 4), hidden=4), []
    model.encoder.register_forward_hook(lambda network, given, out: seen.append(given[0][:, 0, 0].numpy()))
    fit(model, images, epochs=2, batch=100, progress=False)
    assert [len(batch) for batch in seen] == [100] * 6
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == sorted(images[:, 0, 0])
    assert first.tolist() != second.tolist() != images[:, 0, 0].tolist()   # in another order each time


# ---------------------------------------------------------------------- it can be repeated

def test_the_same_seed_gives_the_same_training_bit_for_bit(cards):
    def train(seed):
        model = new()
        return fit(model, cards.images, epochs=3, seed=seed, progress=False), model.decode(np.zeros((1, 2)))

    torch.manual_seed(1)
    first, drawn = train(0)
    torch.manual_seed(2)   # the global random numbers do not matter
    again, drawn_again = train(0)
    other, _ = train(1)
    assert first.loss == again.loss and first.terms == again.terms
    assert np.array_equal(drawn, drawn_again)
    assert first.loss != other.loss


def test_the_seed_decides_the_order_of_the_images_and_the_noise():
    """With an encoder that says mean 0 and standard deviation 1 whatever it sees, the decoder gets the noise itself."""
    images = np.random.default_rng(0).uniform(size=(50, 4, 4)).astype(np.float32)
    orders, noises = [], []
    for seed in (0, 1):
        model = VAE((4, 4), hidden=4)
        torch.nn.init.zeros_(model.encoder.layers[-1].weight)
        torch.nn.init.zeros_(model.encoder.layers[-1].bias)
        model.encoder.register_forward_hook(lambda network, given, out: orders.append(given[0][:, 0, 0].tolist()))
        model.decoder.register_forward_hook(lambda network, given, out: noises.append(given[0].tolist()))
        fit(model, images, epochs=1, batch=50, seed=seed, progress=False)
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    assert noises[0] != noises[1]


def test_training_leaves_the_global_random_numbers_alone(cards):
    before = torch.random.get_rng_state()
    fit(new(), cards.images[:100], epochs=1, progress=False)
    assert torch.equal(torch.random.get_rng_state(), before)


# ---------------------------------------------------------------------- it can be watched and stopped

@pytest.mark.parametrize("switched_off", [torch.no_grad, torch.inference_mode])
def test_gradients_that_are_switched_off_around_it_are_switched_on_inside(cards, switched_off):
    model, twin = new(), new()
    with switched_off():
        fit(model, cards.images[:64], epochs=1, progress=False)
        assert not torch.is_grad_enabled()
    fit(twin, cards.images[:64], epochs=1, progress=False)
    for learnt, expected in zip(model.parameters(), twin.parameters()):
        assert torch.equal(learnt, expected)


@pytest.mark.parametrize("settings", [dict(), dict(pose=Pose(rotation=True, shift=0.1)),
                                      dict(pose=Pose(rotation=True), groups=2)], ids=["plain", "pose", "groups"])
def test_it_works_in_single_precision_whatever_torchs_default_is(cards, settings):
    model, twin = new(**settings), new(**settings)
    fit(twin, cards.images[:64], epochs=1, progress=False)
    torch.set_default_dtype(torch.float64)
    try:
        fit(model, cards.images[:64], epochs=1, progress=False)
        assert torch.get_default_dtype() == torch.float64
        made_in_double = new(**settings)
        fit(made_in_double, cards.images[:64], epochs=1, progress=False)
    finally:
        torch.set_default_dtype(torch.float32)
    for learnt, expected in zip(model.parameters(), twin.parameters()):
        assert torch.equal(learnt, expected)
    assert {weights.dtype for weights in made_in_double.parameters()} == {torch.float32}


def test_a_callback_is_told_of_every_epoch_and_of_the_time_left(cards):
    noted = Noted()
    history = fit(new(), cards.images[:200], epochs=4, progress=False, callback=noted)
    epochs, of, elapsed, remaining, words = zip(*noted.seen)
    assert epochs == (0, 1, 2, 3, 4) and set(of) == {4}
    assert list(elapsed) == [0.0, *history.seconds]
    assert remaining[0] is None and remaining[4] == 0
    assert remaining[1] == pytest.approx(3 * elapsed[1])   # at the pace so far
    assert words[0] == "4 epochs to go"
    assert words[2].startswith(f"epoch 2 of 4 · −ELBO {history.loss[1]:.1f} nats") and "s left" in words[2]
    assert "left" not in words[4]


def test_a_callback_sees_the_model_and_the_history_that_are_being_made(cards):
    model, seen = new(), []
    history = fit(model, cards.images[:200], epochs=2, progress=False, callback=seen.append)
    assert all(progress.model is model and progress.history is history for progress in seen)


def test_an_interrupted_training_keeps_the_model_and_the_history(cards):
    model, fresh = new(), new()
    history = fit(model, cards.images, epochs=10, progress=False, callback=Noted(stop_after=3))
    assert history.interrupted and len(history.loss) == len(history.seconds) == 3
    assert history.loss[2] < history.loss[0]
    assert not np.allclose(model.decode(np.zeros((1, 2))), fresh.decode(np.zeros((1, 2))))


def test_a_model_says_that_it_is_learning_until_it_has_learnt(cards):
    model, said = VAE((24, 24), hidden=8), []

    def interrupt(progress):
        said.append(model.learning)
        if progress.epoch == 1:
            raise KeyboardInterrupt

    assert not model.learning
    fit(model, cards.images, epochs=5, callback=interrupt, progress=False)
    assert said == [True, True] and not model.learning
    with pytest.raises(ZeroDivisionError):
        fit(model, cards.images, epochs=1, callback=lambda progress: 1 / 0, progress=False)
    assert not model.learning


def test_an_interrupted_training_can_go_on(cards):
    model = new()
    first = fit(model, cards.images, epochs=10, progress=False, callback=Noted(stop_after=5))
    second = fit(model, cards.images, epochs=5, progress=False)
    assert second.loss[-1] < first.loss[-1] and not second.interrupted


def test_an_interrupted_training_says_so(cards, capsys):
    fit(new(), cards.images[:200], epochs=4, callback=Noted(stop_after=2))
    out, err = capsys.readouterr()
    assert out == "interrupted after 2 of 4 epochs: the model keeps what it has learnt\n" and err == ""


def test_another_error_in_a_callback_is_not_swallowed(cards):
    def broken(progress):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit(new(), cards.images[:200], epochs=2, progress=False, callback=broken)


@pytest.mark.parametrize("progress", [True, False])
def test_nothing_is_printed_where_nobody_watches(cards, capsys, progress):
    fit(new(), cards.images[:200], epochs=2, progress=progress)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_one_line_that_is_rewritten(cards, capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    fit(new(), cards.images[:200], epochs=2)
    lines = terminal.getvalue().split("\r")
    assert [line[:12] for line in lines] == ["", "2 epochs to ", "epoch 1 of 2", "epoch 2 of 2"]
    assert "left" in lines[2] and lines[-1].endswith("\n")
    assert capsys.readouterr().err == ""


def test_a_notebook_shows_one_line_that_is_updated(cards, capsys, monkeypatch):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(("update", data["text/plain"][:12]))

    def display(data, raw, display_id):
        shown.append(("display", data["text/plain"][:12]))
        return Handle()

    monkeypatch.setattr(module, "_in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", display)
    fit(new(), cards.images[:200], epochs=2)
    assert shown == [("display", "2 epochs to "), ("update", "epoch 1 of 2"), ("update", "epoch 2 of 2")]
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("name, value", [
    ("epochs", 0), ("epochs", -1), ("epochs", 1.5), ("epochs", 2.0), ("epochs", "2"), ("epochs", True),
    ("batch", 0), ("batch", -5), ("batch", 1.5), ("batch", None),
    ("beta", -1), ("beta", np.nan), ("beta", np.inf),
    ("learning_rate", 0), ("learning_rate", -0.1), ("learning_rate", np.nan), ("learning_rate", np.inf)])
def test_a_bad_setting_is_named_before_anything_is_learnt(cards, name, value):
    model, called = new(), []
    before = model.decode(np.zeros((1, 2)))
    with pytest.raises(ValueError, match=f"^{name} must be a .*at least (0|1|1e-12); got {value!r}"):
        fit(model, cards.images, progress=False, callback=called.append, **{"epochs": 1, name: value})
    assert not called and np.array_equal(model.decode(np.zeros((1, 2))), before)


ALIKE = {   # a function of images that makes them alike, and what the error says
    "grey": (lambda images: np.full_like(images, 0.5), "all are the same constant 0.5: there is nothing to learn"),
    "black": (lambda images: np.zeros_like(images), "all are the same constant 0: there is nothing to learn"),
    "one card five times": (lambda images: np.repeat(images[:1], 5, 0), "all are the same: there is nothing to learn"),
    "a single card": (lambda images: images[:1], "all are the same: there is nothing to learn")}


@pytest.mark.parametrize("how", ALIKE)
def test_images_that_do_not_differ_are_refused(cards, how):
    change, words = ALIKE[how]
    with pytest.raises(ValueError, match=f"^images must differ from one another; {words}"):
        fit(new(), change(cards.images), epochs=1, progress=False)


def test_images_and_labels_are_checked_as_the_model_checks_them(cards):
    with pytest.raises(ValueError, match=r"uint8: use images / 255"):
        fit(new(), (cards.images * 255).astype(np.uint8), epochs=1, progress=False)
    with pytest.raises(ValueError, match="labels are missing"):
        fit(new(classes=4), cards.images, epochs=1, progress=False)
    with pytest.raises(ValueError, match="labels were given"):
        fit(new(), cards.images, cards.suit, epochs=1, progress=False)


def test_a_training_that_blows_up_says_what_to_do(cards):
    with pytest.raises(FloatingPointError, match=r"loss became (nan|inf) in epoch 1: .*smaller learning_rate \(the default"):
        fit(new(), cards.images, epochs=1, learning_rate=1e12, progress=False)


# ---------------------------------------------------------------------- how far it is from an image to its loss

@pytest.mark.parametrize("settings, most", [
    (dict(), 40), (dict(pose=Pose(rotation=True)), 80),
    (dict(content=0, groups=4, pose=Pose(rotation=True, shift=0.2, shear=True)), 85)], ids=["plain", "rVAE", "joint"])
def test_an_image_passes_few_functions_on_its_way_to_a_loss(settings, most):
    """Of the package, with names, in a training of one epoch, the comparison of the images with one another among them."""
    cards, model = make_cards(30, size=20), VAE((20, 20), **settings)
    passed, package = set(), str(Path(cardslib.__file__).parent)

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(package) and not code.co_name.startswith("<"):
            passed.add((code.co_filename, code.co_qualname))

    importlib.import_module("cardslib.similarity")   # else `fit` does, and the bodies of its classes are no functions
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        fit(model, cards.images, epochs=1, progress=False)
    finally:
        sys.setprofile(before)
    assert 20 < len(passed) <= most, sorted(name for _, name in passed)


def test_a_first_training_does_not_import_torchs_compiler():
    """Its import takes longer than the training of a small model, and nothing here is compiled."""
    program = ("import sys, numpy; from cardslib.models import VAE; from cardslib.training import fit; "
               "fit(VAE((8, 8)), numpy.random.default_rng(0).random((9, 8, 8)), epochs=1, progress=False); "
               "sys.exit('torch._dynamo' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_its_optimiser_is_torchs_adam():
    """Step by step, to the last bit."""
    ours, theirs = (torch.nn.Linear(5, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    optimisers = Adam(ours.parameters(), lr=0.01, fused=True), torch.optim.Adam(theirs.parameters(), lr=0.01, fused=True)
    for seed in range(5):
        inputs = torch.rand(7, 5, generator=torch.Generator().manual_seed(seed))
        for network, optimiser in zip((ours, theirs), optimisers):
            optimiser.zero_grad()
            network(inputs).square().sum().backward()
            optimiser.step()
    assert all(torch.equal(*weights) for weights in zip(ours.parameters(), theirs.parameters()))


@pytest.mark.parametrize("before", [False, True])
def test_small_numbers_are_handled_afterwards_as_before(cards, before):
    torch.set_flush_denormal(before)
    try:
        fit(VAE((24, 24)), cards.images, epochs=1, progress=False)
        assert bool(torch.tensor(2e-38) * 0.1 == 0) == before
    finally:
        torch.set_flush_denormal(False)


def test_the_model_comes_first(cards):
    with pytest.raises(ValueError, match=r"model must be a VAE; got ndarray: the model comes first, fit\(model, images\)"):
        fit(cards.images, VAE((24, 24)))
