"""The live view: it draws while `fit` runs, to the last epoch, and can be saved as an animation."""
import time
from types import SimpleNamespace

import IPython
import IPython.display
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from matplotlib.colors import to_rgba
from PIL import Image

from cardslib.cards import SUITS
from cardslib.explorers import LiveTraining
from cardslib.explorers import live as module
from cardslib.figures.plots import mosaic
from cardslib.figures.style import SUIT_STYLE
from cardslib.models import VAE, latent_grid
from cardslib.training import History, Progress, fit

EPOCHS = 7


@pytest.fixture(scope="module")
def watched(cards):
    """A live view of a training, the figures that it drew, and the model in the end."""
    figures, draw, model = [], module.training_view, VAE((24, 24))

    def training_view(*args):
        figures.append(draw(*args))
        return figures[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "training_view", training_view)
        live = LiveTraining(cards.images[:100], cards.suit[:100], SUITS)   # more frames than epochs
        fit(model, cards.images, epochs=EPOCHS, progress=False, callback=live)
    return live, figures, model


@pytest.fixture
def moments(monkeypatch):
    """A function that returns the epochs after which a picture is drawn in a training of so many; nothing is drawn."""
    def moments(epochs, frames):
        drawn = []
        monkeypatch.setattr(module, "training_view", lambda *args: drawn.append(epoch) or SimpleNamespace(picture=None))
        live, model = LiveTraining(np.eye(4)[None], frames=frames), VAE((4, 4), hidden=4)
        for epoch in range(epochs + 1):
            live(Progress(model, History(), epoch, epochs))
        return drawn
    return moments


def test_a_picture_is_drawn_before_the_first_epoch_and_after_each(watched):
    live, figures, _ = watched
    titles = [figure.axes[2].get_title() for figure in figures]
    assert titles == [f"epoch {epoch} of {EPOCHS}" for epoch in range(EPOCHS + 1)]
    assert len(live.pictures) == EPOCHS + 1


def test_grid_cloud_and_loss_change_while_the_model_learns(watched):
    grids, clouds, losses = zip(*(figure.axes for figure in watched[1]))
    assert len({axes.get_images()[0].get_array().tobytes() for axes in grids}) == EPOCHS + 1
    assert len({axes.collections[0].get_offsets().tobytes() for axes in clouds}) == EPOCHS + 1
    assert [len(axes.lines[0].get_ydata()) for axes in losses] == list(range(EPOCHS + 1))


def test_the_last_picture_is_that_of_the_finished_model(watched, cards):
    _, figures, model = watched
    grid, cloud, _ = figures[-1].axes
    assert np.allclose(grid.get_images()[0].get_array(), mosaic(model.decode(latent_grid(10, 3.0)), 10), atol=1e-6)
    assert grid.get_xticks().tolist() == [-3, 0, 3]
    drawn = np.concatenate([points.get_offsets() for points in cloud.collections])
    expected = model.encode(cards.images[:100]).content
    assert np.allclose(np.sort(drawn, 0), np.sort(expected, 0), atol=1e-5)


def test_the_cloud_is_that_of_the_images_coloured_by_their_labels(watched, cards):
    points, = watched[1][-1].axes[1].collections
    colours = [to_rgba(SUIT_STYLE[suit][0])[:3] for suit in SUITS]
    drawn = [(points.get_facecolors()[:, :3] == colour).all(1).sum() for colour in colours]
    assert drawn == np.bincount(cards.suit[:100]).tolist()


def test_a_long_training_is_drawn_in_a_few_frames_most_of_them_early(moments):
    drawn = moments(epochs=200, frames=20)
    assert drawn[0] == 0 and drawn[-1] == 200 and 18 <= len(drawn) <= 21
    assert sum(epoch <= 100 for epoch in drawn) > 12


@pytest.mark.parametrize("epochs", [1, 2, 13])
@pytest.mark.parametrize("frames", [1, 5, 20])
def test_the_last_epoch_is_always_drawn(moments, epochs, frames):
    drawn = moments(epochs, frames)
    assert drawn[0] == 0 and drawn[-1] == epochs and len(drawn) <= frames + 1


def test_watching_does_not_change_what_is_learnt(cards, monkeypatch):
    monkeypatch.setattr(module, "training_view", lambda *args: SimpleNamespace(picture=None))
    alone, watched = (fit(VAE((24, 24)), cards.images, epochs=2, progress=False, callback=callback)
                      for callback in (None, LiveTraining(cards.images)))
    assert alone.loss == watched.loss


def test_a_notebook_shows_one_picture_that_is_updated(cards, monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda figure: shown.append(("update", figure.alt)))
    monkeypatch.setattr(IPython, "get_ipython", object)
    monkeypatch.setattr(IPython.display, "display", lambda figure, display_id: shown.append(("display", figure.alt)) or handle)
    fit(VAE((24, 24)), cards.images[:100], epochs=2, progress=False, callback=LiveTraining(cards.images[:100], frames=2))
    ways, words = zip(*shown)
    assert ways == ("display", "update", "update") and all("while it learns" in alt for alt in words)


