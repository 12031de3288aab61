"""The likelihoods: what a pixel's value says of its mean, against SciPy's densities; and models that know their noise."""
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from scipy import stats

from cardslib.cards import make_cards
from cardslib.metrics import angle_error, matched_accuracy
from cardslib.models import VAE, Latents, Pose
from cardslib.models.guide import ask_neighbours, prepare
from cardslib.models.likelihoods import DIMMEST, OUTSHINE, make_likelihood
from cardslib.training import fit

SIZE = 20
SHAPE = (SIZE, SIZE)
NAMES = ("bernoulli", "poisson", "gaussian")
ORDERS = (1, 1, 1, 2)   # a diamond looks the same turned by 180°
every = pytest.mark.parametrize("name", NAMES)


def images_of(name, cards, seed=0):
    """Cards as each likelihood wants them: shares of light, counts, or noisy grey values about zero."""
    rng = np.random.default_rng(seed)
    return {"bernoulli": lambda: cards.images, "poisson": lambda: rng.poisson(cards.images * 30 + 2).astype(np.float32),
            "gaussian": lambda: (rng.normal(8 * cards.images - 3, 1)).astype(np.float32)}[name]()


@pytest.fixture(scope="module")
def cards():
    """240 cards turned by ±120°, hardly sheared."""
    return make_cards(60, rotation=120, shear=1, size=SIZE)


def measured(name, images, shape=(), noise=None):
    """The likelihood once it has measured the scale of images."""
    likelihood = make_likelihood(name, noise, shape)
    likelihood.measure(torch.as_tensor(images, dtype=torch.float32))
    return likelihood


def train(model, images, epochs=None, **more):
    return fit(model, images, epochs=epochs, progress=False, **more)


# ---------------------------------------------------------------------- densities

@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9, 1, 1.1, 2, 10])
def test_counts_have_poissons_density_from_none_to_a_million(factor):
    """In nats, to single precision of what stands in the exponent, where differences of large numbers would lose tens."""
    counts = np.unique(np.geomspace(1, 1e6, 300).astype(int))
    counts = np.concatenate([[0], counts])
    rates = np.maximum(counts, 0.5) * factor
    poisson = measured("poisson", np.full((1, 4), 1e6))
    found = poisson.log_density(torch.from_numpy(counts).float(), torch.from_numpy(rates).log().float()).numpy()
    expected = stats.poisson.logpmf(counts, rates)
    precision = 2e-3 if factor == 1 else 5e-6 * counts.clip(1) + 2e-3   # the logarithm of a million is exact to 1e-6 in float32
    assert (np.abs(found - expected) <= precision).all()


def test_of_all_counts_together_poissons_density_is_one():
    poisson = measured("poisson", np.full((1, 4), 50.0))
    for rate in (0.01, 1, 7.3, 40):
        natural = torch.full((300,), math.log(rate))
        assert poisson.log_density(torch.arange(300.0), natural).exp().sum().item() == pytest.approx(1, abs=5e-5)


def test_counts_need_not_be_whole():
    """Between whole ones the density runs on smoothly: it has the best rate at the value itself."""
    poisson, values = measured("poisson", np.full((1, 4), 50.0)), torch.tensor([0.3, 2.5, 17.7, 123.4])
    at, below, above = (poisson.log_density(values, (values * share).log()) for share in (1, 0.95, 1.05))
    assert (at > below).all() and (at > above).all()


@given(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32), st.floats(0.01, 30))
def test_values_have_the_normal_density(value, mean, noise):
    gaussian = measured("gaussian", np.random.default_rng(0).normal(3, 2, (50, 4)), noise=noise)
    natural = gaussian.natural(torch.tensor(mean))
    found = gaussian.log_density(torch.tensor(value), natural).item()
    assert found == pytest.approx(stats.norm.logpdf(value, mean, noise), rel=1e-4, abs=1e-3)


@given(st.floats(0, 1, width=32), st.floats(-15, 15, width=32))
def test_shares_have_the_cross_entropy(share, logit):
    found = make_likelihood("bernoulli", None, ()).log_density(torch.tensor(share), torch.tensor(logit)).item()
    p = 1 / (1 + math.exp(-logit))
    assert found == pytest.approx(share * math.log(p) + (1 - share) * math.log1p(-p), abs=1e-4)


