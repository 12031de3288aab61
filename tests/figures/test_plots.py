"""The figures: each is a picture with words for those who do not see it, small, and draws the numbers that it was given."""
import base64
import inspect
import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from cardslib import figures
from cardslib.cards import SUITS, card_set
from cardslib.figures import drawings, maps, spectrum_images, vector_maps
from cardslib.figures import plots as module
from cardslib.figures.plots import (
    cards_study,
    curves,
    distributions,
    encoded_against_true,
    examples,
    latent_distribution,
    latent_representation,
    loss_by_term,
    representations,
    rows_of_images,
    training_view,
)
from cardslib.figures.style import SUIT_STYLE, Figure, enlargement, mosaic
from cardslib.training import History

rng = np.random.default_rng(0)
CARDS = card_set(4, per_suit=300, size=48)
CONTENT = rng.normal(size=(len(CARDS), 2))
GRID = CARDS.images[:64]   # stands for the decoded grid, 8×8
HISTORY = History(loss=[9.0, 7.0, 6.5], terms=dict(reconstruction=[8.0, 5.0, 4.5], content=[1.0, 2.0, 2.0]), seconds=[1, 2, 3])

MADE = dict(
    examples=lambda: examples(CARDS.images[:64], "sixty-four cards"),
    rows_of_images=lambda: rows_of_images(dict(cards=CARDS.images[:8], again=CARDS.images[8:16]), "two rows of cards"),
    latent_representation=lambda: latent_representation(GRID),
    latent_distribution=lambda: latent_distribution(CONTENT, CARDS.suit, SUITS),
    representations=lambda: representations({f"digit {i}": GRID for i in range(7)}, "seven grids in two rows"),
    distributions=lambda: distributions({"before": CONTENT, "after": CONTENT / 2}, "two clouds of latents", CARDS.suit, SUITS),
    cards_study=lambda: cards_study(CARDS, CONTENT, GRID, "Cards 4"),
    encoded_against_true=lambda: encoded_against_true(
        {"angle (°)": (CARDS.angle + 1, CARDS.angle), "shear (°)": (-CARDS.shear, CARDS.shear)}, CARDS.suit, SUITS,
        "two panels of lines"),
    loss_by_term=lambda: loss_by_term(HISTORY),
    training_view=lambda: training_view(GRID, CONTENT, CARDS.suit, SUITS, HISTORY, 9),
    curves=lambda: curves([1, 10, 100], dict(error=[3, 2, 1], bound=[4, 3, 2]), "steps", "error", "error falls", log=True))


@pytest.fixture(scope="module")
def drawn():
    """Every figure, drawn once: {name: (figure, data by MIME type, metadata)}."""
    made = {name: make() for name, make in MADE.items()}
    return {name: (figure, *figure._repr_mimebundle_()) for name, figure in made.items()}


def shown(axes):
    """The picture on axes, as it was given."""
    return np.asarray(axes.get_images()[0].get_array())


# ---------------------------------------------------------------------- every figure

def test_every_public_figure_is_tested_here():
    public = {name for name, function in inspect.getmembers(module, inspect.isfunction)
              if function.__module__ == module.__name__ and not name.startswith("_")}
    assert public == set(MADE)


def test_every_public_figure_is_found_in_the_folder_itself():
    public = {name for part in (module, drawings, maps, vector_maps, spectrum_images)
              for name, function in inspect.getmembers(part, inspect.isfunction)
              if function.__module__ == part.__name__ and not name.startswith("_")}
    assert public | {"Figure", "Map", "mosaic", "enlargement"} == set(figures.__all__)


@pytest.mark.parametrize("name", MADE)
def test_it_is_a_figure_with_alt_text(drawn, name):
    figure = drawn[name][0]
    assert isinstance(figure, Figure) and len(figure.alt) > 10


@pytest.mark.parametrize("name", MADE)
def test_a_notebook_gets_html_with_the_alt_text_and_a_png_for_every_other_reader(drawn, name):
    figure, data, metadata = drawn[name]
    assert f'alt="{figure.alt}"' in data["text/html"] and data["text/plain"] == f"Figure: {figure.alt}"
    assert metadata["image/png"]["alt"] == figure.alt
    png = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    webp = Image.open(io.BytesIO(base64.b64decode(data["text/html"].split("base64,")[1].split('"')[0])))
    assert png.format == "PNG" and webp.format == "WEBP"
    assert png.size == webp.size == figure.picture.size
    assert f'width="{metadata["image/png"]["width"]}"' in data["text/html"]


