"""The explorers: every slider works over its whole range, and the canvas shows what the model or the data say."""
import ipywidgets as widgets
import numpy as np
import pytest

from cardslib.cards import SUITS, render
from cardslib.digits import load_digits
from cardslib.explore import Canvas, CardExplorer, Explorer, LatentExplorer, ReconstructionExplorer
from cardslib.figures import mosaic
from cardslib.latents import Latents
from cardslib.models import VAE, Pose

SLIDERS = [(CardExplorer, "suit"), (CardExplorer, "rotation"), (CardExplorer, "shear"), (CardExplorer, "right"),
           (CardExplorer, "down"), (LatentExplorer, "z1"), (LatentExplorer, "z2"), (ReconstructionExplorer, "width"),
           (ReconstructionExplorer, "image")]


@pytest.fixture
def make(cards, trained):
    """A function from an explorer's class to an explorer."""
    def make(kind):
        if kind is CardExplorer:
            return CardExplorer()
        if kind is LatentExplorer:
            return LatentExplorer(trained, cards.images[:200], cards.suit[:200], SUITS)
        images = cards.images[:20]
        return ReconstructionExplorer(images, {width: np.clip(images * width / 8, 0, 1) for width in (1, 2, 4)})
    return make


@pytest.fixture(params=[CardExplorer, LatentExplorer, ReconstructionExplorer])
def explorer(request, make):
    return make(request.param)


def stops(slider):
    """Values over a slider's whole range: all of a selection, else up to 50 of its own steps, both ends among them."""
    if isinstance(slider, widgets.SelectionSlider):
        return list(slider.options)
    steps = round((slider.max - slider.min) / slider.step)
    chosen = np.unique(np.linspace(0, steps, 50).round().astype(int))
    return [type(slider.value)(slider.min + step * slider.step) for step in chosen]


def seen(explorer):
    """The picture on the canvas, in grey levels 0 … 255."""
    canvas = explorer.canvas
    return np.frombuffer(canvas.pixels, np.uint8).reshape(canvas.rows, canvas.columns).astype(int)


def near(picture, expected):
    """The same but for rounding to grey levels."""
    return picture.shape == expected.shape and np.abs(picture - 255 * expected).max() <= 0.501


# ---------------------------------------------------------------------- every slider of every explorer

@pytest.mark.parametrize("kind, name", SLIDERS, ids=lambda value: getattr(value, "__name__", value))
def test_moving_a_slider_over_its_whole_range_changes_picture_and_caption(make, kind, name):
    explorer = make(kind)
    slider = explorer.sliders[name]
    if slider.value == stops(slider)[0]:
        slider.value = stops(slider)[-1]
    before = explorer.canvas.pixels, explorer.canvas.caption
    for value in stops(slider):
        slider.value = value
        after = explorer.canvas.pixels, explorer.canvas.caption
        assert explorer.canvas.problem == ""
        assert after[0] != before[0] and after[1] != before[1], value
        assert len(after[0]) == explorer.canvas.rows * explorer.canvas.columns
        before = after


def test_no_slider_is_left_out_above(make):
    assert SLIDERS == [(kind, name) for kind in dict.fromkeys(kind for kind, _ in SLIDERS) for name in make(kind).sliders]
    assert {kind for kind, _ in SLIDERS} == set(Explorer.__subclasses__())


def test_all_sliders_at_their_ends_at_once_are_no_problem(explorer):
    for end in (0, -1):
        for slider in explorer.sliders.values():
            slider.value = stops(slider)[end]
            assert explorer.canvas.problem == ""


def test_moving_a_slider_back_brings_the_picture_back(explorer):
    first = explorer.canvas.pixels, explorer.canvas.caption
    for slider in explorer.sliders.values():
        start = slider.value
        slider.value = stops(slider)[-1]
        slider.value = start
    assert (explorer.canvas.pixels, explorer.canvas.caption) == first


def test_the_picture_is_there_before_any_slider_is_moved(explorer):
    assert explorer.canvas.pixels and explorer.canvas.rows and explorer.canvas.columns
    assert seen(explorer).max() > 100


def test_sliders_and_canvas_are_named_for_those_who_do_not_see_them(explorer):
    assert all(slider.description for slider in explorer.sliders.values())
    assert len(explorer.canvas.caption) > 10


