"""The VAE: what goes in and comes out, the mathematics of its bound, its errors, its files."""
import json
import os
import pickle
from itertools import islice

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import logsumexp
from torch.distributions import Normal, kl_divergence

from cardslib.models import ELBO, VAE, Latents, latent_grid
from cardslib.models.elbo import elbo as lower_bound
from cardslib.models.guide import prepare
from cardslib.models.vae import MANY_IMAGES

SHAPE = (24, 24)


@pytest.fixture(scope="module")
def images(cards):
    return cards.images[:12]


@pytest.fixture(scope="module")
def labels(cards):
    return cards.suit[:12]


@pytest.fixture
def conditional():
    return VAE(SHAPE, classes=4)


def with_posterior(means, log_sds):
    """A VAE whose posterior is the same for every image, and whose decoder draws the same for every latent: grey."""
    model = VAE((8, 8), content=len(means))
    with torch.no_grad():
        for last in (model.encoder.layers[-1], model.decoder.layers[-2]):
            last.weight.zero_()
            last.bias.zero_()
        model.encoder.layers[-1].bias.copy_(torch.tensor([*means, *log_sds]))
    return model


# ---------------------------------------------------------------------- in and out

@pytest.mark.parametrize("content", [1, 2, 5])
def test_encode_gives_mean_and_spread_of_each_content_latent(images, content):
    latents = VAE(SHAPE, content=content).encode(images)
    assert latents.content.shape == latents.content_sd.shape == (12, content)
    assert latents.content.dtype == latents.content_sd.dtype == np.float32
    assert (latents.content_sd > 0).all() and latents.label is None and len(latents) == 12


def test_decode_takes_what_encode_gives(trained, images):
    decoded = trained.decode(trained.encode(images))
    assert decoded.shape == images.shape and decoded.dtype == np.float32
    assert decoded.min() >= 0 and decoded.max() <= 1


def test_decode_takes_content_alone(trained, images):
    latents = trained.encode(images)
    assert np.array_equal(trained.decode(latents.content), trained.decode(latents))
    assert np.array_equal(trained.decode(torch.from_numpy(latents.content)), trained.decode(latents))
    assert np.array_equal(trained.decode(latents.content[0]), trained.decode(latents[:1]))   # a single point


def test_each_image_is_encoded_and_decoded_by_itself(trained, images):
    latents = trained.encode(images)
    assert trained.encode(images[7:8]).content == pytest.approx(latents.content[7:8], abs=1e-4)
    assert trained.decode(latents)[7:8] == pytest.approx(trained.decode(latents.content[7]), abs=1e-4)


def test_images_need_not_be_square(cards):
    model = VAE((24, 20))
    images = cards.images[:5, :, 2:-2]
    assert model.decode(model.encode(images)).shape == (5, 24, 20)


def test_elbo_gives_a_number_an_image_and_term(trained, images):
    elbo = trained.elbo(images)
    for term in (elbo.total, elbo.reconstruction, elbo.content):
        assert term.shape == (12,) and term.dtype == np.float32


def test_elbo_is_the_reconstruction_minus_every_divergence(trained, images):
    elbo = trained.elbo(images)
    assert list(elbo.divergences) == ["content"]
    assert elbo.total == pytest.approx(elbo.reconstruction - elbo.content)
    assert (elbo.reconstruction < 0).all() and (elbo.content > 0).all()