# ---------------------------------------------------------------------- natural parameter, mean and variance

MEANS = {"bernoulli": np.linspace(0.002, 0.998, 50), "poisson": np.geomspace(0.05, 300, 50),
         "gaussian": np.linspace(-40, 40, 50)}
SCALES = {"bernoulli": [[0.0, 1.0]], "poisson": [[0.0, 40.0, 40.0]], "gaussian": [[-5.0, 3.0], [4.0, 9.0]]}


@every
def test_the_natural_parameter_is_the_inverse_of_the_mean(name):
    likelihood, means = measured(name, SCALES[name]), torch.from_numpy(MEANS[name]).float()
    assert likelihood.mean(likelihood.natural(means)).numpy() == pytest.approx(MEANS[name], rel=1e-4, abs=1e-4)


@every
def test_a_black_and_a_white_pixel_have_a_finite_natural_parameter(name):
    likelihood, ends = measured(name, SCALES[name]), torch.tensor([0.0, 1.0])
    assert likelihood.natural(ends).isfinite().all()
    if name == "poisson":
        assert likelihood.mean(likelihood.natural(ends))[0] == pytest.approx(DIMMEST * 0.5, rel=1e-4)


@every
def test_score_and_information_are_the_derivatives_of_the_density(name):
    """The score by automatic differentiation; the information as the variance of the score under the density's own noise."""
    likelihood, rng = measured(name, SCALES[name]), np.random.default_rng(0)
    natural = likelihood.natural(torch.tensor({"bernoulli": 0.3, "poisson": 12.0, "gaussian": 2.0}[name])).requires_grad_()
    mean = likelihood.mean(natural).item()
    noise = likelihood.standard_deviation().item() if name == "gaussian" else 0
    drawn = {"bernoulli": lambda: rng.random(40000) < mean, "poisson": lambda: rng.poisson(mean, 40000),
             "gaussian": lambda: rng.normal(mean, noise, 40000)}[name]()
    values = torch.from_numpy(drawn).float()
    slope, = torch.autograd.grad(likelihood.log_density(values[:50], natural.expand(50)).sum(), natural)
    score = likelihood.score(values, natural.detach())
    assert score[:50].sum().item() == pytest.approx(slope.item(), rel=1e-3)
    assert score.mean().item() == pytest.approx(0, abs=5 * score.std().item() / 200)
    assert score.var().item() == pytest.approx(likelihood.information(natural.detach()).item(), rel=0.05)


@every
@pytest.mark.parametrize("natural", [-1e4, -50.0, 0.0, 50.0, 1e4])
def test_densities_and_gradients_are_finite_however_wrong_the_decoder_is(name, natural):
    likelihood = measured(name, SCALES[name])
    values = torch.tensor([0.0, 1.0] if name == "bernoulli" else [0.0, 1e5])
    given = torch.full((2,), natural, requires_grad=True)
    density = likelihood.log_density(values, given)
    density.sum().backward()
    assert density.isfinite().all() and given.grad.isfinite().all() and likelihood.mean(given).isfinite().all()


def test_beyond_twenty_times_white_rates_grow_straight_on():
    poisson = measured("poisson", np.full((1, 4), 40.0))
    most = math.log(40) + OUTSHINE
    at, *beyond = poisson.mean(torch.tensor([most, most + 1, most + 2, most + 10])).tolist()
    assert at == pytest.approx(40 * math.exp(OUTSHINE), rel=1e-4) and at / 40 == pytest.approx(20, rel=0.01)
    assert beyond == pytest.approx([2 * at, 3 * at, 11 * at], rel=1e-4)
    assert poisson.mean(torch.tensor(most - 1)).item() == pytest.approx(at / math.e, rel=1e-4)


# ---------------------------------------------------------------------- the scale that is measured

@every
def test_what_the_encoder_sees_is_of_the_order_of_one(name, cards):
    images = torch.from_numpy(images_of(name, cards))
    for shape in ((), SHAPE):
        signal = measured(name, images, shape).signal(images)
        assert 0.05 < signal.square().mean() < 5


def test_in_counts_every_pixel_that_the_encoder_sees_is_equally_noisy():
    expected = np.array([1.0, 10, 100, 1000])
    counts = torch.from_numpy(np.random.default_rng(0).poisson(expected, (4000, 4))).float()
    signal = measured("poisson", counts, (4,)).signal(counts)
    assert signal.mean(0).numpy() == pytest.approx(0, abs=1e-3) and signal.std(0).numpy() == pytest.approx(1, rel=0.05)


