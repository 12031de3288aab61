"""The maps: each is a picture with words, small, and paints each column's value where the column stands."""
import inspect

import numpy as np
import pytest

from cardslib.figures import maps as module
from cardslib.figures.maps import Map, against_truth, column_maps, found_columns, labelled_image, overview
from cardslib.figures.style import Figure

rng = np.random.default_rng(0)
X, Y = np.meshgrid(np.arange(5, 100, 10.0), np.arange(5, 80, 10.0))
POSITION = np.stack([X.ravel(), Y.ravel()], 1)                 # (80, 2): ten columns to a row, eight rows
IMAGE = rng.uniform(size=(80, 100)).astype(np.float32)
LABELS = (POSITION[:, 0] > 50).astype(int)
PANELS = {"angle": Map(POSITION[:, 0] - 50, "°", "angle", period=180),
          "x offset": Map(POSITION[:, 1] - 40, " pm", "signed", 20), "latent 1": Map(LABELS.astype(float))}

MADE = dict(
    column_maps=lambda: column_maps(IMAGE, POSITION, PANELS, "three maps of columns"),
    overview=lambda: overview(IMAGE, (10, 20, 60, 70), "an image and a part of it"),
    labelled_image=lambda: labelled_image(IMAGE, POSITION, LABELS, ("left", "right"), "columns by class", (0, 0, 40, 40)),
    found_columns=lambda: found_columns(IMAGE, dict(one=POSITION, two=POSITION[::2]), "two finders", (0, 0, 50, 50), POSITION),
    against_truth=lambda: against_truth({"angle": (X.ravel(), X.ravel() + 1, "°")}, LABELS, ("left", "right"), "one line"))


@pytest.fixture(scope="module")
def drawn():
    return {name: make() for name, make in MADE.items()}


def painted(axes):
    """The map on axes, as it was given: the last of its pictures."""
    return axes.get_images()[-1].get_array()


def test_every_public_figure_is_tested_here():
    public = {name for name, function in inspect.getmembers(module, inspect.isfunction)
              if function.__module__ == module.__name__ and not name.startswith("_")}
    assert public == set(MADE)


@pytest.mark.parametrize("name", MADE)
def test_it_is_a_small_figure_with_alt_text(drawn, name):
    figure = drawn[name]
    data, metadata = figure._repr_mimebundle_()
    assert isinstance(figure, Figure) and f'alt="{figure.alt}"' in data["text/html"] and len(figure.alt) > 5
    assert metadata["image/png"]["alt"] == figure.alt
    assert len(figure.png()) < 150_000 and len(figure.picture.convert("L").getcolors()) > 20
    assert figure.picture.getpixel((0, 0)) == (255, 255, 255)


def test_each_column_paints_the_pixels_nearest_to_it(drawn):
    values = painted(drawn["column_maps"].axes[0])
    rows, columns = values.shape
    for x, y in ((5, 5), (95, 5), (45, 75), (8, 62)):
        here = values[int((y + 0.5) / 80 * rows), int((x + 0.5) / 100 * columns)]
        assert here == np.round((x - 5) / 10) * 10 + 5 - 50


