"""No word of any figure is cut off or lies on another panel's words; and every figure can be given its alt text."""
import inspect
from functools import cache

import numpy as np
import pytest

from cardslib import figures
from cardslib.cards import SUITS, make_cards
from cardslib.training import History

rng = np.random.default_rng(0)
CARDS = make_cards(16, size=16)
CONTENT, GRID = rng.normal(size=(len(CARDS), 2)), CARDS.images
HISTORY = History([9.0, 7.0], dict(reconstruction=[8.0, 5.0], content=[1.0, 2.0], angle=[1.0, 0.5]),
                  dict(neighbours=[1.0, 0.5]), [1, 2])
IMAGE = rng.uniform(size=(80, 100)).astype(np.float32)
POSITION = np.stack(np.meshgrid(np.arange(5, 100, 10.0), np.arange(5, 80, 10.0)), -1).reshape(-1, 2)
KIND, VALUE = np.arange(len(POSITION)) % 2, POSITION[:, 0] - 50
LONG = "a title that says much more of what is to be seen than there is room for above a panel, number"
TITLES = [f"{LONG} {number}" for number in range(5)]
SUITED = dict(labels=CARDS.suit, names=SUITS)
ALT = dict(alt="a figure with long words")

MADE = dict(
    examples=lambda: figures.examples(GRID, **ALT),
    rows_of_images=lambda: figures.rows_of_images({LONG[:60]: GRID[:8], "short": GRID[8:16]}, columns=[LONG[:40]] * 8, **ALT),
    latent_representation=lambda: figures.latent_representation(GRID, title=LONG),
    latent_distribution=lambda: figures.latent_distribution(CONTENT, **SUITED, title=LONG),
    with_bar=lambda: figures.latent_distribution(CONTENT, values=CARDS.angle, unit=" degrees", title=LONG),
    representations=lambda: figures.representations(dict.fromkeys(TITLES, GRID), **ALT),
    two_rows=lambda: figures.representations(dict.fromkeys(TITLES, GRID), per_row=3, **ALT),
    distributions=lambda: figures.distributions(dict.fromkeys(TITLES[:2], CONTENT), **SUITED, **ALT),
    cards_study=lambda: figures.cards_study(CARDS, CONTENT, GRID, LONG),
    encoded_against_true=lambda: figures.encoded_against_true(dict.fromkeys(TITLES[:3], (CARDS.angle, CARDS.shear)),
                                                              **SUITED, **ALT),
    loss_by_term=lambda: figures.loss_by_term(HISTORY),
    training_view=lambda: figures.training_view(GRID, CONTENT, *SUITED.values(), HISTORY, 9),
    curves=lambda: figures.curves([1, 2], {title[50:]: [1, 2] for title in TITLES[:4]}, LONG, LONG[:45], **ALT),
    two_panels=lambda: figures.curves([1, 2], {LONG[:45]: {LONG[:45]: [1, 2]}, "short": {"b": [1, 2]}}, LONG, None, **ALT),
    column_maps=lambda: figures.column_maps(IMAGE, POSITION, dict.fromkeys(TITLES, figures.Map(VALUE, " picometres")), **ALT),
    overview=lambda: figures.overview(IMAGE, (10, 20, 60, 70), **ALT),
    labelled_image=lambda: figures.labelled_image(IMAGE, POSITION, KIND, (LONG[:40], "short"), **ALT),
    found_columns=lambda: figures.found_columns(IMAGE, dict.fromkeys(TITLES[:3], POSITION), region=(0, 0, 50, 50), **ALT),
    against_truth=lambda: figures.against_truth(dict.fromkeys(TITLES[:3], (VALUE, VALUE, "°")), KIND, ("a", "b"), **ALT),
    arrows=lambda: figures.arrows(IMAGE, POSITION, rng.normal(size=POSITION.shape), **ALT),
    spectra=lambda: figures.spectra(np.arange(9.0), dict.fromkeys(TITLES[:4], {"one": np.arange(9.0)}), **ALT),
    pixel_maps=lambda: figures.pixel_maps(dict.fromkeys(TITLES, IMAGE), span=(0, 1), unit=" eV", **ALT),
    group_maps=lambda: figures.group_maps(dict.fromkeys(TITLES, np.zeros((8, 9), int)), **ALT))


@cache
def drawn(name):
    """A figure, drawn once."""
    figure = MADE[name]()
    assert figure.picture
    return figure


@pytest.mark.parametrize("name", MADE)
def test_no_word_is_cut_off(name):
    figure = drawn(name)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()        # of all that is drawn, in inches
    assert -0.01 <= box.x0 and box.x1 <= width + 0.01 and -0.01 <= box.y0 and box.y1 <= height + 0.01


@pytest.mark.parametrize("name", MADE)
def test_titles_do_not_lie_upon_each_other(name):
    figure = drawn(name)
    boxes = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert not any(one.overlaps(other) for number, one in enumerate(boxes) for other in boxes[:number])


def test_the_panels_keep_their_size_when_their_titles_need_more_lines():
    short, long = (figures.representations({title: GRID, "b": GRID}, **ALT) for title in ("a", LONG))
    assert short.picture.height < long.picture.height
    assert long.axes[0].bbox.height == pytest.approx(short.axes[0].bbox.height, rel=0.05)


def test_a_title_that_fits_is_left_as_it_is():
    figure = figures.latent_representation(GRID, title="Latent representation of the cards")
    assert figure.picture and figure.axes[0].get_title() == "Latent representation of the cards"


def test_every_figure_takes_its_alt_text_by_name():
    drawn = {name: getattr(figures, name) for name in figures.__all__
             if inspect.isfunction(getattr(figures, name)) and name not in ("mosaic", "enlargement")}
    assert all("alt" in inspect.signature(function).parameters for function in drawn.values())
    of_its_own = {name for name, function in drawn.items() if inspect.signature(function).parameters["alt"].default is None}
    assert of_its_own == {"latent_representation", "latent_distribution", "cards_study", "loss_by_term", "training_view"}