def test_elbo_draws_the_same_noise_from_the_same_seed(trained, images):
    first, again, other = (trained.elbo(images, seed=seed).total for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("kind", ["tensor", "float64", "list", "strided"])
def test_images_may_come_as(trained, images, kind):
    given = dict(tensor=torch.from_numpy(images), float64=images.astype(float), list=images.tolist(),
                 strided=images[:, :, ::-1][:, :, ::-1])[kind]
    assert np.array_equal(trained.encode(given).content, trained.encode(images).content)


def test_many_images_go_through_in_chunks_and_come_out_the_same():
    model, images = VAE((8, 8)), np.random.default_rng(0).uniform(size=(2 * MANY_IMAGES + 100, 8, 8))
    seen = []
    for network in (model.encoder, model.decoder):
        network.register_forward_hook(lambda network, given, out: seen.append(len(out)))
    latents, elbo = model.encode(images), model.elbo(images)
    decoded = model.decode(latents)
    assert max(seen) == MANY_IMAGES
    assert len(elbo.total) == len(images)
    for part in (slice(0, 700), slice(700, 1600), slice(1600, None)):
        assert model.encode(images[part]).content == pytest.approx(latents.content[part], abs=1e-5)
        assert model.encode(images[part]).content_sd == pytest.approx(latents.content_sd[part], abs=1e-5)
        assert model.decode(latents[part]) == pytest.approx(decoded[part], abs=1e-5)
        assert model.elbo(images[part]).content == pytest.approx(elbo.content[part], abs=1e-5)


# ---------------------------------------------------------------------- the mathematics

@pytest.mark.parametrize("means, log_sds", [((0.0,), (0.0,)), ((1.5,), (0.0,)), ((0.0,), (-2.0,)), ((0.0,), (1.0,)),
                                            ((1.0, -0.5, 2.0), (-1.0, 0.3, -3.0))])
def test_divergence_from_the_prior_has_its_known_value(means, log_sds):
    spread = torch.tensor(log_sds).exp()
    expected = kl_divergence(Normal(torch.tensor(means), spread), Normal(0.0, 1.0)).sum()
    elbo = with_posterior(means, log_sds).elbo(np.full((3, 8, 8), 0.2))
    assert elbo.content == pytest.approx(np.full(3, expected), abs=1e-5)


def test_encode_gives_the_standard_deviation_not_its_logarithm():
    latents = with_posterior((1.5, -0.5), (-2.0, 0.3)).encode(np.full((2, 8, 8), 0.2))
    assert latents.content == pytest.approx(np.array([[1.5, -0.5]] * 2))
    assert latents.content_sd == pytest.approx(np.exp([[-2.0, 0.3]] * 2), rel=1e-5)


def test_reconstruction_is_minus_the_cross_entropy_of_the_pixels():
    model, drawn = with_posterior((0.0,), (0.0,)), np.random.default_rng(0).uniform(0.05, 0.95, (8, 8))
    with torch.no_grad():
        model.decoder.layers[-2].bias.copy_(torch.logit(torch.from_numpy(drawn)).flatten())
    images = np.random.default_rng(1).uniform(size=(3, 8, 8))
    expected = (images * np.log(drawn) + (1 - images) * np.log(1 - drawn)).sum((1, 2))
    assert model.elbo(images).reconstruction == pytest.approx(expected, rel=1e-5)
    assert model.decode([0.3])[0] == pytest.approx(drawn, abs=1e-6)


def test_samples_have_the_posteriors_mean_and_spread():
    model = with_posterior((1.5, -0.5), (-2.0, 0.3))
    latents = model.posterior(torch.full((20000, 8, 8), 0.2))
    drawn = model.sample(latents, torch.Generator().manual_seed(0)).content.detach()
    assert drawn.mean(0).numpy() == pytest.approx([1.5, -0.5], abs=0.03)
    assert drawn.std(0).numpy() == pytest.approx(np.exp([-2.0, 0.3]), rel=0.02)
    assert abs(np.corrcoef(drawn.T.numpy())[0, 1]) < 0.02


def test_gradients_pass_through_the_sample_to_the_encoder(images):
    model = VAE(SHAPE)
    lower_bound(model, torch.from_numpy(images)).reconstruction.sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_the_bound_lies_just_below_the_evidence(trained, images):
    """The evidence log p(x), by importance sampling with 2000 draws an image, written out here without the package's ELBO."""
    rng, evidence = np.random.default_rng(0), []
    latents = trained.encode(images)
    for image, mean, sd in zip(images, latents.content, latents.content_sd):
        noise = rng.normal(size=(2000, 2)).astype(np.float32)
        z = mean + sd * noise
        with torch.no_grad():
            logits = trained.natural_parameters(Latents(torch.from_numpy(z))).numpy().astype(float)
        likelihood = (image * logits - np.logaddexp(0, logits)).sum((1, 2))
        prior, posterior = -0.5 * (z**2).sum(1), -0.5 * (noise**2).sum(1) - np.log(sd).sum()
        evidence.append(logsumexp(likelihood + prior - posterior) - np.log(len(z)))
    bound = np.mean([trained.elbo(images, seed=seed).total for seed in range(300)], 0)
    assert (evidence - bound > -0.1).all()           # 0.1: the noise of 300 draws
    assert 0 < np.mean(evidence - bound) < 0.5       # tight, because the posterior is nearly a Gaussian


# ---------------------------------------------------------------------- seeds and settings

def test_the_same_seed_gives_the_same_weights_and_another_seed_others(images):
    first, again, other = (VAE(SHAPE, seed=seed).encode(images).content for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other)


def test_the_global_random_numbers_are_left_alone_and_do_not_matter(images):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    model = VAE(SHAPE, seed=1)
    model.elbo(images)
    assert torch.rand(1) == expected
    assert np.array_equal(VAE(SHAPE, seed=1).encode(images).content, model.encode(images).content)


@pytest.mark.parametrize("name, value", [("content", 0), ("content", 1.5), ("classes", -1), ("hidden", 0), ("hidden", True),
                                         ("shape", (24, 0)), ("shape", (24, 24.0))])
def test_a_bad_setting_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least"):
        VAE(**{"shape": SHAPE, name: value})


@pytest.mark.parametrize("shape", [24, (), (24, 24, 1), None])
def test_a_shape_is_height_and_width_or_channels(shape):
    with pytest.raises(ValueError, match=r"^shape must be \(height, width\) in pixels, or \(channels,\) of spectra; got"):
        VAE(shape)


# ---------------------------------------------------------------------- conditional on a label

def test_a_conditional_model_keeps_the_label_with_the_latents(conditional, images, labels):
    latents = conditional.encode(images, labels)
    assert np.array_equal(latents.label, labels) and latents.label.dtype == np.int64
    assert np.array_equal(conditional.decode(latents), conditional.decode(latents.content, labels))


def test_encoder_and_decoder_are_both_told_the_label(conditional, images, labels):
    latents, others = conditional.encode(images, labels), conditional.encode(images, (labels + 1) % 4)
    assert not np.allclose(latents.content, others.content)
    assert not np.allclose(conditional.decode(latents.content, labels), conditional.decode(latents.content, others.label))
    assert not np.allclose(conditional.elbo(images, labels).total, conditional.elbo(images, others.label).total)


@pytest.mark.parametrize("kind", [list, torch.tensor, np.uint8])
def test_labels_may_come_as(conditional, images, labels, kind):
    assert np.array_equal(conditional.encode(images, kind(labels)).content, conditional.encode(images, labels).content)


WRONG_LABELS = {   # how they are wrong: a function of right ones, and what the error says
    "none at all": (lambda labels: None, "labels are missing: .* 4 classes"),
    "too few": (lambda labels: labels[:3], r"labels must be one number an image, \(12,\); got \(3,\)"),
    "a column": (lambda labels: labels[:, None], r"labels must be one number an image, \(12,\); got \(12, 1\)"),
    "floats": (lambda labels: labels / 1, r"labels must be whole numbers, 0 to 3; got float64: use labels.astype\(int\)"),
    "a class too many": (lambda labels: labels + 1, r"must lie within 0 … 3, .*got \[4\]: leave these images out"),
    "negative": (lambda labels: labels - 1, r"labels must lie within 0 … 3, .*got \[-1\]")}


@pytest.mark.parametrize("how", WRONG_LABELS)
def test_wrong_labels_are_refused_with_a_cure(conditional, images, labels, how):
    change, words = WRONG_LABELS[how]
    for use in (conditional.encode, conditional.elbo):
        with pytest.raises(ValueError, match=words):
            use(images, change(labels))
    with pytest.raises(ValueError, match=words):
        conditional.decode(np.zeros((12, 2)), change(labels))


def test_labels_for_a_model_without_classes_are_refused(trained, images, labels):
    for use in (trained.encode, trained.elbo):
        with pytest.raises(ValueError, match=r"labels were given, but this VAE takes none: .*VAE\(…, classes=k\)"):
            use(images, labels)
    with pytest.raises(ValueError, match="labels were given"):
        trained.decode(np.zeros((12, 2)), labels)


# ---------------------------------------------------------------------- images and content that are not as they should be

WRONG_IMAGES = {   # how they are wrong: a function of right ones, and what the error says
    "bytes": (lambda images: (images * 255).astype(np.uint8), r"got \(12, 24, 24\) uint8: use images / 255"),
    "of 16 bits": (lambda images: (images * 65535).astype(np.uint16),
                   r"uint16: use images / images.max\(\), or by the largest value"),
    "true or false": (lambda images: images > 0.5, r"bool: use images.astype\(float\)"),
    "a single one": (lambda images: images[0], r"got \(24, 24\) float32: use images\[None\]"),
    "a single one in bytes": (lambda images: (images[0] * 255).astype(np.uint8),
                              r"got \(24, 24\) uint8: use images\[None\] / 255"),
    "with a colour axis": (lambda images: images[..., None],
                           r"got \(12, 24, 24, 1\) float32: one value a pixel, the images along the first axis"),
    "objects": (lambda images: images.astype(object), r"object: images.astype\(float\)"),
    "complex": (lambda images: images + 0j, r"complex64: images.astype\(float\)"),
    "none at all": (lambda images: images[:0], r"got \(0, 24, 24\) float32: there must be at least one image"),
    "with NaN": (lambda images: np.where(images > 0.5, np.nan, images), "12 of 12 images hold NaN .* numpy.nan_to_num"),
    "with infinity": (lambda images: np.where(images > 0.5, np.inf, images), "12 of 12 images hold NaN or infinity"),
    "too bright": (lambda images: images * 255, r"lie in \[0, 1\]; got 0 … 255: use \(images - images.min"),
    "too dark": (lambda images: images - 0.1, r"lie in \[0, 1\]; got -0.1 … 0.9: use \(images - images.min"),
    "of another size": (lambda images: images[:, :20],
                        r"be \(24, 24\) pixels .*got \(20, 24\): resize them, or make a VAE\(\(20, 24\)")}


@pytest.mark.parametrize("how", WRONG_IMAGES)
def test_wrong_images_are_refused_with_a_cure(trained, images, how):
    change, words = WRONG_IMAGES[how]
    for use in (trained.encode, trained.elbo):
        with pytest.raises(ValueError, match=f"^images must .*{words}"):
            use(change(images))


@pytest.mark.parametrize("content, words", [
    (np.zeros((3, 3)), r"be \(n, 2\) numbers; got \(3, 3\)"), (np.zeros((0, 2)), r"be \(n, 2\) numbers; got \(0, 2\)"),
    (np.full((3, 2), np.nan), "be finite"), (["a", "b"], r"be \(n, 2\) numbers"), (None, r"be \(n, 2\) numbers")])
def test_wrong_content_is_refused(trained, content, words):
    with pytest.raises(ValueError, match=f"^content must {words}"):
        trained.decode(content)


# ---------------------------------------------------------------------- files

@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("settings", [dict(), dict(content=3, hidden=32), dict(classes=4)])
def test_a_saved_model_is_the_same_when_loaded(path, cards, settings):
    images, labels = cards.images[:12], cards.suit[:12] if "classes" in settings else None
    model = VAE(SHAPE, seed=3, **settings)
    prepare(model, torch.from_numpy(cards.images))
    model.save(path)
    loaded = VAE.load(path)
    assert np.array_equal(loaded.decode(loaded.encode(images, labels)), model.decode(model.encode(images, labels)))
    assert np.array_equal(loaded.elbo(images, labels).total, model.elbo(images, labels).total)
    assert (loaded.shape, loaded.content, loaded.classes, loaded.hidden) == (
        model.shape, model.content, model.classes, model.hidden)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match="no model file .*model.safetensors"):
        VAE.load(path)