def test_where_no_column_is_the_image_is_seen():
    values = painted(column_maps(IMAGE, POSITION[:40], {"upper half": Map(np.ones(40))}, "half a map").axes[0])
    assert not np.ma.getmaskarray(values)[:len(values) // 3].any() and np.ma.getmaskarray(values)[-1].all()


def test_angles_are_cyclic_offsets_are_white_at_zero_and_latents_run_from_dark_to_bright(drawn):
    angle, offset, latent = (axes.get_images()[-1] for axes in drawn["column_maps"].axes if axes.get_images())
    assert np.allclose(angle.cmap(0.0), angle.cmap(1.0), atol=0.02)
    assert min(offset.cmap(0.5)[:3]) > 0.95 and offset.get_clim() == (-20, 20)
    assert sum(latent.cmap(0.0)[:3]) < sum(latent.cmap(1.0)[:3]) and latent.get_clim() == (0, 1)
    assert angle.get_clim() == (-90, 90)


def test_angles_in_cyclic_colours_are_counted_within_their_period():
    angle = Map(np.array([-100.0, -45, 0, 44, 46, 134]), "°", "angle", period=90)
    assert angle.painted.tolist() == [-10, -45, 0, 44, -44, 44] and angle.limits == (-45, 45)


@pytest.mark.parametrize("colours, period, words", [
    ("angle", None, "use colours='signed' for angles of a few degrees"), ("signed", 90, "only with them; got 90 with 'signed'"),
    ("latent", 360, "only with them"), ("angle", 0, "period must be a finite number"), ("angle", "90°", "period must be")])
def test_cyclic_colours_are_for_a_full_period_only(colours, period, words):
    with pytest.raises(ValueError, match=words):
        Map(np.zeros(3), "°", colours, period=period)


@pytest.mark.parametrize("shape, per_row, places", [
    ((80, 100), None, (1, 3)), ((80, 100), 2, (2, 2)), ((30, 100), None, (3, 1)), ((80, 100), 5, (1, 3))])
def test_maps_stand_three_to_a_row_or_one_below_the_other_or_as_asked(shape, per_row, places):
    there = POSITION[:, 1] < shape[0]
    panels = {title: Map(panel.values[there]) for title, panel in PANELS.items()}
    figure = column_maps(IMAGE[:shape[0]], POSITION[there], panels, "three maps", per_row)
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == places
    assert [axes.get_title() for axes in figure.axes if axes.get_images()] == list(PANELS)


def test_bars_have_units_and_a_true_minus(drawn):
    assert drawn["column_maps"].picture   # ticks are written as it is drawn
    written = [label.get_text() for axes in drawn["column_maps"].axes for label in axes.get_yticklabels()]
    assert {"−20 pm", "0 pm", "20 pm"} <= set(written)


LIT = (0.2 + 0.6 * np.arange(100) / 99 * np.ones((80, 1))).astype(np.float32)   # brighter to the right


def words(axes):
    """What is written below a map about the light; the words of the scale bar come before."""
    _, light = axes.texts
    return light.get_text(), light.get_color()


def test_a_map_that_follows_the_light_is_marked_in_picture_and_words():
    across, down, back = POSITION[:, 0], POSITION[:, 1], -POSITION[:, 0] ** 3
    figure = column_maps(LIT, POSITION, {"scale": Map(across), "shift": Map(down), "angle": Map(back, "°")}, "three maps.")
    (scale, shift, angle) = (words(axes) for axes in figure.axes[::2])
    assert scale == ("⚠ light +1.00", module.WARNING) and shift == ("light +0.00", module.DISCREET)
    assert angle[0].startswith("⚠ light −0.9") and angle[1] == module.WARNING
    assert figure.alt == ("three maps. Warning: scale follows the local brightness, correlation +1.00. Warning: angle follows "
                          f"the local brightness, correlation {angle[0][-5:]}.")


def test_what_kinds_differ_in_is_no_light_where_kinds_are_known(drawn):
    panels = {"latent 1": Map(LABELS + rng.normal(0, 0.01, len(LABELS)))}
    alone, within = (column_maps(LIT, POSITION, panels, "a map", kind=kind) for kind in (None, LABELS))
    assert words(alone.axes[0])[1] == module.WARNING and words(within.axes[0])[1] == module.DISCREET
    assert all(words(axes)[0].startswith("light") for axes in drawn["column_maps"].axes[::2])


def test_a_latent_that_is_always_the_same_can_be_drawn():
    assert Map(np.zeros(5)).limits == (-1, 1) and Map(np.zeros(5), colours="signed").limits[1] > 0


def assert_coloured(points, x, labels, colours):
    """Points, mixed, each in the colour of its class: here all of one x are of one class."""
    class_at = dict(zip(x, labels))
    for (at, _), colour in zip(points.get_offsets(), points.get_facecolor()):
        assert np.allclose(colour[:3], colours[class_at[at]][:3])


def test_classes_have_the_same_colours_in_the_image_and_against_the_truth(drawn):
    image, truth = drawn["labelled_image"].axes[1], drawn["against_truth"].axes[0]
    colours = [image.get_images()[-1].cmap(k) for k in (0, 1)]
    _, *in_legend = truth.collections
    assert np.allclose(colours, [entry.get_facecolor()[0][:3].tolist() + [1] for entry in in_legend])
    assert_coloured(truth.collections[0], X.ravel(), LABELS, colours)
    values = painted(image)
    assert values[5, 5] == 0 and values[5, -5] == 1


def test_found_columns_are_ringed_where_they_are(drawn):
    for axes, position in zip(drawn["found_columns"].axes, (POSITION, POSITION[::2])):
        rings, crosses = axes.collections
        assert np.array_equal(rings.get_offsets(), position) and np.array_equal(crosses.get_offsets(), POSITION)


def test_against_the_truth_the_numbers_are_drawn_as_given(drawn):
    points = np.concatenate([part.get_offsets() for part in drawn["against_truth"].axes[0].collections])
    assert np.allclose(points[:, 1] - points[:, 0], 1) and len(points) == len(POSITION)


@pytest.mark.parametrize("wrong, words", [
    (lambda: column_maps(IMAGE, POSITION, {"short": Map(np.zeros(3))}, "x"), "short.*one value a column, 80"),
    (lambda: column_maps(IMAGE, POSITION[:, :1], PANELS, "x"), r"position must be \(n, 2\)"),
    (lambda: Map(np.zeros(3), colours="round"), "colours must be"),
    (lambda: column_maps(IMAGE, POSITION, PANELS, "x", pixel_size=0), "pixel_size must be"),
    (lambda: overview(IMAGE, (0, 0, 9, 9), "x", pixel_size="0.2 Å"), "pixel_size must be"),
    (lambda: found_columns(IMAGE, dict(one=POSITION), "x", (0, 0, 9, 9), pixel_size=-1), "pixel_size must be"),
    (lambda: labelled_image(IMAGE, POSITION, LABELS, ("a", "b"), "x", pixel_size=np.nan), "pixel_size must be"),
    (lambda: labelled_image(IMAGE, POSITION, LABELS + 5, ("a", "b"), "x"), "labels")])
def test_what_does_not_fit_is_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()
