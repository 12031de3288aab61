"""One-dimensional data: spectra (n, channels), with or without a shift or a scale along their one axis, and with groups."""
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score

from cardslib.metrics import matched_accuracy
from cardslib.models import VAE, Latents, Pose
from cardslib.models.guide import ask_neighbours, prepare
from cardslib.training import fit
from cardslib.transforms import pixel_grid, to_canonical

CHANNELS = 120
HALF_WIDTH = CHANNELS / 2
DRIFT = 3.0   # channels: standard deviation
POSES = {"none": None, "shift": Pose(shift=0.05), "scale": Pose(scale=0.1), "both": Pose(shift=0.05, scale=0.1)}
every_pose = pytest.mark.parametrize("pose", POSES.values(), ids=POSES.keys())


def line(middle, width=4.0):
    """Gaussian lines (n, channels) about these channels (n,)."""
    return np.exp(-(((np.arange(CHANNELS) - np.reshape(middle, (-1, 1))) / width) ** 2) / 2)


def two_lines(count=600, drift=DRIFT, seed=0):
    """Counts (n, channels) of two lines in a share (n,) and drift (n,) channels to the right."""
    rng = np.random.default_rng(seed)
    share, off = rng.uniform(size=count), rng.normal(0, drift, count)
    expected = 5 + 60 * (share[:, None] * line(45 + off) + (1 - share[:, None]) * line(70 + off))
    return rng.poisson(expected).astype(np.float32), share, off


@pytest.fixture(scope="module")
def spectra():
    return two_lines(12)[0]


def new(pose=None, **more):
    return VAE((CHANNELS,), pose=pose, **{"content": 1, "likelihood": "poisson", "hidden": 64} | more)


def train(model, spectra, labels=None, epochs=60):
    return fit(model, spectra, labels, epochs, progress=False)


def readable(content, values):
    """How well a forest reads values (n,) from the content, R² of spectra that it has not seen."""
    forest = RandomForestRegressor(60, min_samples_leaf=5, random_state=0)
    return cross_val_score(forest, content, values, cv=3).mean()


# ---------------------------------------------------------------------- shapes

@every_pose
@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson", "gaussian"])
def test_spectra_go_in_and_spectra_come_out(pose, likelihood, spectra):
    model = new(pose, likelihood=likelihood, content=2)
    spectra = spectra / spectra.max() if likelihood == "bernoulli" else spectra
    latents, elbo = model.encode(spectra), model.elbo(spectra)
    assert latents.content.shape == latents.content_sd.shape == (12, 2)
    assert latents.angle is None and latents.shear is None
    for name, shape in (("shift", (12, 1)), ("scale", (12,))):
        there = pose is not None and name in pose.widths
        assert (getattr(latents, name) is not None) == there
        if there:
            assert getattr(latents, name).shape == shape and getattr(latents, name + "_sd").shape == (12,)
    assert elbo.divergences.keys() == {"content", *(pose.widths if pose else ())}
    assert all(term.shape == (12,) and np.isfinite(term).all() for term in elbo.terms.values())
    drawn = model.decode(latents)
    assert drawn.shape == (12, CHANNELS) and drawn.dtype == np.float32 and np.isfinite(drawn).all()
    assert model.decode(latents.content).shape == (12, CHANNELS)


@pytest.mark.parametrize("channels", [1, 2, 7, 49, 400, 1000])
def test_the_canonical_spectrum_is_one_row_as_long_as_it_is_looked_at(channels):
    model = VAE((channels,), pose=Pose(shift=0.1), hidden=8)
    assert model.decoder.canvas == (1, math.ceil(1.1 * channels))
    assert model.encode(np.zeros((3, channels))).shift.shape == (3, 1)


def test_the_reach_of_a_shift_is_along_the_axis_alone():
    assert Pose(shift=0.02).reach((400,)) == pytest.approx((1.02, 1 / 400))
    assert Pose(scale=0.1).reach((400,)) == pytest.approx((1, 1 / 400))


def test_a_model_of_spectra_is_not_much_larger_than_one_without_a_pose():
    """A square canvas of 400 × 400 would have twenty million weights."""
    sizes = [sum(weight.numel() for weight in VAE((400,), pose=pose).parameters()) for pose in (None, Pose(shift=0.02))]
    assert sizes[1] < 1.05 * sizes[0] < 200_000


@pytest.mark.parametrize("settings", [dict(classes=3), dict(conditions=2), dict(groups=3),
                                      dict(groups=2, pose=Pose(shift=0.05))],
                         ids=["classes", "conditions", "groups", "groups and shift"])
def test_what_is_told_or_found_beside_works_as_with_images(settings, spectra):
    model, rng = new(**settings), np.random.default_rng(0)
    labels = {"classes": rng.integers(3, size=12), "conditions": rng.normal(size=(12, 2))}.get(next(iter(settings)))
    history = train(model, spectra, labels, 2)
    latents = model.encode(spectra, labels)
    assert model.decode(latents).shape == spectra.shape and np.isfinite(history.loss).all()
    if "groups" in settings:
        assert latents.group.sum(1) == pytest.approx(np.ones(12), abs=1e-5)