@pytest.fixture
def refused(path):
    """A function that writes bytes as a model file, and requires that they are refused with its name and a cure."""
    def check(content=None, words=""):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"(?s)model.safetensors is not a whole model file.*{words}.*VAE.save"):
            VAE.load(path)
    return check


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, -1])
def test_a_truncated_file_is_refused(path, refused, kept):
    VAE(SHAPE).save(path)
    whole = path.read_bytes()
    refused(whole[:int(kept * len(whole)) if isinstance(kept, float) else kept])


@pytest.mark.parametrize("content", [b"dear diary\n" * 50, b"\x93NUMPY" + bytes(500), b"\x89PNG\r\n" + bytes(range(256))])
def test_a_file_of_another_kind_is_refused(refused, content):
    refused(content)


@pytest.mark.parametrize("name", ["model.pt", "model.pkl", "model.safetensors", "model"])
@pytest.mark.parametrize("write", [torch.save, lambda model, path: path.write_bytes(pickle.dumps(model))],
                         ids=["torch.save", "pickle"])
def test_a_pickle_is_refused_and_never_run(tmp_path, name, write):
    class Malicious:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was run"),)

    write({"weights": Malicious()}, tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} is not a whole model file"):
        VAE.load(tmp_path / name)
    assert not (tmp_path / "was run").exists()