@pytest.mark.parametrize("name", MADE)
def test_it_is_small_but_not_empty(drawn, name):
    figure, data, _ = drawn[name]
    assert len(figure.png()) < 150_000 and len(data["text/html"]) < 150_000
    assert len(figure.picture.convert("L").getcolors()) > 20


@pytest.mark.parametrize("name", MADE)
def test_its_256_colours_look_like_all_of_them(drawn, name):
    figure = drawn[name][0]
    few = np.asarray(Image.open(io.BytesIO(figure.png())).convert("RGB"), float)
    assert np.abs(few - np.asarray(figure.picture, float)).mean() < 2   # of 255


@pytest.mark.parametrize("name", MADE)
def test_its_background_is_white_in_any_theme(drawn, name):
    assert drawn[name][0].picture.getpixel((0, 0)) == (255, 255, 255)


def test_words_with_signs_of_html_are_shown_as_they_are():
    data, _ = examples(CARDS.images[:2], 'a < b & "c"')._repr_mimebundle_()
    assert 'alt="a &lt; b &amp; &quot;c&quot;"' in data["text/html"]


def test_nothing_is_left_in_pyplot():
    """In a process of its own, since another test may import pyplot."""
    program = ("import sys, numpy; from cardslib import figures, explorers; "
               "figures.examples(numpy.zeros((2, 9, 9)), 'alt')._repr_mimebundle_(); "
               "sys.exit('matplotlib.pyplot' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_users_own_style_is_left_alone():
    with matplotlib.rc_context({"font.size": 17, "axes.grid": True, "figure.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert latent_distribution(CONTENT).picture
        assert dict(matplotlib.rcParams) == before


# ---------------------------------------------------------------------- mosaics

def test_a_mosaic_puts_each_image_where_it_belongs():
    images = rng.uniform(size=(6, 40, 50)).astype(np.float32)
    picture = mosaic(images, per_row=3)
    assert picture.shape == (2 * 40 + 1, 3 * 50 + 2)
    for k, image in enumerate(images):
        top, left = k // 3 * 41, k % 3 * 51
        assert np.array_equal(picture[top:top + 40, left:left + 50], image)


def test_a_mosaic_draws_a_grey_line_between_images():
    picture = mosaic(np.zeros((4, 40, 40), np.float32), per_row=2)
    assert (picture[40] > 0.2).all() and (picture[:, 40] > 0.2).all()
    assert (np.delete(np.delete(picture, 40, 0), 40, 1) == 0).all()


def test_a_mosaic_fills_its_last_row_with_grey():
    picture = mosaic(np.zeros((3, 40, 40), np.float32), per_row=2)
    assert picture.shape == (81, 81) and (picture[41:, 41:] > 0.2).all()


def test_a_mosaic_enlarges_small_images_pixel_by_pixel():
    images = rng.uniform(size=(2, 8, 8)).astype(np.float32)
    picture = mosaic(images, per_row=2)
    assert picture.shape == (32, 65)
    assert np.array_equal(picture[:, 33:], images[1].repeat(4, 0).repeat(4, 1))


# ---------------------------------------------------------------------- what each figure draws

def test_examples_are_drawn_in_reading_order(drawn):
    axes = drawn["examples"][0].axes[0]
    assert np.array_equal(shown(axes), mosaic(CARDS.images[:64], 8))
    assert axes.get_images()[0].origin == "upper" and axes.get_images()[0].get_clim() == (0, 1)


def test_examples_are_as_wide_as_asked():
    narrow, wide = (examples(CARDS.images[:16], "cards", per_row=4, width=width).picture for width in (3.0, 6.0))
    assert wide.width == 2 * narrow.width


def test_rows_of_images_are_named_and_in_order(drawn):
    figure = drawn["rows_of_images"][0]
    above, below = figure.axes
    assert above.get_position().y0 > below.get_position().y0
    for axes, name, label in zip((above, below), ("cards", "again"), figure.texts):
        assert label.get_text() == name and axes.get_position().y0 < label.get_position()[1] < axes.get_position().y1


def test_the_names_of_rows_are_whole_and_beside_their_images():
    rows = {"diamond, sheared and turned": CARDS.images[:9], "WWWWWWWWWWWWWW": CARDS.images[9:18]}
    figure = rows_of_images(rows, "Two rows of nine cards.")
    assert figure.picture
    for label, axes in zip(figure.texts, figure.axes):
        assert 0 <= label.get_window_extent().x0 and label.get_window_extent().x1 < axes.bbox.x0


def test_columns_are_named_above_their_images():
    names = ["club", "−120°", "a name of several words", *"defgh"]
    figure = rows_of_images(dict(cards=CARDS.images[:8], again=CARDS.images[8:16]), "two rows", columns=names)
    assert figure.picture
    above, columns = figure.axes[0], [text for text in figure.texts if text.get_text() not in ("cards", "again")]
    assert [text.get_text().replace("\n", " ") for text in columns] == names
    for number, text in enumerate(columns):
        box, image = text.get_window_extent(), above.bbox
        assert (box.x0 + box.x1) / 2 == pytest.approx(image.x0 + (number + 0.5) / 8 * image.width, abs=2)
        assert image.y1 - 2 <= box.y0 and box.y1 <= figure.bbox.y1 and box.width <= image.width / 8
    with pytest.raises(ValueError, match="^columns must hold a name for each of the 8 columns; got 2"):
        rows_of_images(dict(cards=CARDS.images[:8]), "a row", columns=["one", "two"])


def test_rows_of_images_hold_what_they_name(drawn):
    above, below = drawn["rows_of_images"][0].axes
    assert np.array_equal(shown(above), mosaic(CARDS.images[:8], 8))
    assert np.array_equal(shown(below), mosaic(CARDS.images[8:16], 8))


def test_the_latent_representation_has_the_axes_of_the_latent_grid():
    """The middle of the grid's first image is at z₁ = −span, z₂ = +span: in the upper left corner, where the axes say so."""
    axes = latent_representation(GRID, span=3.0).axes[0]
    left, right, bottom, top = axes.get_images()[0].get_extent()
    assert axes.get_images()[0].origin == "upper" and np.array_equal(shown(axes), mosaic(GRID, 8))
    share = 24 / shown(axes).shape[0]   # from the edge to the middle of the first of 48×48 pixels
    assert left + share * (right - left) == pytest.approx(-3, abs=0.02)
    assert top + share * (bottom - top) == pytest.approx(3, abs=0.02)
    assert axes.get_xlim() == (left, right) and axes.get_ylim() == (bottom, top)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z₁", "z₂")
    assert axes.get_xticks().tolist() == axes.get_yticks().tolist() == [-3, 0, 3]


def of_class(points, colour):
    """Of points that are drawn mixed, those in one colour: (m, 2), in the order of their first coordinate."""
    alike = np.isclose(points.get_facecolor()[:, :3], to_rgba(colour)[:3]).all(1)
    offsets = np.asarray(points.get_offsets())[alike]
    return offsets[np.argsort(offsets[:, 0])]


def in_order(points):
    return points[np.argsort(points[:, 0])]


def test_every_suit_has_its_colour_its_marker_and_its_own_points():
    axes = latent_distribution(CONTENT, CARDS.suit, SUITS).axes[0]
    points, *entries = axes.collections
    assert len(points.get_offsets()) == len(points.get_paths()) == len(CONTENT)
    for index, suit in enumerate(SUITS):
        assert np.allclose(of_class(points, SUIT_STYLE[suit][0]), in_order(CONTENT[CARDS.suit == index]))
    assert [entry.get_label() for entry in entries] == list(SUITS)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(SUITS)
    assert len({style for style in SUIT_STYLE.values()}) == len({marker for _, marker in SUIT_STYLE.values()}) == 4


def test_no_suit_is_hidden_behind_the_one_that_is_drawn_last():
    """All four at the same places: whichever lies on top, it is each of them at about a quarter of the places."""
    places = np.repeat(rng.normal(size=(300, 2)), 4, 0)
    points = latent_distribution(places, np.tile(range(4), 300), SUITS).axes[0].collections[0]
    top = {tuple(place): tuple(colour[:3]) for place, colour in zip(points.get_offsets(), points.get_facecolor())}
    seen = [sum(colour == to_rgba(SUIT_STYLE[suit][0])[:3] for colour in top.values()) for suit in SUITS]
    assert sum(seen) == 300 and min(seen) > 50


def test_a_point_has_the_marker_of_its_class(drawn):
    points, *entries = drawn["latent_distribution"][0].axes[0].collections
    for entry in entries:
        alike = np.isclose(points.get_facecolor()[:, :3], entry.get_facecolor()[0][:3]).all(1)
        assert {points.get_paths()[index].vertices.tobytes() for index in np.flatnonzero(alike)} == {
            entry.get_paths()[0].vertices.tobytes()}


def test_ten_classes_are_told_apart_by_their_digit():
    axes = latent_distribution(CONTENT, np.arange(len(CONTENT)) % 10, range(10)).axes[0]
    points, *entries = axes.collections
    assert [entry.get_label() for entry in entries] == [str(digit) for digit in range(10)]
    assert len({path.vertices.tobytes() for path in points.get_paths()}) == 10
    assert len({colour.tobytes() for colour in points.get_facecolor()}) == 10   # and by its colour


def test_points_without_labels_are_all_drawn():
    points, = latent_distribution(CONTENT).axes[0].collections
    assert np.allclose(in_order(np.asarray(points.get_offsets())), in_order(CONTENT))


@pytest.mark.parametrize("most, cyclic, colours, high", [
    (20, False, "viridis", 20), (120, False, "viridis", 120), (120, True, "twilight", 180), (180, True, "twilight", 180),
    (12, True, "coolwarm", 12), (89.5, True, "coolwarm", 90)])
def test_a_quantity_is_drawn_in_its_colour_map_with_its_unit(most, cyclic, colours, high):
    """Angles in cyclic colours only if they span more than half a circle: ±180° are then one colour."""
    values = np.linspace(-most, most, len(CONTENT))
    figure = latent_distribution(CONTENT, values=values, unit="°", cyclic=cyclic)
    assert figure.picture
    points, bar = figure.axes[0].collections[0], figure.axes[1]
    assert np.array_equal(points.get_array(), values) and points.get_cmap().name == colours
    assert points.get_clim() == (-high, high)   # zero in the middle of the map
    assert [text.get_text() for text in bar.get_yticklabels()] == [f"{tick:g}°" for tick in (-high, 0, high)]
    first, last = points.to_rgba([-high, high])
    assert (np.abs(first - last).max() < 0.1) == (colours == "twilight")


def test_points_at_zero_are_seen_on_white():
    points = latent_distribution(CONTENT, values=np.linspace(-12, 12, len(CONTENT)), cyclic=True).axes[0].collections[0]
    assert points.to_rgba([0.0])[0, :3].max() < 0.9


def test_a_quantity_that_is_never_negative_is_coloured_from_zero():
    points = latent_distribution(CONTENT, values=np.abs(CARDS.shear)).axes[0].collections[0]
    assert points.get_clim()[0] == 0


def test_the_cards_study_colours_the_same_cloud_by_suit_shear_and_angle(drawn):
    figure = drawn["cards_study"][0]
    by_title = {axes.get_title(): axes for axes in figure.axes}
    assert np.array_equal(shown(by_title["Cards 4: example of data"]), mosaic(CARDS.images[:64], 8))
    assert np.array_equal(shown(by_title["Latent representation"]), mosaic(GRID, 8))
    assert [entry.get_label() for entry in by_title["coloured by suit"].collections[1:]] == list(SUITS)
    for name in ("shear", "angle"):
        points = by_title[f"coloured by {name}"].collections[0]
        assert np.allclose(points.get_array(), np.degrees(getattr(CARDS, name)))
        assert np.allclose(points.get_offsets(), CONTENT)
    assert "Cards 4" in figure.alt and "shear" in figure.alt


def test_with_a_pose_the_cards_study_draws_encoded_against_true_angle():
    figure = cards_study(CARDS, CONTENT, GRID, "Cards 4", angle=CARDS.angle + 0.5)
    panel = {axes.get_title(): axes for axes in figure.axes}["encoded and true angle (°)"]
    for index, suit in enumerate(SUITS):
        true = np.sort(np.degrees(CARDS.angle[CARDS.suit == index]))
        shown = of_class(panel.collections[0], SUIT_STYLE[suit][0])
        assert np.allclose(shown, np.stack([true, true + np.degrees(0.5)], 1))
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("true", "encoded") and "encoded angle" in figure.alt


def test_each_panel_draws_what_was_encoded_against_what_is_true(drawn):
    angle, shear = drawn["encoded_against_true"][0].axes
    assert (angle.get_title(), shear.get_title()) == ("angle (°)", "shear (°)")
    hearts = np.sort(CARDS.shear[CARDS.suit == 2])
    assert np.allclose(of_class(shear.collections[0], SUIT_STYLE["heart"][0]), np.stack([hearts, -hearts], 1))
    assert [entry.get_label() for entry in shear.collections[1:]] == list(SUITS)
    assert shear.get_legend() and not angle.get_legend()


def test_terms_that_begin_later_are_drawn_where_they_belong_and_told_apart():
    terms = dict(HISTORY.terms, angle=[3.0, 3.0, 3.0])
    guidance = dict(neighbours=[1.0, 0.5, 0.2], side=[0.4])
    right = loss_by_term(History(HISTORY.loss, terms, guidance, HISTORY.seconds)).axes[1]
    lines = {line.get_label(): line for line in right.lines}
    assert set(lines) == {"divergence of content", "divergence of angle", "guidance: neighbours", "guidance: side"}
    assert list(lines["guidance: side"].get_xdata()) == [3] and len({line.get_color() for line in right.lines}) == 4


@pytest.mark.parametrize("figure", [
    loss_by_term(HISTORY), curves([1, 2], {f"curve {n}": [n, 3 - n] for n in range(4)}, "x", "y", alt="four curves"),
    curves([1, 2], {"a name so long that it takes more than one line": [1, 2]}, "x", "y", alt="a curve")])
def test_legends_are_off_the_curves_and_name_each(figure):
    assert figure.picture
    for axes in figure.axes:
        box = axes.get_legend().get_window_extent()
        assert box.y0 >= axes.bbox.y1 - 1
        assert [text.get_text().replace("\n", " ") for text in axes.get_legend().get_texts()] == [
            line.get_label() for line in axes.lines]


def test_curves_of_two_units_have_two_panels():
    lines = {"error (°)": dict(rvae=[2, 1], pca=[3, 2]), "error (pm)": dict(rvae=[20, 10])}
    degrees, picometres = curves([10, 100], lines, "dose", None, "errors against the dose", log=True).axes
    assert (degrees.get_ylabel(), picometres.get_ylabel()) == ("error (°)", "error (pm)")
    assert [list(line.get_ydata()) for line in degrees.lines] == [[2, 1], [3, 2]]
    assert [list(line.get_ydata()) for line in picometres.lines] == [[20, 10]]


def test_curves_may_each_have_an_x_of_their_own():
    axes = curves(None, dict(slow=([1, 9], [2, 1]), fast=([0, 1, 2], [3, 2, 1])), "seconds", "loss", "two losses").axes[0]
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 9], [0, 1, 2]]


def test_the_loss_is_drawn_term_by_term(drawn):
    left, right = drawn["loss_by_term"][0].axes
    lines = {line.get_label(): line for axes in (left, right) for line in axes.lines}
    assert {name: line.get_ydata().tolist() for name, line in lines.items()} == {
        "−ELBO": [9.0, 7.0, 6.5], "reconstruction (−log-likelihood)": [8.0, 5.0, 4.5], "divergence of content": [1.0, 2.0, 2.0]}
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in lines.values())
    assert lines["divergence of content"] in right.lines and right.get_ylabel() == "nats an image"


