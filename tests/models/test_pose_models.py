"""VAEs with a pose: what they encode and decode, how they turn with the image, their bound, their guides, their files."""
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cardslib.cards import make_cards, render
from cardslib.geometry import rotation
from cardslib.metrics import angle_error, rank_correlation
from cardslib.models import VAE, Latents, Pose
from cardslib.models.guide import prepare
from cardslib.models.vae import MANY_IMAGES
from cardslib.training import fit
from cardslib.transforms import pixel_grid

SIZE = 20
SHAPE = (SIZE, SIZE)
SPADE = 1
ORDERS = (1, 1, 1, 2)
EVERYTHING = Pose(rotation=True, shift=0.2, scale=0.2, shear=True)
POSES = dict(angle=Pose(rotation=True), narrow=Pose(rotation=0.1), shift=Pose(shift=0.2), scale=Pose(scale=0.2),
             shear=Pose(shear=True), all=EVERYTHING)
KINDS = ("warp", "spatial", "skip")
poses = pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def images(turned_cards):
    return turned_cards.images[:12]


def new(pose=EVERYTHING, **settings):
    return VAE(SHAPE, pose=pose, **{"hidden": 32, **settings})


def trained(cards, labels=None, epochs=20, **settings):
    """A model and what it encodes."""
    model = VAE(cards.images.shape[1:], **settings)
    fit(model, cards.images, labels, epochs=epochs, progress=False)
    return model, model.encode(cards.images, labels)


def wrapped(angle):
    return np.mod(angle + np.pi, 2 * np.pi) - np.pi


def median_errors(latents, cards):
    """Degrees, of each suit."""
    return [np.median(angle_error(latents.angle[cards.suit == suit], cards.angle[cards.suit == suit], ORDERS[suit]))
            for suit in np.unique(cards.suit)]


def zero_pose(latents):
    return replace(latents, **{name: np.zeros_like(values) for name, values in latents.means.items() if name != "content"})


# ---------------------------------------------------------------------- in and out

@kinds
@poses
def test_encode_gives_each_part_of_the_pose_by_its_name(images, pose, kind):
    latents = new(pose, decoder=kind).encode(images)
    assert latents.means.keys() == {"content", *pose.widths}
    for name in pose.widths:
        values, sd = getattr(latents, name), getattr(latents, name + "_sd")
        assert values.shape == ((12, 2) if name == "shift" else (12,)) and sd.shape == (12,)
        assert values.dtype == sd.dtype == np.float32 and (sd > 0).all()
    assert latents.angle is None or np.abs(latents.angle).max() <= np.float32(np.pi)


@pytest.mark.parametrize("shape", [(1, 128), (24, 96), (31, 47), (48, 48), (96, 24)])
@pytest.mark.parametrize("pose", [Pose(scale=0.1), Pose(rotation=0.1), Pose(rotation=True)],
                         ids=["scale", "narrow", "all round"])
def test_the_encoder_sees_the_whole_image_whatever_its_shape(shape, pose):
    """All round, a disc as wide as the longer side: what lies outside leaves the picture when it turns."""
    images = torch.rand(1, *shape, requires_grad=True)
    every, _ = VAE(shape, pose=pose, hidden=16).posterior_by_orientation(images)
    (every.content * torch.randn_like(every.content)).sum().backward()
    seen = images.grad[0] != 0
    radius = pixel_grid(*shape).norm(dim=2) * shape[1] / max(shape)   # in half of the longer side
    assert seen[radius < 0.93].all() if len(pose.orientations) > 1 else seen.all()


@pytest.mark.parametrize("pose", [Pose(rotation=True), Pose(rotation=True, shift=0.1), Pose(shift=0.1)])
def test_wide_images_that_differ_at_their_ends_are_told_apart(pose):
    images = np.zeros((2, 24, 96), np.float32)
    images[:, 8:16, 44:52] = 1                        # all that the square in the middle shows
    images[0, 6:18, 2:6] = images[1, 10:14, 2:14] = 1
    content = VAE((24, 96), pose=pose, hidden=32).encode(images).content
    assert np.abs(content[0] - content[1]).max() > 1e-3


def test_angles_are_within_half_a_turn_whatever_the_encoder_says(images):
    model = new()
    with torch.no_grad():
        model.encoder.layers[-1].bias.fill_(50)
    assert np.abs(model.encode(images).angle).max() <= np.float32(np.pi)


def test_no_posterior_is_wider_than_what_is_known_beforehand(images):
    model = new()
    with torch.no_grad():
        model.encoder.layers[-1].bias.fill_(50)
    latents = model.encode(images)
    assert latents.angle_sd.max() <= 0.5   # a Gaussian that does not meet itself on the circle
    assert latents.shift_sd.max() <= 0.2 and latents.scale_sd.max() <= 0.2 and latents.shear_sd.max() <= 0.3