def test_a_safetensors_file_of_something_else_is_refused(path, refused):
    save_file({"weights": torch.zeros(3)}, path)
    refused(words="names no cardslib VAE")
    save_file({"weights": torch.zeros(3)}, path, {"format": "pt"})
    refused(words="names no cardslib VAE")


def rewrite(path, weights=None, **changes):
    """A plain VAE's file with other weights, or another header."""
    model = VAE(SHAPE)
    header = dict(shape=SHAPE, content=2, classes=0, conditions=0, groups=0, hidden=128, pose=None, decoder="dense",
                  likelihood="bernoulli", noise=None) | changes
    save_file(model.state_dict() if weights is None else weights, path, {"cardslib.VAE": json.dumps(header)})


def test_the_file_is_as_these_tests_believe(path):
    rewrite(path)
    assert VAE.load(path).shape == SHAPE


@pytest.mark.parametrize("changes", [dict(shape=(24, 25)), dict(content=3), dict(hidden=64), dict(classes=4),
                                     dict(groups=4), dict(conditions=1)])
def test_a_header_that_promises_other_shapes_is_refused(path, refused, changes):
    rewrite(path, **changes)
    refused(words="do not have the shapes")


@pytest.mark.parametrize("changes", [dict(shape=(100_000, 100_000), hidden=10**9), dict(content=0), dict(hidden=-1),
                                     dict(hidden="128"), dict(shape=None), dict(shape=7), dict(decoder="evil"), dict(evil=1),
                                     dict(likelihood="evil"), dict(likelihood=None), dict(likelihood=["poisson"]),
                                     dict(noise=0.1), dict(likelihood="gaussian", noise=-1),
                                     dict(likelihood="gaussian", noise="0.1"), dict(likelihood="poisson"),
                                     dict(pose=7), dict(groups=-1), dict(groups=2, classes=2),
                                     dict(pose=dict(rotation=True)), dict(pose=dict(evil=1)),
                                     dict(pose=dict(rotation=0.1), decoder="dense"), dict(pose=dict(shift=-1), decoder="warp")])