def test_sliders_stand_beside_the_canvas(explorer):
    box, canvas = explorer.children
    assert list(box.children) == list(explorer.sliders.values()) and canvas is explorer.canvas


def test_while_no_kernel_runs_the_notebook_says_what_would_be_here(explorer):
    assert type(explorer).__name__ in repr(explorer) and all(name in repr(explorer) for name in explorer.sliders)


def test_the_canvas_is_shown_a_few_hundred_pixels_wide(explorer):
    assert 200 <= explorer.canvas.columns * explorer.canvas.zoom <= 800


# ---------------------------------------------------------------------- a card

def test_the_card_explorer_shows_what_a_model_gets(make):
    explorer = make(CardExplorer)
    for name, value in dict(suit="heart", rotation=30, shear=-10.5, right=0.1, down=-0.2).items():
        explorer.sliders[name].value = value
    expected = render([SUITS.index("heart")], [np.radians(30)], [np.radians(-10.5)], [(0.1, -0.2)], 48)[0]
    assert near(seen(explorer), expected)
    assert explorer.canvas.caption == "heart, turned by 30°, sheared by -10.5°, shifted by (0.10, -0.20)"


def test_the_card_explorer_covers_the_lectures_ranges(make):
    sliders = make(CardExplorer).sliders
    assert sliders["suit"].options == SUITS
    assert (sliders["rotation"].min, sliders["rotation"].max) == (-180, 180)
    assert (sliders["shear"].min, sliders["shear"].max) == (-20, 20)


@pytest.mark.parametrize("suit", SUITS)
def test_the_card_explorer_starts_with_any_suit_upright(suit):
    explorer = CardExplorer(suit, size=24)
    assert near(seen(explorer), render([SUITS.index(suit)], [0], [0], [(0, 0)], 24)[0])


# ---------------------------------------------------------------------- the latent space

def test_the_latent_explorer_shows_the_decoded_image_and_the_nearest_of_the_data(make, trained, cards):
    explorer = make(LatentExplorer)
    explorer.sliders["z1"].value, explorer.sliders["z2"].value = 1.0, -0.5
    apart = np.linalg.norm(trained.encode(cards.images[:200]).content - (1.0, -0.5), axis=1)
    nearest = apart.argmin()
    pair = np.stack([trained.decode([[1.0, -0.5]])[0], cards.images[nearest]])
    assert near(seen(explorer), mosaic(pair, 2))
    assert "z1 = 1.00, z2 = -0.50" in explorer.canvas.caption
    assert f"(a {SUITS[cards.suit[nearest]]}), {apart[nearest]:.2f} away" in explorer.canvas.caption


@pytest.mark.parametrize("content", [1, 3, 11])
def test_there_is_a_slider_a_latent(cards, content):
    explorer = LatentExplorer(VAE((24, 24), content=content), cards.images[:10])
    assert list(explorer.sliders) == [f"z{number}" for number in range(1, content + 1)]
    assert explorer.canvas.problem == "" and explorer.canvas.caption.count("=") == content


@pytest.fixture(scope="module")
def posed(cards):
    """A model with every part of a pose, not trained: what it draws is smooth and nowhere symmetric."""
    return VAE((24, 24), pose=Pose(rotation=True, shift=0.2, scale=0.1, shear=True), seed=3)


def test_a_model_with_a_pose_has_sliders_for_its_parts(posed, cards):
    explorer = LatentExplorer(posed, cards.images[:10])
    assert list(explorer.sliders) == ["z1", "z2", "rotation", "right", "down", "scale", "shear"]
    assert list(LatentExplorer(VAE((24, 24), pose=Pose(shift=0.1)), cards.images[:10]).sliders) == ["z1", "z2", "right", "down"]


def test_each_pose_slider_is_swept_without_a_problem_and_leaves_the_canonical_picture_alone(posed, cards):
    explorer = LatentExplorer(posed, cards.images[:10])
    side = 24 * 2 + 1   # a tile of the mosaic, with its line
    moved, canonical = seen(explorer)[:, :side], seen(explorer)[:, side:2 * side]
    for name in ("rotation", "right", "down", "scale", "shear"):
        for value in stops(explorer.sliders[name]):
            explorer.sliders[name].value = value
            assert explorer.canvas.problem == "" and np.array_equal(seen(explorer)[:, side:2 * side], canonical), (name, value)
        assert not np.array_equal(seen(explorer)[:, :side], moved), name
        explorer.sliders[name].value = 0