@every
def test_grey_values_run_from_black_to_white(name, cards):
    images = torch.from_numpy(images_of(name, cards))
    grey = measured(name, images).grey(images)
    assert -0.2 < grey.min() < 0.2 and 0.8 < grey.quantile(0.99) < 1.1


def test_a_few_hot_pixels_do_not_set_the_scale():
    counts = np.random.default_rng(0).poisson(30, (100, SIZE, SIZE)).astype(np.float32)
    white = measured("poisson", counts).white.item()
    counts[0, 0, :8] = 1e5
    assert measured("poisson", counts).white.item() == pytest.approx(white, rel=0.05)


@every
@pytest.mark.parametrize("settings", [dict(), dict(pose=Pose(rotation=True)), dict(pose=Pose(shift=0.1), decoder="spatial")],
                         ids=["dense", "warp", "spatial"])
def test_before_anything_is_learnt_a_model_draws_the_mean_image(name, settings, cards):
    """A network of the coordinates, the mean pixel."""
    images = images_of(name, cards)
    model = VAE(SHAPE, likelihood=name, hidden=16, **settings)
    prepare(model, torch.from_numpy(images), alignment=False)
    drawn, mean = model.decode(np.zeros((1, 2)))[0], images.mean(0)
    spread = float(np.ptp(mean))
    assert drawn.mean() == pytest.approx(mean.mean(), abs=0.2 * spread)
    if "decoder" not in settings:
        assert np.corrcoef(drawn.ravel(), mean.ravel())[0, 1] > 0.98 and np.abs(drawn - mean).mean() < 0.1 * spread


# ---------------------------------------------------------------------- the bound

@every
def test_the_bound_is_the_density_of_the_pixels_less_the_divergences(name, cards):
    """Written out with SciPy, at the posterior's mean."""
    images, model = images_of(name, cards)[:8], VAE(SHAPE, likelihood=name, hidden=16)
    prepare(model, torch.from_numpy(images))
    model.sample = lambda latents, generator=None: Latents(**latents.means)
    elbo, latents = model.elbo(images), model.encode(images)
    mean = model.decode(latents).astype(float)
    density = {"bernoulli": lambda: images * np.log(mean) + (1 - images) * np.log1p(-mean),
               "poisson": lambda: stats.poisson.logpmf(images, mean),
               "gaussian": lambda: stats.norm.logpdf(images, mean, model.likelihood.standard_deviation().item())}[name]()
    sd = latents.content_sd
    assert elbo.reconstruction == pytest.approx(density.sum((1, 2)), rel=1e-4)
    assert elbo.content == pytest.approx(0.5 * (latents.content**2 + sd**2 - 1 - 2 * np.log(sd)).sum(1), rel=1e-4)
    assert elbo.total == pytest.approx(elbo.reconstruction - elbo.content, rel=1e-5)


def faint_slope(counts, seed=0):
    """Images of `counts` electrons a pixel that are brighter on the right by a hidden (n,) share, of 3 % standard deviation."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(0, 0.03, 400)
    across = np.linspace(-1, 1, 16) * np.ones((16, 1))
    return rng.poisson(counts * (1 + hidden[:, None, None] * across)).astype(np.float32), hidden


def follows(model, images, hidden):
    return max(abs(np.corrcoef(content, hidden)[0, 1]) for content in model.encode(images).content.T)


def test_a_model_that_knows_the_noise_keeps_a_latent_that_cross_entropy_drops():
    """256 pixels of 400 electrons show the slope with ten times the noise's strength; as coins they show nothing."""
    counts, hidden = faint_slope(400)
    knows, believes = VAE((16, 16), content=1, likelihood="poisson", hidden=32), VAE((16, 16), content=1, hidden=32)
    train(knows, counts, 60)
    train(believes, counts / counts.max(), 60)
    assert follows(knows, counts, hidden) > 0.95
    assert knows.elbo(counts).content.mean() > 1 > 0.1 > believes.elbo(counts / counts.max()).content.mean()