@every_pose
def test_gradients_reach_every_weight(pose, spectra):
    model = new(pose)
    latents = model.posterior(torch.from_numpy(spectra))
    drawn = model.natural_parameters(model.sample(latents, torch.Generator().manual_seed(0)))
    (drawn.square().sum() + sum(values.sum() for values in latents.rows.values())).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


# ---------------------------------------------------------------------- what a pose does to a spectrum

def artist(pose):
    """A model that draws a line at channel 50 on a background, whatever it is told."""
    model = new(pose, content=0)
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.zero_()
    expected = torch.from_numpy(5 + 60 * line(50)[0]).float()
    model.likelihood.white.fill_(60.0)
    model.decoder.start_from(model.likelihood.natural(expected))
    return model


def drawn(model, **pose):
    return model.decode(Latents(np.zeros((1, 0)), **{name: np.array([value], np.float32) for name, value in pose.items()}))[0]


@pytest.mark.parametrize("pose", ["shift", "scale", "both"])
def test_a_spectrum_that_is_not_moved_is_the_canonical_one(pose):
    pose = POSES[pose]
    assert drawn(artist(pose)) == pytest.approx(5 + 60 * line(50)[0], abs=1.5)


@pytest.mark.parametrize("channels", [-8, -1, 0.5, 3, 12])
def test_a_shift_moves_the_spectrum_by_so_many_channels_to_the_right(channels):
    found = drawn(artist(POSES["shift"]), shift=[channels / HALF_WIDTH])
    assert found == pytest.approx(5 + 60 * line(50 + channels)[0], abs=1.5)


@pytest.mark.parametrize("scale", [-0.2, 0.1, 0.3])
def test_a_scale_stretches_the_spectrum_about_its_middle(scale):
    middle = (CHANNELS - 1) / 2
    expected = 5 + 60 * line(middle + (50 - middle) * math.exp(scale), 4 * math.exp(scale))[0]
    assert drawn(artist(POSES["scale"]), scale=scale) == pytest.approx(expected, abs=1.5)


def test_a_shift_comes_after_the_scale():
    middle, scale, channels = (CHANNELS - 1) / 2, 0.2, 6
    expected = 5 + 60 * line(middle + (50 - middle) * math.exp(scale) + channels, 4 * math.exp(scale))[0]
    found = drawn(artist(POSES["both"]), scale=scale, shift=[channels / HALF_WIDTH])
    assert found == pytest.approx(expected, abs=1.5)


@given(st.floats(-1, 1), st.floats(-0.7, 0.7), st.floats(-1, 1))
def test_to_canonical_undoes_shift_and_scale_along_the_one_axis(shift, scale, x):
    pose = Latents(torch.zeros(1, 0, dtype=torch.float64), shift=torch.tensor([[shift]], dtype=torch.float64),
                   scale=torch.tensor([scale], dtype=torch.float64))
    moved = torch.tensor([[x * math.exp(scale) + shift, 0]], dtype=torch.float64)
    assert to_canonical(moved, pose)[0, 0].tolist() == pytest.approx([x, 0], abs=1e-9)


def test_the_points_of_a_spectrum_lie_in_one_row():
    model = new(POSES["shift"])
    assert torch.equal(model.points, pixel_grid(1, CHANNELS)[0]) and not model.points[:, 1].any()


# ---------------------------------------------------------------------- what models find

@pytest.fixture(scope="module")
def drifting():
    """600 spectra of two lines, and models with and without a shift that have learnt them."""
    spectra, share, off = two_lines()
    shifted, plain = new(Pose(shift=DRIFT / HALF_WIDTH)), new(content=2)
    train(shifted, spectra)
    train(plain, spectra)
    return spectra, share, off, shifted, plain


def test_a_known_shift_is_recovered(drifting):
    spectra, _, off, shifted, _ = drifting
    found = shifted.encode(spectra).shift[:, 0] * HALF_WIDTH
    assert np.corrcoef(found, off)[0, 1] >= 0.98
    assert np.std(found - off) < 0.15 * DRIFT and 0.9 < np.polyfit(off, found, 1)[0] < 1.1


def test_with_a_shift_the_content_is_the_chemistry_and_free_of_the_drift(drifting):
    spectra, share, off, shifted, plain = drifting
    content, of_plain = shifted.encode(spectra).content, plain.encode(spectra).content
    assert readable(content, share) > 0.95 and readable(content, off) < 0.1
    assert readable(of_plain, off) > 0.8   # there was something to be free of


def test_spectra_of_another_seed_are_read_as_well(drifting):
    spectra, share, off = two_lines(200, seed=5)
    latents = drifting[3].encode(spectra)
    assert np.corrcoef(latents.shift[:, 0], off)[0, 1] >= 0.98
    assert abs(np.corrcoef(latents.content[:, 0], share)[0, 1]) > 0.95


