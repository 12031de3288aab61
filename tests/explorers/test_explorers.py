"""The explorers in Python: sliders, what is told to the page, what goes wrong, and that nothing is left behind.

That the page then shows what it should is in test_page_decoders.py, course/test_site.py and test_browser.py.
"""
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from jupyter_client.manager import start_new_kernel

from cardslib.cards import SUITS, render
from cardslib.digits import load_digits
from cardslib.explorers import (
    CardExplorer,
    LatentExplorer,
    ManifoldExplorer,
    PictureExplorer,
    ReconstructionExplorer,
    StyleExplorer,
    images,
    latent,
)
from cardslib.explorers.decoder import DecoderExplorer, latents_of
from cardslib.explorers.latent import TravelExplorer
from cardslib.explorers.widget import Explorer
from cardslib.models import VAE, Latents, Pose
from cardslib.training import fit

EXPLORERS = [CardExplorer, LatentExplorer, ManifoldExplorer, StyleExplorer, ReconstructionExplorer, PictureExplorer]


@pytest.fixture(scope="module")
def posed():
    """A model with every part of a pose, not trained: what it draws is smooth and nowhere symmetric."""
    return VAE((24, 24), pose=Pose(rotation=True, shift=0.2, scale=0.1, shear=True), seed=3)


@pytest.fixture
def make(cards, trained):
    """A function from an explorer's class to an explorer."""
    def make(explorer):
        if explorer is CardExplorer:
            return CardExplorer()
        if explorer is LatentExplorer:
            return LatentExplorer(trained, cards.images[:200], cards.suit[:200], SUITS)
        if explorer is ReconstructionExplorer:
            images = cards.images[:20]
            return ReconstructionExplorer(images, {width: np.clip(images * width / 8, 0, 1) for width in (1, 2, 4)})
        if explorer is PictureExplorer:
            return PictureExplorer("β", {beta: cards.images[0] * beta / 4 for beta in (1, 2, 4)}, start=2)
        return explorer(VAE((24, 24), classes=4), SUITS)
    return make


@pytest.fixture(params=EXPLORERS)
def explorer(request, make):
    return make(request.param)


def stops(slider):
    """Values over a slider's whole range: all of a selection, else up to 20 of its own steps, both ends among them."""
    if isinstance(slider, widgets.SelectionSlider):
        return [option for _, option in slider.options]
    steps = round((slider.max - slider.min) / slider.step)
    chosen = np.unique(np.linspace(0, steps, 20).round().astype(int))
    return [type(slider.value)(slider.min + step * slider.step) for step in chosen]


# ---------------------------------------------------------------------- sliders, and what the page is told

def test_each_slider_is_swept_over_its_whole_range(explorer):
    for name, slider in explorer.sliders.items():
        pictures = set()
        for value in stops(slider):
            slider.value = value
            panels = explorer.panels(**explorer.values)
            assert all(image.min() >= 0 and image.max() <= 1 for image in panels.values())
            pictures.add(b"".join(image.tobytes() for image in panels.values()))
        assert len(pictures) > 1 or name == "image", name   # the nearest image is chosen by the content


def test_every_slider_is_linked_to_the_widget_in_the_page(explorer):
    links = {(link.source[0].model_id, link.source[1]): link.target for link in explorer._links}
    assert len(links) == len(explorer.sliders)
    for name, slider in explorer.sliders.items():
        widget, trait = links[slider.model_id, "index" if isinstance(slider, widgets.SelectionSlider) else "value"]
        assert widget is explorer.widget and trait == name and widget.traits(sync=True)[name]
        assert getattr(widget, name) == explorer.values[name]


def test_the_page_knows_name_range_and_words_of_every_slider(explorer):
    for (name, slider), about in zip(explorer.sliders.items(), explorer.widget.spec["sliders"], strict=True):
        assert about["name"] == name and about["label"] == slider.description != ""
        if isinstance(slider, widgets.SelectionSlider):
            assert about["options"] == [str(option) for option in stops(slider)] and about["max"] == len(stops(slider)) - 1
        else:
            assert (about["min"], about["max"], about["step"]) == (slider.min, slider.max, slider.step)


def test_what_the_page_is_told_is_json_and_small(explorer):
    json.dumps(explorer.widget.spec)
    assert len(explorer.html().encode()) < 500_000