@poses
def test_decode_takes_what_encode_gives(images, pose):
    decoded = new(pose).decode(new(pose).encode(images))
    assert decoded.shape == images.shape and decoded.dtype == np.float32 and decoded.min() >= 0 and decoded.max() <= 1


@pytest.mark.parametrize("suit", range(4))
def test_an_image_comes_back_in_its_own_pose(rvae, turned_cards, suit):
    cards = turned_cards[turned_cards.suit == suit]
    latents = rvae.encode(cards.images)
    back, canonical = (np.abs(rvae.decode(given) - cards.images).mean() for given in (latents, latents.content))
    assert back < 0.03 and back < 0.6 * canonical


@kinds
@poses
def test_content_alone_is_the_canonical_picture(images, pose, kind):
    model = new(pose, decoder=kind)
    latents = model.encode(images)
    canonical = model.decode(latents.content)
    assert np.array_equal(canonical, model.decode(Latents(latents.content)))
    assert model.decode(zero_pose(latents)) == pytest.approx(canonical, abs=1e-5)
    moved = replace(zero_pose(latents), **{name: np.full_like(values, 0.5) for name, values in latents.means.items()
                                           if name != "content"})
    assert not np.allclose(model.decode(moved), canonical, atol=1e-3)


@pytest.mark.parametrize("shape", [(20, 14), (14, 20), (37, 37)])
@kinds
def test_images_may_have_any_size(shape, kind):
    model, images = VAE(shape, pose=EVERYTHING, decoder=kind, hidden=16), np.random.default_rng(0).uniform(size=(3, *shape))
    assert model.decode(model.encode(images)).shape == (3, *shape)
    assert np.isfinite(model.elbo(images).total).all()


def test_many_images_go_through_in_chunks_and_come_out_the_same():
    model, images = VAE((6, 6), pose=EVERYTHING, hidden=8), np.random.default_rng(0).uniform(size=(MANY_IMAGES + 50, 6, 6))
    latents, elbo = model.encode(images), model.elbo(images)
    last = model.encode(images[MANY_IMAGES:])
    assert len(elbo.total) == len(model.decode(latents)) == len(latents) == len(images)
    for name, values in last.rows.items():
        assert values == pytest.approx(getattr(latents, name)[MANY_IMAGES:], abs=1e-4), name
    assert model.decode(latents)[MANY_IMAGES:] == pytest.approx(model.decode(latents[MANY_IMAGES:]), abs=1e-5)


def test_an_index_picks_the_same_images_from_every_part(rvae, turned_cards):
    latents = rvae.encode(turned_cards.images[:12])
    for name, values in latents[[7, 2]].rows.items():
        assert np.array_equal(values, getattr(latents, name)[[7, 2]])
    assert len(latents[3]) == 1 and latents[3].shift.shape == (1, 2)


# ---------------------------------------------------------------------- what the pose is called in the world

@kinds
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_an_image_turned_by_quarters_is_encoded_by_quarters_further(images, kind, quarters):
    """Exactly, trained or not: the encoder is equivariant.  And its bound is the same."""
    model = new(Pose(rotation=True, scale=0.1), decoder=kind)
    rotated = np.rot90(images, quarters, (1, 2))
    before, after = model.encode(images), model.encode(rotated)
    assert np.abs(wrapped(after.angle - before.angle - quarters * np.pi / 2)).max() < 1e-4
    for name in ("content", "content_sd", "angle_sd", "scale", "scale_sd"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-4), name
    assert model.elbo(rotated).total == pytest.approx(model.elbo(images).total, rel=1e-4)
    assert model.decode(after) == pytest.approx(np.rot90(model.decode(before), quarters, (1, 2)), abs=1e-3)


@pytest.mark.parametrize("model", ["rvae", "untrained"])
def test_the_shift_turns_with_the_image(rvae, images, model):
    model = rvae if model == "rvae" else new(Pose(rotation=True, shift=0.2))
    before, after = model.encode(images), model.encode(np.rot90(images, axes=(1, 2)))
    assert np.abs(wrapped(after.angle - before.angle - np.pi / 2)).max() < 1e-3
    assert after.shift == pytest.approx(before.shift @ rotation(np.pi / 2).T, abs=1e-3)
    assert model.elbo(np.rot90(images, axes=(1, 2))).divergences["shift"] == pytest.approx(model.elbo(images).shift, abs=1e-3)


