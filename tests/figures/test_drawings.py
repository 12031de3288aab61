"""The drawings: each shows the pictures that it was given, and names its parts."""
import numpy as np
import pytest

from cardslib.figures.drawings import autoencoder_drawing

rng = np.random.default_rng(0)
IMAGE, RECONSTRUCTION = rng.uniform(size=(2, 8, 8))


def drawing(variational):
    return autoencoder_drawing(IMAGE, RECONSTRUCTION, alt="an autoencoder from left to right", variational=variational)


def words(figure):
    return {text.get_text() for text in figure.axes[0].texts}


@pytest.mark.parametrize("variational", [False, True])
def test_it_shows_the_image_on_the_left_and_the_reconstruction_on_the_right(variational):
    _, left, right = drawing(variational).axes
    assert np.array_equal(left.images[0].get_array(), IMAGE) and np.array_equal(right.images[0].get_array(), RECONSTRUCTION)
    assert left.get_position().x1 < 0.3 < 0.7 < right.get_position().x0


@pytest.mark.parametrize("variational", [False, True])
def test_it_names_the_networks_and_is_told_in_words(variational):
    figure = drawing(variational)
    assert {"image x", "encoder", "decoder", "reconstruction"} <= words(figure)
    assert figure.alt == "an autoencoder from left to right"


def test_only_a_vae_draws_its_latents():
    assert {"μ", "σ", "z", "z = μ + σ·ε", "q(z|x)", "p(x|z)"} <= words(drawing(True))
    assert not {"μ", "σ", "q(z|x)"} & words(drawing(False)) and "bottleneck" in words(drawing(False))


@pytest.mark.parametrize("variational", [False, True])
def test_no_word_is_cut_off_or_lies_on_another(variational):
    figure = drawing(variational)
    figure.picture   # noqa: B018  (drawn: then sizes are known)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