def test_a_tampered_header_is_refused(path, refused, changes):
    rewrite(path, **changes)
    refused()


def test_no_memory_is_taken_for_what_a_header_promises(path, refused, monkeypatch):
    taken_on = []
    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", lambda layer: taken_on.append(layer.weight.device.type))
    rewrite(path, {"weights": torch.zeros(3)}, hidden=4000)
    taken_on.clear()
    refused(words="do not have the shapes")
    assert set(taken_on) == {"meta"}


def test_a_header_that_is_no_json_is_refused(path, refused):
    for header in ("{", "[1, 2]", "null"):
        save_file(VAE(SHAPE).state_dict(), path, {"cardslib.VAE": header})
        refused()


def test_a_file_without_all_weights_or_with_more_is_refused(path, refused):
    weights = VAE(SHAPE).state_dict()
    rewrite(path, weights | {"another": torch.zeros(3)})
    refused(words="do not have the shapes")
    weights.pop("encoder.layers.0.bias")
    rewrite(path, weights)
    refused(words="do not have the shapes")


# ---------------------------------------------------------------------- latents by name

@pytest.mark.parametrize("which, indices", [
    (3, [3]), (-1, [11]), (slice(2, 5), [2, 3, 4]), ([4, 1], [4, 1]), (np.arange(12) % 4 == 2, [2, 6, 10])])