@pytest.mark.parametrize("pose", [Pose(shift=0.2), Pose(rotation=True, shift=0.2)])
def test_the_shift_of_a_shifted_image_is_further_by_as_much(pose):
    """Seen about the middle of its light, a shifted picture is the same picture."""
    card = render([SPADE], [0.4], [0], [(0, 0)], SIZE)
    shifted = np.roll(card, (-2, 3), (1, 2))   # 2 pixels up, 3 to the right
    before, after = new(pose).encode(card), new(pose).encode(shifted)
    assert after.shift - before.shift == pytest.approx(np.array([[0.3, -0.2]]), abs=1e-3)
    assert after.content == pytest.approx(before.content, abs=1e-3)


def test_an_rvae_knows_the_pose_of_cards(rvae, turned_cards):
    latents = rvae.encode(turned_cards.images)
    assert (np.array(median_errors(latents, turned_cards)) <= [1.5, 1.5, 1.5, 2.5]).all()
    assert np.abs(latents.shift - turned_cards.shift).mean() < 0.03


def test_a_shift_vae_finds_where_cards_lie():
    cards = make_cards(75, rotation=0, shear=0, shift=0.2, size=SIZE)
    model, latents = trained(cards, pose=Pose(shift=0.2))
    for found, true in zip(latents.shift.T, cards.shift.T):
        assert np.corrcoef(found, true)[0, 1] > 0.98 and np.polyfit(true, found, 1)[0] == pytest.approx(1, abs=0.1)
    moved, unmoved = (np.abs(model.decode(given) - cards.images).mean() for given in (latents, latents.content))
    assert moved < 0.6 * unmoved


def test_a_shear_of_its_own_is_found_with_its_sign():
    cards = make_cards(75, rotation=0, shear=20, size=SIZE)
    latents = trained(cards, pose=Pose(shear=True))[1]
    assert min(rank_correlation(latents.shear[cards.suit == suit], cards.shear[cards.suit == suit]) for suit in range(4)) > 0.95


def test_a_scale_of_its_own_is_found_with_its_sign(artist):
    logs = np.random.default_rng(0).uniform(-0.3, 0.3, 200).astype(np.float32)
    drawing = artist(render([SPADE], [0], [0], [(0, 0)], SIZE)[0])
    images = drawing.decode(Latents(np.zeros((200, 0), np.float32), scale=logs))
    model = VAE(SHAPE, content=1, pose=Pose(scale=0.2))
    fit(model, images, epochs=40, progress=False)
    found = model.encode(images).scale
    assert np.corrcoef(found, logs)[0, 1] > 0.98 and np.polyfit(logs, found, 1)[0] == pytest.approx(1, abs=0.2)


def test_with_a_name_for_everything_no_content_is_needed(turned_cards):
    spades = turned_cards[turned_cards.suit == SPADE]
    model, latents = trained(spades, epochs=60, content=0, pose=Pose(rotation=True, shift=0.1))
    assert latents.content.shape == (100, 0) and median_errors(latents, spades)[0] <= 1.5
    assert np.abs(model.decode(latents) - spades.images).mean() < 0.02
    assert model.elbo(spades.images).content == pytest.approx(0)


def test_an_rvae_that_is_told_the_suit_turns_each(turned_cards):
    images, suit = turned_cards.images, turned_cards.suit
    model, latents = trained(turned_cards, suit, epochs=40, classes=4, content=1, pose=Pose(rotation=True, shift=0.1))
    assert max(median_errors(latents, turned_cards)) <= 2 and np.array_equal(latents.label, suit)
    right, wrong = (np.abs(model.decode(latents, (suit + more) % 4) - images).mean() for more in (0, 1))
    assert right < 0.7 * wrong and np.array_equal(model.decode(latents), model.decode(latents, suit))


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("settings, words", [
    (dict(pose=EVERYTHING, decoder="dense"), "decoder must be 'warp' or 'spatial' or 'skip' with a pose; got 'dense'"),
    (dict(pose=EVERYTHING, decoder="evil"), "decoder must be 'warp' or 'spatial' or 'skip' with a pose; got 'evil'"),
    (dict(decoder="warp"), "decoder must be 'dense' without a pose; got 'warp'"),
    (dict(decoder="skip"), "decoder must be 'dense' without a pose; got 'skip'"),
    (dict(pose=True), r"pose must be a Pose, such as Pose\(rotation=True\); got True"),
    (dict(pose=dict(rotation=True)), "pose must be a Pose"), (dict(pose="rotation"), "pose must be a Pose"),
    (dict(content=0), "content must be a whole number of at least 1; got 0"),
    (dict(content=-1, pose=EVERYTHING), "content must be a whole number of at least 0; got -1")])