def test_what_guided_the_model_is_no_divergence_and_no_part_of_the_loss(drawn):
    guided = History(HISTORY.loss, HISTORY.terms, dict(neighbours=[1.0, 0.5, 0.2]), HISTORY.seconds)
    (left, right), (left_alone, _) = loss_by_term(guided).axes, drawn["loss_by_term"][0].axes
    assert [line.get_label() for line in right.lines] == ["divergence of content", "guidance: neighbours"]
    assert [line.get_ydata().tolist() for line in left.lines] == [line.get_ydata().tolist() for line in left_alone.lines]


def test_the_loss_of_a_training_that_was_stopped_in_its_first_epoch_can_be_drawn():
    left, right = loss_by_term(History(interrupted=True)).axes
    assert not right.lines and all(len(line.get_xdata()) == 0 for line in left.lines)


def test_the_training_view_says_how_far_it_is(drawn):
    grid, cloud, loss = drawn["training_view"][0].axes
    assert loss.get_title() == "epoch 3 of 9" and loss.lines[0].get_ydata().tolist() == HISTORY.loss
    assert loss.get_xlim()[1] >= 9   # room for what is to come
    assert np.array_equal(shown(grid), mosaic(GRID, 8))
    assert len(cloud.collections[0].get_offsets()) == len(CONTENT) and loss.get_ylabel() == "−ELBO, nats an image"