def test_the_pose_sliders_mean_what_they_say(posed, cards):
    explorer = LatentExplorer(posed, cards.images[:10])
    for name, value in dict(z1=1.0, rotation=30, right=0.1, down=-0.2, scale=0.1, shear=-10).items():
        explorer.sliders[name].value = value
    latents = Latents(np.array([[1.0, 0.0]]), angle=np.radians([30.0]), shift=np.array([[0.1, -0.2]]), scale=np.array([0.1]),
                      shear=np.radians([-10.0]))
    assert near(seen(explorer)[:48, :48], mosaic(posed.decode(latents), 1))


def test_small_digits_can_be_explored_too():
    digits = load_digits()
    explorer = LatentExplorer(VAE((8, 8)), digits.images[:50], digits.label[:50], range(10))
    assert explorer.canvas.problem == "" and explorer.canvas.rows == 32
    assert any(f"(a {digit})" in explorer.canvas.caption for digit in range(10))


def test_images_that_do_not_fit_the_model_are_refused_at_once(trained, cards):
    with pytest.raises(ValueError, match=r"^images must be \(24, 24\) pixels each"):
        LatentExplorer(trained, cards.images[:, :20])


@pytest.mark.parametrize("given", [dict(labels=np.zeros(10, int)), dict(names=SUITS)])
def test_labels_and_their_names_go_together(trained, cards, given):
    with pytest.raises(ValueError, match="^labels and names go together"):
        LatentExplorer(trained, cards.images[:10], **given)


def test_without_labels_the_nearest_image_has_no_name(trained, cards):
    explorer = LatentExplorer(trained, cards.images[:10])
    assert explorer.canvas.problem == "" and "(a " not in explorer.canvas.caption


# ---------------------------------------------------------------------- reconstructions

def test_the_reconstruction_explorer_shows_original_reconstruction_and_difference(make, cards):
    explorer = make(ReconstructionExplorer)
    explorer.sliders["width"].value, explorer.sliders["image"].value = 4, 7
    original, made = cards.images[7], cards.images[7] * 4 / 8
    assert near(seen(explorer), mosaic(np.stack([original, made, np.abs(original - made)]), 3))
    error = np.mean((original - made) ** 2)
    assert explorer.canvas.caption == f"image 7 | through a bottleneck of 4 | difference: mean squared error {error:.4f}"


def test_reconstructions_of_another_size_are_refused_at_once(cards):
    with pytest.raises(ValueError, match=r"^reconstructions must be \(24, 24\) pixels each"):
        ReconstructionExplorer(cards.images[:5], {2: cards.images[:5, :20]})


# ---------------------------------------------------------------------- errors and the canvas

def test_an_error_is_shown_in_words_and_goes_away_when_it_works_again():
    def draw(level):
        if level == 3:
            raise ZeroDivisionError("three is not allowed")
        return np.full((2, 2), level / 5), f"level {level}"

    explorer = Explorer(dict(level=widgets.IntSlider(0, 0, 5)), draw, zoom=1)
    explorer.sliders["level"].value = 3
    assert explorer.canvas.problem == "ZeroDivisionError: three is not allowed"
    explorer.sliders["level"].value = 4
    assert explorer.canvas.problem == "" and explorer.canvas.caption == "level 4"
    assert set(explorer.canvas.pixels) == {204}


def test_an_error_before_any_slider_is_moved_is_shown_as_well():
    explorer = Explorer({}, lambda: [][0], zoom=1)
    assert explorer.canvas.problem == "IndexError: list index out of range"


def test_the_canvas_takes_grey_levels_row_by_row():
    canvas = Canvas()
    canvas.show(np.array([[0, 0.25, 1], [-3, 7, 0.5]]), "words")
    assert (canvas.rows, canvas.columns) == (2, 3) and canvas.caption == "words"
    assert list(canvas.pixels) == [0, 64, 255, 0, 255, 128]   # what lies outside 0 … 1 is cut off


def test_size_bytes_and_words_reach_the_page_in_one_message(monkeypatch):
    canvas, messages = Canvas(), []
    monkeypatch.setattr(canvas, "_send", lambda message, buffers=None: messages.append(message))
    canvas.show(np.ones((2, 3)), "words")
    assert [set(message["state"]) | set(*message["buffer_paths"]) for message in messages] == [
        {"rows", "columns", "caption", "pixels"}]