def test_settings_that_do_not_go_together_are_refused(settings, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        VAE(SHAPE, **settings)


@pytest.mark.parametrize("pose, extra, words", [
    (Pose(shift=0.2), dict(angle=np.zeros(3)), r"latents hold an? angle, but this VAE has none in its pose: .*pose=Pose\(…\)"),
    (Pose(rotation=True), dict(shift=np.zeros((3, 2))), "latents hold a shift, but this VAE has none"),
    (None, dict(angle=np.zeros(3)), "latents hold an? angle, but this VAE has none"),
    (EVERYTHING, dict(angle=np.zeros((3, 1))), r"latents must hold one angle an image, 3 images; got angle \(3, 1\)"),
    (EVERYTHING, dict(angle=np.zeros(2)), r"one angle an image, 3 images; got angle \(2,\)"),
    (EVERYTHING, dict(angle=0.5), r"one angle an image, 3 images; got angle \(\)"),
    (EVERYTHING, dict(shift=np.zeros(3)), r"a shift of 2 coordinates an image, 3 images; got shift \(3,\)"),
    (EVERYTHING, dict(shift=np.zeros((2, 3))), r"a shift of 2 coordinates an image, 3 images; got shift \(2, 3\)"),
    (EVERYTHING, dict(scale=np.zeros((3, 2))), "one scale an image"),
    (EVERYTHING, dict(shear=np.array([0, np.nan, 0])), "shear must be finite"),
    (EVERYTHING, dict(angle=np.array(["a", "b", "c"])), "angle must be .* numbers")])
def test_latents_that_the_model_cannot_have_given_are_refused(pose, extra, words):
    with pytest.raises(ValueError, match=words):
        VAE(SHAPE, pose=pose, hidden=16).decode(Latents(np.zeros((3, 2)), **extra))


def test_a_pose_may_be_given_as_a_list_or_as_tensors(images):
    model = new()
    latents = model.encode(images)
    for kind in (torch.from_numpy, np.ndarray.tolist, lambda values: values.astype(float)):
        assert model.decode(latents.map(kind)) == pytest.approx(model.decode(latents), abs=1e-6)


# ---------------------------------------------------------------------- training and files

@kinds
@poses
def test_every_decoder_learns_with_every_pose_and_is_the_same_when_loaded(turned_cards, tmp_path, pose, kind):
    model = new(pose, decoder=kind, seed=3)
    before = model.elbo(turned_cards.images).total.mean()
    history = fit(model, turned_cards.images[:200], epochs=3, progress=False)
    assert model.elbo(turned_cards.images).total.mean() > before and {*pose.widths} <= history.terms.keys()
    model.save(tmp_path / "model")
    loaded, images = VAE.load(tmp_path / "model"), turned_cards.images[:12]
    assert (loaded.pose, loaded.decoder.name, loaded.content, loaded.hidden) == (pose, kind, 2, 32)
    assert loaded.steps_made == model.steps_made > 0 and loaded.prepared == model.prepared
    for name, values in model.encode(images).rows.items():
        assert np.array_equal(values, getattr(loaded.encode(images), name)), name
    assert np.array_equal(loaded.decode(loaded.encode(images)), model.decode(model.encode(images)))
    assert np.array_equal(loaded.elbo(images).total, model.elbo(images).total)


def test_a_loaded_model_tells_any_orientation_from_a_width_of_one(tmp_path):
    for given, width in ((True, math.inf), (1, 1.0)):
        new(Pose(rotation=given), content=0).save(tmp_path / "model")
        loaded = VAE.load(tmp_path / "model")
        assert loaded.pose.widths == dict(angle=width) and loaded.content == 0


@kinds
def test_before_anything_is_learnt_the_picture_is_as_bright_as_the_mean_image(turned_cards, kind):
    model = new(decoder=kind)
    before = model.elbo(turned_cards.images).reconstruction.mean()
    prepare(model, torch.from_numpy(turned_cards.images), alignment=False)
    assert 0.5 < model.decode(np.zeros((1, 2))).mean() / turned_cards.images.mean() < 2
    assert model.elbo(turned_cards.images).reconstruction.mean() > before + 50


@kinds
def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_random_numbers_alone(images, kind):
    state = torch.random.get_rng_state()
    first, again, other = (new(decoder=kind, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(first.elbo(images).total, again.elbo(images).total)
    assert not np.allclose(first.elbo(images).total, other.elbo(images).total)


def test_a_header_cannot_ask_for_more_pixels_than_fit(tmp_path):
    """A spatial decoder has the same weights whatever the size of the image."""
    model = VAE((24, 24), pose=Pose(rotation=True), decoder="spatial", hidden=16)
    model.save(tmp_path / "model")
    with safe_open(tmp_path / "model", "pt") as file:
        header = file.metadata()["cardslib.VAE"]
    save_file(model.state_dict(), tmp_path / "model", {"cardslib.VAE": header.replace("[24, 24]", "[50000, 50000]")})
    with pytest.raises(ValueError, match="does not describe a VAE"):
        VAE.load(tmp_path / "model")