def noisy_stripes(noise):
    rng = np.random.default_rng(1)
    phase = rng.normal(size=(500, 1, 1))
    return (5 + phase * np.sin(np.arange(16)) * np.ones((16, 1)) + rng.normal(0, noise, (500, 16, 16))).astype(np.float32)


@pytest.mark.parametrize("noise", [0.2, 3.0])
def test_noise_that_is_learnt_comes_out_right(noise):
    model = VAE((16, 16), content=1, likelihood="gaussian", hidden=32)
    train(model, noisy_stripes(noise))
    assert model.likelihood.standard_deviation().item() == pytest.approx(noise, rel=0.04)


def test_noise_that_is_known_is_taken_as_it_is():
    model = VAE((16, 16), content=1, likelihood="gaussian", noise=0.7, hidden=32)
    train(model, noisy_stripes(0.2), 3)
    assert model.likelihood.standard_deviation().item() == pytest.approx(0.7)
    assert not [name for name, _ in model.named_parameters() if "noise" in name]


# ---------------------------------------------------------------------- models of every kind

@pytest.fixture(scope="module")
def joint(cards):
    """A model of counts with groups, turned all round, and its images."""
    counts = images_of("poisson", cards)
    model = VAE(SHAPE, content=0, pose=Pose(rotation=True), groups=4, likelihood="poisson", hidden=64)
    train(model, counts, 140)
    return model, counts


def test_suits_and_angles_are_found_in_counts(joint, cards):
    model, counts = joint
    latents = model.encode(counts)
    assert matched_accuracy(latents.group.argmax(1), cards.suit) >= 0.95
    for suit, order in enumerate(ORDERS):
        chosen = cards.suit == suit
        assert np.median(angle_error(latents.angle[chosen], cards.angle[chosen], order)) <= 2.5


def test_the_images_are_drawn_in_electrons(joint, cards):
    model, counts = joint
    off = model.decode(model.encode(counts)) - (cards.images * 30 + 2)
    assert np.sqrt((off**2).mean()) < 0.6 * np.sqrt((counts - (cards.images * 30 + 2)).var())   # less than the noise


def test_an_rvae_of_gaussian_images_finds_the_angle(cards):
    images = images_of("gaussian", cards)
    model = VAE(SHAPE, content=2, pose=Pose(rotation=True), likelihood="gaussian", hidden=64)
    train(model, images, 120)
    angle = model.encode(images).angle
    for suit, order in enumerate(ORDERS):
        assert np.median(angle_error(angle[cards.suit == suit], cards.angle[cards.suit == suit], order)) <= 4
    assert model.likelihood.standard_deviation().item() == pytest.approx(1, rel=0.1)


def test_images_are_compared_as_grey_values(cards):
    """The neighbours say the same of cards in any unit."""
    guides = []
    for scale in (1, 1000):
        model = VAE(SHAPE, pose=Pose(rotation=True), groups=4, likelihood="poisson", hidden=8)
        images = torch.from_numpy(cards.images * scale + 0.1 * scale)
        prepare(model, images, alignment=False)
        guides.append(ask_neighbours(model, images, None, True))
    assert matched_accuracy(guides[0].group.numpy(), guides[1].group.numpy()) == 1
    assert np.abs(guides[0].alignment.angle - guides[1].alignment.angle).median() < 0.01


@pytest.mark.parametrize("settings", [dict(likelihood="poisson"), dict(likelihood="gaussian"),
                                      dict(likelihood="gaussian", noise=0.5),
                                      dict(likelihood="poisson", pose=Pose(rotation=True, shift=0.1), groups=3)],
                         ids=["poisson", "gaussian", "known noise", "joint"])