@pytest.mark.parametrize("suffix", ["webp", "gif", "png"])
def test_a_training_is_saved_as_an_animation(watched, tmp_path, suffix):
    path = tmp_path / f"training.{suffix}"
    watched[0].save(path, seconds=4)
    with Image.open(path) as animation:
        assert animation.n_frames == EPOCHS + 1 and animation.format == suffix.upper()
        durations, frames = [], []
        for frame in range(animation.n_frames):
            animation.seek(frame)
            frames.append(np.asarray(animation.convert("L"), float))
            durations.append(animation.info["duration"])
    assert sum(durations[:-1]) == pytest.approx(4000 * EPOCHS / (EPOCHS + 1), rel=0.05)
    assert durations[-1] > 3 * durations[0]   # it rests on its last picture
    last = watched[0].pictures[-1].convert("L").resize(frames[0].shape[::-1])
    assert np.abs(frames[-1] - np.asarray(last, float)).mean() < 6 < np.abs(frames[-1] - frames[0]).mean() + 5
    assert path.stat().st_size < 1_000_000


def test_there_is_nothing_to_save_before_a_training(cards, tmp_path):
    with pytest.raises(ValueError, match=r"nothing to save yet: pass this view to fit\(…, callback=…\)"):
        LiveTraining(cards.images).save(tmp_path / "training.webp")
    assert list(tmp_path.iterdir()) == []


def test_images_are_checked_before_the_training(cards):
    with pytest.raises(ValueError, match="^images must be .* real numbers"):
        LiveTraining(cards.images[0])
    of_bytes, model = LiveTraining((cards.images * 255).astype(np.uint8)), VAE((24, 24))
    for train in (lambda: fit(model, cards.images, epochs=1, progress=False, callback=of_bytes),
                  lambda: of_bytes.start(model, cards.images)):
        with pytest.raises(ValueError, match=r"^images must lie in \[0, 1\]; got 0 … 255"):
            train()
    with pytest.raises(ValueError, match="^model must draw images"):
        LiveTraining(cards.images).start(VAE((400,)), cards.images)


def test_counts_of_electrons_are_drawn_as_grey_values(cards):
    counts = 40 * cards.images[:100]
    live, model = LiveTraining(counts, frames=1), VAE((24, 24), likelihood="poisson")
    grids = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "training_view", lambda images, *_: grids.append(images) or SimpleNamespace(picture=None))
        fit(model, counts, epochs=10, progress=False, callback=live)
    expected = model.decode(latent_grid(10, 3.0)) / float(model.likelihood.white)
    assert np.allclose(grids[-1], expected, atol=1e-6) and 0.5 < grids[-1].max() < 4


# ---------------------------------------------------------------------- in the background

@pytest.fixture
def small(monkeypatch):
    """A view that draws nothing, and a small model."""
    drawn = SimpleNamespace(picture=None, _repr_mimebundle_=lambda: [{"text/html": ""}])
    monkeypatch.setattr(module, "training_view", lambda *args: drawn)
    return LiveTraining(np.eye(4)[None], frames=3), VAE((4, 4), hidden=4)


IMAGES = np.random.default_rng(0).uniform(size=(40, 4, 4)).astype(np.float32)


def test_a_started_training_learns_what_fit_learns(small):
    live, model = small
    history = live.start(model, IMAGES, epochs=3).wait()
    assert history.loss == fit(VAE((4, 4), hidden=4), IMAGES, epochs=3, progress=False).loss
    assert live._controls.words.value.startswith("epoch 3 of 3") and live._controls.words.value.endswith("finished")


def test_it_is_paused_goes_on_and_is_stopped(small):
    live, model = small
    live.start(model, IMAGES, epochs=100_000)
    controls = live._controls
    controls.pause.value = True
    time.sleep(0.2)
    paused = controls.words.value
    time.sleep(0.2)
    assert controls.words.value == paused and controls.pause.description == "go on"
    controls.pause.value = False
    time.sleep(0.2)
    assert controls.words.value != paused and controls.pause.description == "pause"
    controls.pause.value = True
    controls.stop.click()   # paused or not
    assert live.wait().interrupted and controls.words.value.endswith("· stopped") and controls.pause.disabled


def test_what_goes_wrong_in_the_background_is_said_and_raised(small):
    live, model = small
    live.start(model, IMAGES[:, :3])
    with pytest.raises(ValueError, match="^images must be"):
        live.wait()
    assert live._controls.words.value.startswith("ValueError: images must be")


def test_a_view_has_one_training_and_waits_for_none_that_is_not_there(small):
    live, model = small
    with pytest.raises(ValueError, match="^there is nothing to wait for"):
        live.wait()
    live.start(model, IMAGES, epochs=1).wait()
    with pytest.raises(ValueError, match="^this view has a training already"):
        live.start(model, IMAGES)


def test_running_the_cell_again_stops_the_former_training_and_closes_its_buttons(small, monkeypatch):
    shell = SimpleNamespace(kernel=True, parent_header=dict(metadata=dict(cellId="live"), header=dict(msg_id="1"), content={}))
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", lambda shown: None)
    before = set(_instances)
    live = small[0].start(small[1], IMAGES, epochs=100_000)
    shell.parent_header = dict(metadata=dict(cellId="live"), header=dict(msg_id="2"), content={})
    second = LiveTraining(np.eye(4)[None]).start(VAE((4, 4), hidden=4), IMAGES, epochs=1)
    second.wait()
    assert live.history.interrupted and not live._controls.thread.is_alive()
    second._controls.close()
    assert set(_instances) == before
