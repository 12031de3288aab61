"""Refinement: from the encoder's guess to the mode of the posterior, with error bars that are the electrons'."""
import numpy as np
import pytest
import torch

from cardslib.metrics import coverage, z_spread
from cardslib.models import VAE, Pose
from cardslib.training import fit

CHANNELS, WIDTH, ELECTRONS = 64, 4.0, 400.0   # channels; standard deviation of a line, in channels; electrons in it


def rate(shift):
    """Mean counts (n, CHANNELS) of a line on a faint background, shifted by (n,) half widths."""
    middle = (CHANNELS - 1) / 2 + np.asarray(shift)[:, None] * CHANNELS / 2
    line = np.exp(-((np.arange(CHANNELS) - middle) / WIDTH) ** 2 / 2) / (WIDTH * np.sqrt(2 * np.pi))
    return ELECTRONS * line + 0.1


def knowing_the_line(likelihood="poisson", **options):
    """A model that draws just this line, and has learnt nothing else: its encoder guesses at random."""
    model = VAE((CHANNELS,), content=0, pose=Pose(shift=0.2), likelihood=likelihood, **options)
    reach = (model.decoder.canvas[1] - 1) / 2 / (CHANNELS / 2)
    with torch.no_grad():
        channel = np.linspace(-reach, reach, model.decoder.canvas[1]) * CHANNELS / 2
        line = ELECTRONS * np.exp(-(channel / WIDTH) ** 2 / 2) / (WIDTH * np.sqrt(2 * np.pi)) + 0.1
        model.decoder.canonical.layers[-2].weight.zero_()
        model.decoder.canonical.layers[-2].bias.copy_(model.likelihood.natural(torch.from_numpy(line.astype(np.float32))))
        model.likelihood.white.fill_(float(line.max()))
    return model


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 0.1, 400).astype(np.float32)[:, None]
    return shift, rng.poisson(rate(shift[:, 0])).astype(np.float32)


def test_a_wild_guess_ends_at_the_bound_of_cramer_and_rao_and_says_how_sure_it_is(drawn):
    shift, counts = drawn
    model = knowing_the_line()
    latents = model.refine(counts, steps=12)
    bound = WIDTH / np.sqrt(ELECTRONS) / (CHANNELS / 2)                           # of a line without background
    assert np.std(latents.shift - shift) == pytest.approx(bound, rel=0.15)
    assert latents.shift_sd.mean() == pytest.approx(bound, rel=0.1)
    assert 0.85 < z_spread(latents.shift, latents.shift_sd, shift) < 1.15
    assert 0.92 < coverage(latents.shift, latents.shift_sd, shift) < 0.98
    assert np.std(model.encode(counts).shift - shift) > 5 * bound                # which is not what the encoder knew


def test_known_gaussian_noise_gives_its_own_error_bars():
    rng = np.random.default_rng(1)
    shift = rng.normal(0, 0.1, 400).astype(np.float32)[:, None]
    values = (rate(shift[:, 0]) + rng.normal(0, 3.0, (400, CHANNELS))).astype(np.float32)
    latents = knowing_the_line("gaussian", noise=3.0).refine(values, steps=12)
    assert 0.85 < z_spread(latents.shift, latents.shift_sd, shift) < 1.15


def test_no_image_ends_below_where_the_encoder_put_it(cards):
    images = cards.images[:60]
    model = VAE(images.shape[1:], content=2, pose=Pose(rotation=0.3))
    fit(model, images, epochs=3, progress=False)
    guess, mode = model.encode(images), model.refine(images)

    def height(latents):
        tensors = latents.map(torch.from_numpy)
        with torch.no_grad():
            density = model.likelihood.log_density(torch.from_numpy(images), model.natural_parameters(tensors)).sum((1, 2))
        return density.numpy() - 0.5 * (latents.content**2).sum(1) - 0.5 * (latents.angle / 0.3) ** 2
    assert (height(mode) >= height(guess) - 1e-2).all() and height(mode).mean() > height(guess).mean() + 0.1


def test_of_several_groups_the_likeliest_is_kept(cards):
    model = VAE(cards.images.shape[1:], content=1, groups=4)
    fit(model, cards.images[:80], epochs=2, progress=False)
    guess, mode = model.encode(cards.images[:80]), model.refine(cards.images[:80])
    assert (mode.group.argmax(1) == guess.group.argmax(1)).all() and set(np.unique(mode.group)) <= {0.0, 1.0}


@pytest.mark.parametrize("steps", [0, 2.5, True])
def test_steps_must_be_a_whole_number(cards, steps):
    with pytest.raises(ValueError, match="steps"):
        VAE(cards.images.shape[1:]).refine(cards.images[:2], steps=steps)