@pytest.mark.parametrize("which", [3, 4], ids=["shift", "plain"])
def test_what_is_decoded_is_nearer_to_the_truth_than_the_spectrum_itself(drifting, which):
    spectra, share, off = drifting[:3]
    expected = 5 + 60 * (share[:, None] * line(45 + off) + (1 - share[:, None]) * line(70 + off))
    model = drifting[which]
    drawn = model.decode(model.encode(spectra))
    assert np.mean((drawn - expected) ** 2) < 0.25 * np.mean((spectra - expected) ** 2)


def test_a_saved_model_is_the_same_when_loaded(drifting, tmp_path):
    spectra, *_, shifted, _ = drifting
    shifted.save(tmp_path / "model")
    loaded = VAE.load(tmp_path / "model")
    assert loaded.shape == (CHANNELS,) and loaded.pose == shifted.pose
    assert np.array_equal(loaded.decode(loaded.encode(spectra)), shifted.decode(shifted.encode(spectra)))


@pytest.mark.parametrize("decoder", ["spatial", "skip"])
def test_networks_of_the_coordinate_learn_too(decoder):
    spectra = two_lines(200)[0]
    model = new(POSES["shift"], decoder=decoder, hidden=32)
    history = train(model, spectra, epochs=40)
    assert history.loss[-1] < history.loss[0] - 50
    assert model.decode(model.encode(spectra)).shape == spectra.shape


# ---------------------------------------------------------------------- groups

def three_kinds(drift=0.0, brightness=0.2):
    """450 noisy spectra of three kinds, 2 counts a channel of background, as bright as they like; the kind of each."""
    rng = np.random.default_rng(0)
    kind, bright = np.arange(450) % 3, np.exp(rng.normal(0, brightness, (450, 1)))
    middle = np.array([40, 50, 70])[kind] + rng.normal(0, drift, 450)
    return rng.poisson(bright * (2 + 4 * line(middle))).astype(np.float32), kind


@pytest.mark.parametrize("settings, drift", [(dict(content=1), 0.0), (dict(content=1, pose=Pose(shift=0.03)), 1.0)],
                         ids=["as they stand", "shifted"])
def test_groups_are_the_kinds_of_spectra(settings, drift):
    spectra, kind = three_kinds(drift)
    model = new(groups=3, **settings)
    train(model, spectra)
    assert matched_accuracy(model.encode(spectra).group.argmax(1), kind) > 0.97


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_neighbours_know_the_kinds_under_any_likelihood(likelihood):
    spectra, kind = three_kinds()
    spectra = torch.from_numpy(spectra / spectra.max())
    model = new(groups=3, likelihood=likelihood)
    prepare(model, spectra, alignment=False)
    assert matched_accuracy(ask_neighbours(model, spectra, None, True).group.numpy(), kind) > 0.97


def test_a_few_labels_name_the_groups():
    spectra, kind = three_kinds()
    labels = np.full(450, -1)
    labels[:6] = kind[:6]
    model = new(groups=3)
    train(model, spectra, labels)
    assert (model.encode(spectra).group.argmax(1) == kind).mean() > 0.97


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("settings, words", [
    (dict(pose=Pose(rotation=True)), r"pose must be a shift or a scale along the one axis .*use Pose\(shift=0.02\)"),
    (dict(pose=Pose(shear=0.1, shift=0.1)), "pose must be a shift or a scale along the one axis"),
    (dict(decoder="warp"), "decoder must be 'dense' without a pose"),
    (dict(pose=Pose(shift=0.1), decoder="dense"), "decoder must be 'warp' or 'spatial' or 'skip' with a pose"),
    (dict(content=0), "content must be a whole number of at least 1; got 0")])
def test_settings_that_spectra_cannot_have_are_refused(settings, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        VAE((CHANNELS,), **settings)


@pytest.mark.parametrize("change, words", [
    (lambda spectra: spectra[:, None], r"must be \(n, channels\) counts of electrons.*: one value a channel, the spectra"),
    (lambda spectra: spectra[0], r"got \(120,\) float32: use images\[None\]"),
    (lambda spectra: spectra[:, :100], r"must be \(120,\) channels each.*make a VAE\(\(100,\), …\)"),
    (lambda spectra: -spectra, "at least 0; got -"), (lambda spectra: spectra * np.nan, "must be finite; 12 of 12"),
    (lambda spectra: spectra * (np.arange(12) != 4)[:, None], "1 of 12 images are all zero, the first is number 4")],
    ids=["images", "a single one", "fewer channels", "negative", "NaN", "an empty one"])
def test_bad_spectra_are_refused_with_a_cure(change, words, spectra):
    for use in (new().encode, new().elbo, lambda spectra: train(new(), spectra, epochs=1)):
        with pytest.raises(ValueError, match=f"^images .*{words}"):
            use(change(spectra))


@pytest.mark.parametrize("shift", [np.zeros(3), np.zeros((3, 2)), np.zeros((2, 1))], ids=["no axis", "of images", "too few"])
def test_a_shift_of_spectra_has_one_coordinate(shift):
    with pytest.raises(ValueError, match="a shift of 1 coordinate an image, 3 images; got shift"):
        new(POSES["shift"]).decode(Latents(np.zeros((3, 1)), shift=shift))