def test_a_saved_model_is_the_same_when_loaded(settings, cards, tmp_path):
    images = images_of(settings["likelihood"], cards)
    model = VAE(SHAPE, hidden=16, **settings)
    train(model, images, 2)
    model.save(tmp_path / "model")
    loaded = VAE.load(tmp_path / "model")
    assert loaded.likelihood.name == settings["likelihood"] and loaded.likelihood.noise == settings.get("noise")
    for name, values in model.likelihood.state_dict().items():
        assert torch.equal(loaded.likelihood.state_dict()[name], values), name
    assert not torch.equal(model.likelihood.spread, torch.tensor(1.0))   # there was something to keep
    assert np.array_equal(loaded.decode(loaded.encode(images)), model.decode(model.encode(images)))
    assert np.array_equal(loaded.elbo(images).total, model.elbo(images).total)
    with safe_open(tmp_path / "model", "pt") as file:
        header = json.loads(file.metadata()["cardslib.VAE"])
    assert (header["likelihood"], header["noise"]) == (settings["likelihood"], settings.get("noise"))


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("settings, words", [
    (dict(likelihood="evil"), "likelihood must be 'bernoulli' or 'poisson' or 'gaussian'; got 'evil'"),
    (dict(likelihood=None), "likelihood must be .*; got None"),
    (dict(likelihood=["poisson"]), r"likelihood must be .*; got \['poisson'\]"),
    (dict(likelihood="poisson", noise=1.0), "noise goes with likelihood='gaussian'; got noise=1.0 with 'poisson'.*leave it"),
    (dict(noise=0.1), "noise goes with likelihood='gaussian'; got noise=0.1 with 'bernoulli'"),
    *[(dict(likelihood="gaussian", noise=noise), "noise must be a finite number of at least")
      for noise in (0, -1.0, math.nan, math.inf, "0.1", True)]])
def test_settings_that_do_not_go_together_are_refused(settings, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        VAE(SHAPE, **settings)


def spoilt(images, value, where=np.s_[1, 3, 3]):
    images = images.copy()
    images[where] = value
    return images


BAD = {   # how images are bad: the likelihood, what is done to right ones, and what the error says
    "negative counts": ("poisson", lambda images: spoilt(images, -2), "at least 0; got -2: add back the background .*gaussian"),
    "an empty image": ("poisson", lambda images: spoilt(images, 0, np.s_[1]),
                       "must hold electrons; 1 of 5 images are all zero, the first is number 1: leave them out"),
    "NaN in counts": ("poisson", lambda images: spoilt(images, np.nan), "must be finite; 1 of 5 images hold NaN"),
    "NaN": ("gaussian", lambda images: spoilt(images, np.nan), "must be finite; 1 of 5 images hold NaN"),
    "infinity": ("gaussian", lambda images: spoilt(images, -np.inf), "must be finite; 1 of 5 images hold NaN or infinity"),
    "a single one": ("poisson", lambda images: images[0], r"got \(20, 20\) float32: use images\[None\]"),
    "one axis too many": ("gaussian", lambda images: images[None], "one value a pixel, the images along the first axis"),
    "spectra": ("poisson", lambda images: images.reshape(5, 400), r"\(n, height, width\) counts .*got \(5, 400\)"),
    "another size": ("poisson", lambda images: images[:, :7], r"make a VAE\(\(7, 20\), …\)"),
    "text": ("gaussian", lambda images: images.astype(str), "astype"),
    "none": ("poisson", lambda images: images[:0], "at least one image"),
    "counts as shares": ("bernoulli", lambda images: images, r"must lie in \[0, 1\]; .*likelihood='poisson'")}


@pytest.mark.parametrize("how", BAD)
def test_bad_images_are_refused_before_any_work_with_a_cure(how, cards):
    name, change, words = BAD[how]
    images, model = change(images_of("poisson", cards)[:5]), VAE(SHAPE, likelihood=name, hidden=8)
    for use in (model.encode, model.elbo, lambda images: train(model, images, 1)):
        with pytest.raises(ValueError, match=f"^images .*{words}"):
            use(images)
    assert model.steps_made == 0


def test_whole_numbers_are_counts_without_a_conversion(cards):
    counts = images_of("poisson", cards)[:5]
    model = VAE(SHAPE, likelihood="poisson", hidden=8)
    for kind in (np.uint16, np.int64, float):
        assert np.array_equal(model.encode(counts.astype(kind)).content, model.encode(counts).content)


def test_noise_far_below_the_spread_is_learnt_within_the_usual_steps():
    rng = np.random.default_rng(3)
    x, amount = np.linspace(-1, 1, 40), rng.normal(size=(1500, 1))
    values = (amount * np.exp(-((x / 0.3) ** 2)) + rng.normal(0, 0.02, (1500, 40))).astype(np.float32)
    model = VAE((40,), content=1, likelihood="gaussian")
    fit(model, values, progress=False)
    assert model.likelihood.standard_deviation().item() == pytest.approx(0.02, rel=0.15)
