"""Arrows: each points where its vector points, in the colour of its direction, and the key says how long it is."""
import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.quiver import Quiver, QuiverKey

from cardslib.figures.style import ANGLES, Figure
from cardslib.figures.vector_maps import arrows

rng = np.random.default_rng(0)
X, Y = np.meshgrid(np.arange(5, 100, 10.0), np.arange(5, 80, 10.0))
POSITION = np.stack([X.ravel(), Y.ravel()], 1)                                          # (80, 2), 10 pixels apart
VECTORS = 0.4 * np.stack([np.cos(X + Y), np.sin(X + Y)], -1).reshape(-1, 2)             # all of one length
IMAGE = rng.uniform(size=(80, 100)).astype(np.float32)


@pytest.fixture(scope="module")
def figure():
    return arrows(IMAGE, POSITION, VECTORS, "displacements & more", pixel_size=0.5)


def drawn(figure):
    """The arrows on the image."""
    [quiver] = [part for part in figure.axes[0].collections if isinstance(part, Quiver)]
    return quiver


def key_of(figure):
    """The arrow below the rosette."""
    [key] = [part for part in figure.axes[0].get_children() if isinstance(part, QuiverKey)]
    return key


def test_it_is_a_figure_with_alt_text(figure):
    data, metadata = figure._repr_mimebundle_()
    assert isinstance(figure, Figure) and metadata["image/png"]["alt"] == "displacements & more"
    assert 'alt="displacements &amp; more"' in data["text/html"] and len(figure.png()) < 150_000
    assert figure.picture.getpixel((0, 0)) == (255, 255, 255)


def test_arrows_are_as_many_times_as_long_and_have_their_middle_on_the_column(figure):
    quiver = drawn(figure)
    assert np.array_equal(quiver.XY, POSITION) and quiver.pivot == "middle" and quiver.scale == 1
    enlarged = np.stack([quiver.U, quiver.V], 1) / VECTORS
    assert np.allclose(enlarged, 0.8 * 10 / 0.4)                                        # most of the way to the next


def test_down_in_the_image_is_down_in_the_figure(figure):
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1] and drawn(figure).angles == "xy"


def test_colours_are_those_of_angles_counter_clockwise_on_the_screen():
    """y runs down: a vector with positive y points down, at -90°."""
    vectors = np.tile([(1.0, 0), (0, -1.0), (-1.0, 0), (0, 1.0)], (20, 1))
    colours = drawn(arrows(IMAGE, POSITION, vectors, "four directions")).get_facecolor()
    expected = colormaps[ANGLES]([0.5, 0.75, 1.0, 0.25])
    assert np.allclose(colours[:4], expected, atol=0.02)
    rosette = [part for part in arrows(IMAGE, POSITION, vectors, "key").axes[1].collections if isinstance(part, Quiver)][0]
    assert np.allclose(rosette.get_facecolor()[::4], colormaps[ANGLES]([0.5, 0.25, 1.0, 0.75]), atol=0.02)
    assert np.allclose(np.stack([rosette.U, rosette.V], 1)[4], (0, 0.7))                # with positive y, and drawn downwards
    assert rosette.axes.get_ylim()[0] > rosette.axes.get_ylim()[1]


@pytest.mark.parametrize("pixel_size, text, length", [(None, "0.2 pixels", 0.2), (0.5, "20 pm", 0.4), (0.3, "10 pm", 1 / 3)])
def test_the_key_says_how_long_an_arrow_is(pixel_size, text, length):
    key = key_of(arrows(IMAGE, POSITION, VECTORS, "x", pixel_size))
    assert key.text.get_text() == text and key.U == pytest.approx(length * 0.8 * 10 / 0.4)


def test_where_there_is_no_vector_there_is_no_arrow():
    vectors = VECTORS.copy()
    vectors[::3, 0] = np.nan
    assert np.array_equal(drawn(arrows(IMAGE, POSITION, vectors, "x")).XY, np.delete(POSITION, np.s_[::3], 0))


def test_of_a_region_only_what_lies_in_it_is_drawn():
    figure = arrows(IMAGE, POSITION, VECTORS, "x", region=(20, 10, 60, 50))
    assert figure.axes[0].get_xlim() == (19.5, 59.5) and figure.axes[0].get_ylim() == (49.5, 9.5)
    assert len(drawn(figure).XY) == 16


def test_vectors_of_length_zero_and_a_single_one_can_be_drawn():
    assert arrows(IMAGE, POSITION, 0 * VECTORS, "x").picture and arrows(IMAGE, POSITION[:1], VECTORS[:1], "x").picture


@pytest.mark.parametrize("wrong, message", [
    (dict(image=IMAGE[0]), "image must be"), (dict(image=100 * IMAGE), "image must lie in"),
    (dict(position=POSITION[:, 0]), r"position must be \(n, 2\) finite"), (dict(position=np.nan * POSITION), "finite numbers"),
    (dict(vectors=VECTORS[:5]), r"vectors must be \(n, 2\), one a column, \(80, 2\); got \(5, 2\)"),
    (dict(vectors=VECTORS * np.nan), "vectors must be finite at some column"), (dict(region=(0, 0, 3, 3)), "in the region"),
    (dict(pixel_size=0), "pixel_size must be a finite number"), (dict(pixel_size="0.2 Å"), "pixel_size must be")])
def test_what_does_not_fit_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        arrows(**{**dict(image=IMAGE, position=POSITION, vectors=VECTORS, alt="x"), **wrong})