def test_an_index_picks_the_same_images_from_every_field(conditional, images, labels, which, indices):
    latents = conditional.encode(images, labels)
    fewer = latents[which]
    for name, values in latents.rows.items():
        assert np.array_equal(getattr(fewer, name), values[indices]), name
    assert len(fewer) == len(indices) and fewer.rows.keys() == latents.rows.keys()


def test_a_loop_over_latents_ends(conditional, images, labels):
    latents = conditional.encode(images, labels)
    assert len(list(islice(latents, 100))) == len(latents)
    with pytest.raises(IndexError):
        latents[len(latents)]


def test_a_divergence_that_a_model_does_not_have_counts_as_nothing():
    assert ELBO(-3.0, 1.0).total == -4.0
    assert ELBO(-3.0, None).divergences == {}


def test_the_latent_grid_starts_in_the_upper_left_corner_and_is_read_like_a_page():
    grid = latent_grid(count=3, span=2.0)
    assert grid.tolist() == [[-2, 2], [0, 2], [2, 2], [-2, 0], [0, 0], [2, 0], [-2, -2], [0, -2], [2, -2]]
    assert latent_grid().shape == (144, 2)


def test_the_latent_grid_can_be_decoded(trained):
    assert trained.decode(latent_grid(4)).shape == (16, 24, 24)


def test_labels_given_with_latents_redraw_the_same_content_as_other_classes():
    model, images = VAE((8, 8), classes=3), np.random.default_rng(0).uniform(size=(4, 8, 8))
    latents = model.encode(images, np.zeros(4, int))
    assert np.array_equal(model.decode(latents, np.full(4, 2)), model.decode(latents.content, np.full(4, 2)))
    assert not np.allclose(model.decode(latents, np.full(4, 2)), model.decode(latents))


@pytest.mark.parametrize("spoil", [lambda weight: weight.double(), lambda weight: weight * float("nan")])
def test_a_file_with_weights_that_are_no_finite_32_bit_numbers_is_refused(path, refused, spoil):
    weights = VAE(SHAPE).state_dict()
    rewrite(path, {name: spoil(weight) if weight.is_floating_point() else weight for name, weight in weights.items()})
    refused(words="not finite 32-bit numbers")


def test_saving_into_a_folder_that_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        VAE((8, 8)).save(tmp_path / "nowhere" / "model.safetensors")


def test_images_that_may_not_be_written_to_are_taken_without_a_warning(recwarn):
    images = np.random.default_rng(0).uniform(size=(3, 8, 8)).astype(np.float32)
    images.flags.writeable = False
    VAE((8, 8)).encode(images)
    assert not recwarn.list