def test_the_training_view_can_be_drawn_before_the_first_epoch():
    assert training_view(GRID, CONTENT, CARDS.suit, SUITS, History(), 9).axes[2].get_title() == "epoch 0 of 9"


def test_curves_are_named_and_told_apart_without_colour(drawn):
    axes = drawn["curves"][0].axes[0]
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == dict(error=[3, 2, 1], bound=[4, 3, 2])
    assert len({(line.get_linestyle(), line.get_marker()) for line in axes.lines}) == 2
    assert axes.get_xscale() == "log" and [text.get_text() for text in axes.get_xticklabels()] == ["1", "10", "100"]


def test_more_curves_than_can_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="^lines must hold at most 4 curves; got 5: draw two figures"):
        curves([1, 2], {name: [1, 2] for name in "abcde"}, "x", "y", "five curves")


def test_grids_side_by_side_are_each_what_was_given_and_one_has_the_axes(drawn):
    grids = {name: GRID[::-1] if name == "b" else GRID for name in "abcd"}
    axes = representations(grids, "four grids", per_row=3).axes
    assert [panel.get_title() for panel in axes] == list("abcd")
    assert np.array_equal(shown(axes[0]), mosaic(GRID, 8)) and np.array_equal(shown(axes[1]), mosaic(GRID[::-1], 8))
    assert [bool(panel.get_xlabel()) for panel in axes] == [False, False, False, True]