def test_sliders_stand_beside_the_widget(explorer):
    box, widget = explorer.children
    assert list(box.children) == list(explorer.sliders.values()) and widget is explorer.widget


def test_where_no_widget_is_shown_there_is_a_still_with_words(explorer):
    shown = explorer._repr_mimebundle_()
    assert shown["text/plain"] == repr(explorer) and all(name in repr(explorer) for name in explorer.sliders)
    assert shown["text/html"].startswith('<img alt="') and "data:image/webp" in shown["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_no_explorer_is_left_out_above():
    found = {one for module in (images, latent) for one in vars(module).values()
             if isinstance(one, type) and issubclass(one, Explorer)}
    assert found - {Explorer, DecoderExplorer, TravelExplorer} == set(EXPLORERS)


# ---------------------------------------------------------------------- a card

@pytest.mark.parametrize("suit", SUITS)
def test_the_card_explorer_starts_with_any_suit_upright(suit):
    explorer = CardExplorer(suit, size=24)
    panels = explorer.panels(**explorer.values)
    assert list(panels) == [suit] and np.array_equal(panels[suit], render([SUITS.index(suit)], [0], [0], [(0, 0)], 24)[0])


def test_the_card_explorer_covers_the_lectures_ranges(make):
    sliders = make(CardExplorer).sliders
    assert stops(sliders["suit"]) == list(SUITS)
    assert (sliders["rotation"].min, sliders["rotation"].max) == (-180, 180)
    assert (sliders["shear"].min, sliders["shear"].max) == (-20, 20)


def test_a_suit_that_is_none_is_refused():
    with pytest.raises(ValueError, match="^suit must be one of club, spade, heart, diamond; got 'joker'"):
        CardExplorer("joker")


# ---------------------------------------------------------------------- the latent space

@pytest.mark.parametrize("content", [1, 3, 11])
def test_there_is_a_slider_a_latent(cards, content):
    explorer = LatentExplorer(VAE((24, 24), content=content), cards.images[:10])
    assert list(explorer.sliders) == [*(f"z{number}" for number in range(1, content + 1)), "image"]


def test_a_model_with_a_pose_has_sliders_for_its_parts(posed, cards):
    explorer = LatentExplorer(posed, cards.images[:10])
    assert list(explorer.sliders) == ["z1", "z2", "rotation", "right", "down", "scale", "shear", "image"]
    only_shift = LatentExplorer(VAE((24, 24), pose=Pose(shift=0.1)), cards.images[:10])
    assert list(only_shift.sliders) == ["z1", "z2", "right", "down", "image"]
    nameless = LatentExplorer(VAE((24, 24), content=0, pose=Pose(rotation=True)), cards.images[:10])
    assert list(nameless.sliders) == ["rotation", "image"] and "map" not in nameless.widget.spec


def test_a_conditional_model_has_a_slider_for_its_class(cards):
    explorer = LatentExplorer(VAE((24, 24), classes=4), cards.images[:80], cards.suit[:80], SUITS)
    assert list(explorer.sliders) == ["z1", "z2", "class", "image"]
    for number, suit in enumerate(SUITS):
        explorer.sliders["class"].value = suit
        panels = explorer.panels(**explorer.values)
        assert np.allclose(panels["decoded"], explorer.model.decode([[0, 0]], [number])[0], atol=1e-6)
        assert list(panels)[-1].endswith(f"a {suit}")   # the nearest image is one of that class


def test_groups_and_conditions_have_sliders_too(cards):
    images = cards.images[:20]
    joint = LatentExplorer(VAE((24, 24), content=0, pose=Pose(rotation=True), groups=4), images)
    assert list(joint.sliders) == ["group", "rotation", "image"]
    told = LatentExplorer(VAE((24, 24), content=1, conditions=2), images, conditions=np.zeros((20, 2)))
    assert list(told.sliders) == ["z1", "condition1", "condition2", "image"]
    for explorer, name, value in ((joint, "group", 3), (told, "condition2", 1.5)):
        before = explorer.panels(**explorer.values)["decoded"]
        explorer.sliders[name].value = value
        assert not np.array_equal(explorer.panels(**explorer.values)["decoded"], before)


def test_sliders_and_latents_say_the_same(posed, cards):
    rows = [dict(z1=1.0, z2=-0.5, rotation=30, right=0.1, down=-0.2, scale=0.1, shear=-10)]
    expected = Latents(np.array([[1.0, -0.5]]), angle=np.radians([30.0]), shift=np.array([[0.1, -0.2]]), scale=np.array([0.1]),
                       shear=np.radians([-10.0]))
    assert np.allclose(posed.decode(latents_of(posed, rows)), posed.decode(expected), atol=1e-6)


def test_the_canonical_picture_is_moved_by_the_content_only(posed, cards):
    explorer = LatentExplorer(posed, cards.images[:10])
    first = explorer.panels(**explorer.values)
    for name in ("rotation", "right", "down", "scale", "shear"):
        explorer.sliders[name].value = explorer.sliders[name].max
    then = explorer.panels(**explorer.values)
    assert np.array_equal(first["in pose zero"], then["in pose zero"]) and not np.allclose(first["decoded"], then["decoded"])


def test_the_nearest_image_is_the_nearest(make, trained, cards):
    explorer = make(LatentExplorer)
    explorer.sliders["z1"].value, explorer.sliders["z2"].value = 1.0, -0.5
    nearest = np.linalg.norm(explorer.shown.latents.content - (1.0, -0.5), axis=1).argmin()
    title, image = list(explorer.panels(**explorer.values).items())[-1]
    assert np.array_equal(image, explorer.shown.images[nearest])
    assert title == f"image {nearest}, a {SUITS[explorer.shown.label[nearest]]}"
    assert any(np.array_equal(image, card) and SUITS[suit] in title for card, suit in zip(cards.images[:200], cards.suit))


def test_only_images_within_reach_of_the_sliders_are_offered(trained, cards):
    explorer = LatentExplorer(trained, cards.images, span=1.0)
    assert 0 < len(explorer.shown.images) < len(cards) and np.abs(explorer.shown.latents.content).max() <= 1
    assert explorer.sliders["image"].max == len(explorer.shown.images) - 1


def test_many_images_do_not_make_the_page_large(trained, rng=np.random.default_rng(0)):   # noqa: B008
    noise = rng.uniform(size=(3000, 24, 24)).astype(np.float32)
    explorer = LatentExplorer(trained, noise, span=10)
    assert 10 < len(explorer.shown.images) < 200 and len(explorer.html()) < 400_000


def test_small_digits_can_be_explored_too():
    digits = load_digits()
    explorer = LatentExplorer(VAE((8, 8)), digits.images[:50], digits.label[:50], range(10))
    assert any(list(explorer.panels(**explorer.values))[-1].endswith(f", a {digit}") for digit in range(10))


@pytest.mark.parametrize("explorer, arguments, problem", [
    (LatentExplorer, dict(labels=np.zeros(10, int)), "^labels and names go together"),
    (LatentExplorer, dict(names=SUITS), "^labels and names go together"),
    (LatentExplorer, dict(labels=np.full(10, 4), names=SUITS), r"^labels must lie within 0 … 3"),
    (LatentExplorer, dict(span=-1), "^span must be a finite number of at least 0.1"),
    (ManifoldExplorer, dict(grid=1), "^grid must be a whole number of at least 2"),
])
def test_arguments_that_do_not_fit_are_named(trained, cards, explorer, arguments, problem):
    data = [cards.images[:10]] if explorer is LatentExplorer else []
    with pytest.raises(ValueError, match=problem):
        explorer(trained, *data, **arguments)


def test_models_that_do_not_fit_are_named(trained, cards):
    conditional = VAE((24, 24), classes=4)
    with pytest.raises(ValueError, match=r"^images must be \(24, 24\) pixels each"):
        LatentExplorer(trained, cards.images[:, :20])
    with pytest.raises(ValueError, match="^labels are missing: this VAE is conditional on 4 classes"):
        LatentExplorer(conditional, cards.images[:10])
    for explorer in (StyleExplorer, ManifoldExplorer):
        with pytest.raises(ValueError, match="^names must name the 4 classes of this model; got 3"):
            explorer(conditional, SUITS[:3])
    with pytest.raises(ValueError, match="^model must be conditional for a StyleExplorer"):
        StyleExplorer(trained)
    with pytest.raises(ValueError, match="^model must have content latents for a grid"):
        ManifoldExplorer(VAE((8, 8), content=0, pose=Pose(rotation=True)))


def test_classes_without_names_are_numbered():
    explorer = StyleExplorer(VAE((8, 8), classes=3))
    assert list(explorer.panels(**explorer.values)) == ["0", "1", "2"] and list(explorer.sliders) == ["z1", "z2"]


# ---------------------------------------------------------------------- other likelihoods

@pytest.mark.parametrize("likelihood, unit, black", [("poisson", 40, 0), ("gaussian", 7, -100)])
@pytest.mark.parametrize("pose", [None, Pose(shift=0.1)], ids=["dense", "warp"])
def test_data_in_any_unit_are_shown_as_grey_values(cards, likelihood, unit, black, pose):
    images = black + unit * cards.images[:200]
    model = VAE((24, 24), likelihood=likelihood, pose=pose, classes=4)
    fit(model, images, cards.suit[:200], epochs=30, progress=False)
    explorer = LatentExplorer(model, images, cards.suit[:200], SUITS)
    away = np.abs(explorer.shown.images[:, None] - cards.images[None, :200]).max((2, 3))   # black is 0 and white 1
    assert away.min(1).max() < 0.01
    for other in (explorer, ManifoldExplorer(model, SUITS), StyleExplorer(model, SUITS)):
        image = next(iter(other.panels(**other.values).values()))
        label = SUITS.index("club")
        expected = (model.decode([[0, 0]], [label])[0] - black) / unit
        assert np.allclose(image, expected.clip(0, 1), atol=0.01) and image.max() > 0.5


def test_images_are_checked_by_the_model(cards):
    some = cards.images[:10]
    for likelihood, wrong, problem in (("poisson", -some, "^images must be counts of electrons"),
                                       ("bernoulli", 40 * some, r"^images must lie in \[0, 1\]"),
                                       ("gaussian", np.where(some > 0.5, np.inf, some), "^images must be finite")):
        with pytest.raises(ValueError, match=problem):
            LatentExplorer(VAE((24, 24), likelihood=likelihood), wrong)


# ---------------------------------------------------------------------- reconstructions

def test_the_reconstruction_explorer_shows_reconstruction_original_and_difference(make, cards):
    explorer = make(ReconstructionExplorer)
    explorer.sliders["width"].value, explorer.sliders["image"].value = 4, 7
    original, made = cards.images[7], cards.images[7] * 4 / 8
    panels = explorer.panels(**explorer.values)
    assert list(panels) == ["through 4", "image 7", "difference"]
    assert all(map(np.allclose, panels.values(), (made, original, np.abs(original - made))))


@pytest.mark.parametrize("made, problem", [
    (lambda images: {2: images[:, :20]}, r"^reconstructions must be \(24, 24\) pixels each"),
    (lambda images: {2: images[:3]}, "^reconstructions must hold, for each width, one image for each"),
    (lambda images: {}, "^reconstructions must hold"),
])
def test_reconstructions_that_do_not_fit_are_refused_at_once(cards, made, problem):
    with pytest.raises(ValueError, match=problem):
        ReconstructionExplorer(cards.images[:5], made(cards.images[:5]))


# ---------------------------------------------------------------------- one of several pictures

def test_the_picture_explorer_shows_the_picture_of_its_setting(make, cards):
    explorer = make(PictureExplorer)
    (first, picture), = explorer.panels(**explorer.values).items()
    assert first == "β = 2" and np.allclose(picture, cards.images[0] / 2)
    explorer.sliders["setting"].value = 4
    assert np.allclose(explorer.panels(**explorer.values)["β = 4"], cards.images[0])


@pytest.mark.parametrize("pictures", [{}, {1: np.zeros((4, 4)), 2: np.zeros((4, 5))}])
def test_pictures_of_different_sizes_or_none_are_refused_at_once(pictures):
    with pytest.raises(ValueError, match="^pictures must hold one picture"):
        PictureExplorer("β", pictures)


# ---------------------------------------------------------------------- through the kernel

@pytest.fixture
def asked(monkeypatch):
    """A function that asks an explorer's kernel side as the page does, and returns the answer: (message, buffers)."""
    def asked(explorer, *rows):
        answers = []
        monkeypatch.setattr(explorer.widget, "send", lambda message, buffers=None: answers.append((message, buffers)))
        explorer.widget._handle_custom_msg(dict(number=7, rows=list(rows)), [])
        return answers[0]
    return asked


@pytest.mark.parametrize("decoder", ["spatial", "skip"])
def test_a_decoder_of_coordinates_is_computed_here_if_the_page_asks(asked, cards, decoder):
    model = VAE((24, 24), pose=Pose(shift=0.1), decoder=decoder)
    explorer = LatentExplorer(model, cards.images[:10])
    assert explorer.widget.spec["decoder"]["pointwise"]
    row = dict(z1=1.0, z2=0, right=0.1, down=0, image=3)
    message, (pixels,) = asked(explorer, row, {**row, "z2": 2.0})
    expected = model.decode(Latents(np.array([[1.0, 0], [1, 2]]), shift=np.array([[0.1, 0]] * 2)))
    assert message == dict(number=7)
    assert np.array_equal(np.frombuffer(pixels, np.float32).reshape(2, 24, 24), expected)


def test_what_goes_wrong_here_is_told_to_the_page(asked, trained, cards):
    explorer = LatentExplorer(trained, cards.images[:10])
    message, buffers = asked(explorer, dict(z1=float("nan"), z2=0))
    assert message == dict(number=7, problem="ValueError: content must be finite; got NaN or infinity") and buffers is None
    conditional = StyleExplorer(VAE((24, 24), classes=4), SUITS)
    message, _ = asked(conditional, {"z1": 0, "z2": 0, "class": 4})
    assert message["problem"].startswith("ValueError: labels must lie within 0 … 3")


def test_the_page_decodes_dense_and_warp_by_itself(trained, posed, cards):
    assert not any(LatentExplorer(model, cards.images[:5]).widget.spec["decoder"]["pointwise"] for model in (trained, posed))


# ---------------------------------------------------------------------- nothing is left behind

def test_a_closed_explorer_leaves_no_widget(explorer):
    before = set(_instances) - {widget.model_id for widget in _everything(explorer)}
    explorer.close()
    assert set(_instances) == before and explorer.sliders == {} and explorer.children == ()


def _everything(explorer):
    own = [explorer, *explorer.children, *explorer.sliders.values(), *explorer._links]
    return own + [getattr(widget, part) for widget in own for part in ("layout", "style")
                  if isinstance(getattr(widget, part, None), widgets.Widget)]


RERUN = """
from cardslib.explorers import LatentExplorer
explorer = LatentExplorer(model, images)
explorer
"""
BEGIN = """
import gc, tracemalloc
import numpy as np
from ipywidgets.widgets.widget import _instances
from cardslib.models import VAE
model, images = VAE((24, 24), hidden=32), np.random.default_rng(0).uniform(size=(60, 24, 24)).astype("float32")
"""
COUNT = "gc.collect(); print(len(_instances), tracemalloc.get_traced_memory()[0])"


def test_a_hundred_runs_of_a_cell_leave_the_widgets_of_one():
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, **one_thread})
    try:
        printed = []

        def run(code):
            client.execute_interactive(code, timeout=60, output_hook=lambda message: printed.append(message["content"]))
            return printed[-2].get("text", "")   # the last one says that the kernel is idle
        run(BEGIN)
        for _ in range(10):
            run(RERUN)
        run("tracemalloc.start()")
        run(RERUN)
        first = run(COUNT).split()
        for _ in range(90):
            run(RERUN)
        last = run(COUNT).split()
        assert first[0] == last[0]
        assert int(last[1]) - int(first[1]) < 90 * 15_000   # bytes: IPython keeps what each run has shown
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_two_explorers_of_one_run_both_stay(monkeypatch):
    shell = SimpleNamespace(kernel=True, parent_header=dict(metadata=dict(cellId="a"), header=dict(msg_id="1"), content={}))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    one, two = CardExplorer(size=8), CardExplorer(size=8)
    assert one.sliders and two.sliders
    shell.parent_header = dict(metadata=dict(cellId="b"), header=dict(msg_id="2"), content={})
    CardExplorer(size=8)
    assert one.sliders and two.sliders   # another cell
    shell.parent_header = dict(metadata=dict(cellId="a"), header=dict(msg_id="3"), content={})
    CardExplorer(size=8)
    assert not one.sliders and not two.sliders


def test_exploring_cards_does_not_import_the_site():
    program = "import sys; from cardslib.explorers import latent; sys.exit('nbconvert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