def test_distributions_side_by_side_show_each_its_own_latents():
    left, right = distributions({"before": CONTENT, "after": 3 * CONTENT}, "two clouds", CARDS.suit, SUITS).axes
    for axes, scale in ((left, 1), (right, 3)):
        points = np.asarray(axes.collections[0].get_offsets())
        assert np.sort(points[:, 0]) == pytest.approx(np.sort(scale * CONTENT[:, 0]))
    assert not left.get_legend() and right.get_legend()


def test_the_latent_representation_wants_a_square_grid():
    with pytest.raises(ValueError, match="square grid"):
        latent_representation(CARDS.images[:10])


def test_the_latent_distribution_wants_two_latents_and_a_name_for_each_class():
    with pytest.raises(ValueError, match="content"):
        latent_distribution(CONTENT[:, :1], CARDS.suit, SUITS)
    with pytest.raises(ValueError, match="labels"):
        latent_distribution(CONTENT, CARDS.suit, SUITS[:3])


@pytest.mark.parametrize("height, factor", [(8, 4), (16, 2), (20, 2), (32, 1), (48, 1)])
def test_small_images_are_enlarged_by_a_whole_factor(height, factor):
    assert enlargement(height) == factor
    assert mosaic(np.zeros((1, height, height), np.float32), 1).shape == (factor * height, factor * height)


def test_a_class_may_begin_with_any_letter():
    content = np.random.default_rng(0).normal(0, 1, (8, 2))
    figure = latent_distribution(content, np.arange(8) % 4, ("$a$", "_b", "µ", ""), alt="Eight points of four classes.")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()][:1] == ["$a$"]
