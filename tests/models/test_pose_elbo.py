"""The bound of VAEs with a pose, against what is known of it, and the guides that hold them while they learn."""
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from cardslib.cards import render
from cardslib.geometry import wrap
from cardslib.models import VAE, Latents, Pose
from cardslib.models.elbo import elbo as bound
from cardslib.models.guide import ALIKE, Guide, objective
from cardslib.models.pose import nearest_orientation
from cardslib.similarity.alignment import Alignment

SIZE = 20
SHAPE = (SIZE, SIZE)
SPADE = 1
EVERYTHING = Pose(rotation=True, shift=0.2, scale=0.2, shear=True)
kinds = pytest.mark.parametrize("kind", ["warp", "spatial", "skip"])


@pytest.fixture(scope="module")
def images(turned_cards):
    return turned_cards.images[:12]


def new(pose=EVERYTHING, decoder="warp"):
    return VAE(SHAPE, pose=pose, decoder=decoder, hidden=32)


def tensors(latents):
    return latents.map(lambda values: torch.from_numpy(np.asarray(values)))


# ---------------------------------------------------------------------- the bound

def known(model, **posterior):
    """The model with this posterior, of means and standard deviations, for every image."""
    def posterior_by_orientation(images, label=None, which=None):
        given = {"content": (), "content_sd": (), **posterior}
        rows = {name: torch.tensor(value, dtype=torch.float32).expand(len(images), 1, *np.shape(value))
                for name, value in given.items()}
        return Latents(**rows), None
    model.posterior_by_orientation = posterior_by_orientation
    return model


def log_likelihood(image, drawn):
    """Of an image, given pictures (k, h, w) drawn by a model: (k,) nats."""
    drawn = drawn.astype(float)
    return (image * np.log(drawn) + (1 - image) * np.log(1 - drawn)).sum((1, 2))


GREY = np.full(SHAPE, 0.3, np.float32)   # looks the same in every pose: the pixels know nothing of it


@pytest.mark.parametrize("pose, prior", [
    (Pose(rotation=0.3), dict(angle=0.0, angle_sd=0.3)), (Pose(shift=0.2), dict(shift=(0.0, 0.0), shift_sd=0.2)),
    (Pose(scale=0.1, shear=0.2), dict(scale=0.0, scale_sd=0.1, shear=0.0, shear_sd=0.2))])
def test_with_the_prior_as_posterior_and_an_even_picture_the_bound_is_the_evidence(artist, images, pose, prior):
    elbo = known(artist(GREY, pose), **prior).elbo(images)
    expected = [log_likelihood(image, GREY[None])[0] for image in images]
    assert elbo.total == pytest.approx(expected, rel=1e-5)
    assert all(term == pytest.approx(0, abs=1e-6) for term in elbo.divergences.values())


def test_each_divergence_is_subtracted_once(artist, images):
    elbo = known(artist(GREY, EVERYTHING), angle=1.0, angle_sd=0.2, shift=(0.1, -0.2), shift_sd=0.05, scale=0.1, scale_sd=0.1,
                 shear=0.2, shear_sd=0.1).elbo(images)
    assert list(elbo.divergences) == ["content", "angle", "shift", "scale", "shear"]
    evidence = np.array([log_likelihood(image, GREY[None])[0] for image in images])
    normal = lambda mean, sd, width: math.log(width / sd) + (sd**2 + mean**2) / 2 / width**2 - 0.5   # noqa: E731
    lost = (math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * math.e * 0.2**2)
            + normal(0.1, 0.05, 0.2) + normal(-0.2, 0.05, 0.2) + normal(0.1, 0.1, 0.2) + normal(0.2, 0.1, 0.3))
    assert elbo.total == pytest.approx(evidence - lost, rel=1e-4)


def test_the_bound_of_a_known_spade_lies_below_its_evidence_over_the_circle(artist):
    """log p(x) by numerical integration over the angle; the bound comes near it when the posterior is right, never above."""
    true = math.radians(50)
    image = render([SPADE], [true], [0], [(0, 0)], SIZE)
    model = artist(render([SPADE], [0], [0], [(0, 0)], SIZE)[0], Pose(rotation=True), softness=0.02)
    around = np.linspace(-np.pi, np.pi, 2000, endpoint=False, dtype=np.float32)
    drawn = model.decode(Latents(np.zeros((len(around), 0), np.float32), angle=around))
    evidence = logsumexp(log_likelihood(image[0], drawn)) - math.log(len(around))
    assert around[log_likelihood(image[0], drawn).argmax()] == pytest.approx(true, abs=math.radians(1))
    bounds = [np.mean([known(model, angle=true + off, angle_sd=sd).elbo(image, seed=seed).total[0] for seed in range(200)])
              for off, sd in ((0, 0.02), (0, 0.03), (0, 0.04), (0, 0.2), (0.1, 0.03), (2 * math.pi, 0.03))]
    assert max(bounds) < evidence + 0.1 and evidence - max(bounds) < 0.3
    assert evidence - bounds[3] > 1 and evidence - bounds[4] > 1
    assert bounds[5] == pytest.approx(bounds[1], abs=0.05)   # once around is the same angle


@pytest.mark.parametrize("suit", range(4))
def test_the_bound_of_a_trained_rvae_lies_below_the_evidence(rvae, turned_cards, suit):
    """log p(x) by importance sampling with 2000 draws an image, with the priors written out here."""
    images, rng, gaps = turned_cards.images[turned_cards.suit == suit][:4], np.random.default_rng(0), []
    latents = rvae.encode(images)
    bound = np.mean([rvae.elbo(images, seed=seed).total for seed in range(300)], 0)
    for i, image in enumerate(images):
        noise = rng.normal(size=(2000, 5)).astype(np.float32)
        mean = np.concatenate([latents.content[i], latents.angle[[i]], latents.shift[i]])
        sd = np.concatenate([latents.content_sd[i], latents.angle_sd[[i]], latents.shift_sd[[i, i]]])
        content, angle, shift = np.split(mean + sd * noise, [2, 3], 1)
        log_normal = lambda values, width=1.0: (-0.5 * (values / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))).sum(1)  # noqa: E731
        prior = log_normal(content) + math.log(1 / (2 * np.pi)) + log_normal(shift, 0.1)
        drawn = rvae.decode(Latents(content, angle=angle[:, 0], shift=shift))
        weights = log_likelihood(image, np.clip(drawn, 1e-7, 1 - 1e-7)) + prior - log_normal(sd * noise, sd)
        gaps.append(logsumexp(weights) - math.log(2000) - bound[i])
    assert min(gaps) > -0.15          # the noise of 300 draws
    assert 0 < np.mean(gaps) < 5      # and not far below


@pytest.mark.parametrize("shift_sd", [0.01, 0.2])
def test_samples_have_the_posteriors_spread_in_every_part(shift_sd):
    count = 20000
    posterior = dict(angle=(1.0, 0.3), scale=(-0.2, 0.1), shear=(0.1, 0.05), content=((1.0, -2.0), (0.5, 0.1)))
    given = {name: torch.tensor(mean).expand(count, *np.shape(mean)) for name, (mean, _) in posterior.items()}
    given |= {name + "_sd": torch.tensor(sd).expand(count, *np.shape(sd)) for name, (_, sd) in posterior.items()}
    given |= dict(shift=torch.tensor([0.3, -0.4]).expand(count, 2), shift_sd=torch.tensor(shift_sd).expand(count))
    drawn = new().sample(Latents(**given), torch.Generator().manual_seed(0))
    for name, (mean, sd) in (posterior | dict(shift=((0.3, -0.4), (shift_sd, shift_sd)))).items():
        values = getattr(drawn, name)
        assert values.mean(0).numpy() == pytest.approx(mean, abs=0.02), name
        assert values.std(0).numpy() == pytest.approx(sd, rel=0.03), name
    noise = torch.cat([drawn.content, drawn.shift, torch.stack([drawn.angle, drawn.scale, drawn.shear], 1)], 1).numpy()
    assert np.abs(np.corrcoef(noise.T) - np.eye(7)).max() < 0.03


@kinds
def test_gradients_reach_every_weight(images, kind):
    model = new(decoder=kind)
    elbo, guidance = objective(model, torch.from_numpy(images))
    (elbo.total - guidance["choice"]).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


@kinds
def test_some_pixels_may_be_drawn_alone(images, kind):
    model, some = new(decoder=kind), [3, 77, 200]
    latents = tensors(model.encode(images))
    with torch.no_grad():
        everywhere, there = model.natural_parameters(latents), model.natural_parameters(latents, torch.tensor(some))
    assert there.shape == (12, 3) and torch.allclose(there, everywhere.flatten(1)[:, some], atol=1e-5)


@pytest.mark.parametrize("kind", ["spatial", "skip"])
def test_a_quarter_of_the_pixels_estimates_the_bound_without_bias(images, kind):
    model, images = new(Pose(rotation=True), decoder=kind), torch.from_numpy(images)
    generator = torch.Generator().manual_seed(0)
    model.sample, asked = lambda latents, generator: Latents(**latents.means), []
    model.decoder.register_forward_hook(lambda network, given, out: asked.append(out.shape[1]))
    with torch.no_grad():
        some = torch.stack([objective(model, images, generator=generator)[0].reconstruction for _ in range(300)]).mean(0)
        all_of_them = bound(model, images, None, generator).reconstruction
    assert asked == 300 * [SIZE**2 / 4] + [SIZE**2]
    assert some.numpy() == pytest.approx(all_of_them.numpy(), rel=0.01)


# ---------------------------------------------------------------------- what guides it while it learns

def guided_by(latents, off=0.0, shear=0.0, scale=0.0, shift=0.0):
    """An alignment that agrees with these latents but for so much."""
    def part(name, more=0.0):
        values = getattr(latents, name)
        return np.zeros(len(latents)) if values is None else values.astype(float) + more
    centre = np.zeros((len(latents), 2)) if latents.shift is None else latents.shift + (shift, 0)
    return Alignment(part("angle", off), part("shear", shear), part("scale", scale), centre, np.zeros(len(latents), int))


def learning(model, images, alignment=None, explore=False):
    """The ELBO and the guidance of a step."""
    with torch.no_grad():
        guide = alignment and Guide(nearest_orientation(alignment.angle, model.orientations), alignment)
        return objective(model, torch.from_numpy(images), None, guide, explore, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("off, expected", [
    (dict(), 0), (dict(off=0.034), 2), (dict(off=2 * np.pi - 0.034), 2), (dict(shift=0.017), 0.5), (dict(shear=0.034), 2),
    (dict(scale=0.034), 2), (dict(off=0.017, shear=0.017), 1)])
def test_neighbours_are_minus_the_log_of_a_gaussian_about_the_alignment(images, off, expected):
    model = new()
    with torch.no_grad():
        model.encoder.layers[-1].weight.mul_(0.1)   # so that the angle stays near the orientation
    guide = guided_by(model.encode(images), **off).tensors("cpu")
    misfit = learning(model, images, guide)[1]["neighbours"].numpy()
    assert ALIKE == 0.017 and misfit == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("pose", [Pose(rotation=True), Pose(rotation=True, shift=0.2)])
def test_neighbours_say_nothing_of_what_the_pose_does_not_hold(images, pose):
    model = new(pose)
    with torch.no_grad():
        model.encoder.layers[-1].weight.mul_(0.1)
    guide = guided_by(model.encode(images), shear=1, scale=1).tensors("cpu")
    if not model.pose.shift:
        guide = replace(guide, centre=guide.centre + 1)
    assert learning(model, images, guide)[1]["neighbours"].numpy() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("orientation", range(8))
def test_an_alignment_chooses_the_orientation_and_teaches_its_logit(images, orientation):
    model, images = new(Pose(rotation=True)), np.repeat(images[:1], 8, 0)
    every, logits = model.posterior_by_orientation(torch.from_numpy(images))
    angle = model.orientations[orientation].item() + 0.2
    guide = Alignment(np.full(8, angle), *np.zeros((2, 8)), np.zeros((8, 2)), np.zeros(8, int)).tensors("cpu")
    guidance = learning(model, images, guide)[1]
    off = wrap(every.angle[:, orientation].detach().numpy() - angle)
    assert guidance["neighbours"].numpy() == pytest.approx((off / ALIKE) ** 2 / 2, rel=1e-3)
    assert guidance["choice"].numpy() == pytest.approx(-logits.log_softmax(1)[:, orientation, 0].detach().numpy(), rel=1e-3)
    assert len(set(logits[0, :, 0].tolist())) == 8


def test_the_guides_are_no_part_of_the_bound(images):
    model = new()
    guide = guided_by(model.encode(images)).tensors("cpu")
    for (elbo, guidance), names in ((learning(model, images, guide), {"neighbours", "choice"}),
                                    (learning(model, images), {"choice"})):
        assert guidance.keys() == names and not names & elbo.rows.keys()
        pose = elbo.angle + elbo.shift + elbo.scale + elbo.shear
        assert torch.allclose(elbo.total, elbo.reconstruction - elbo.content - pose)
    with torch.no_grad():
        same = bound(model, torch.from_numpy(images), None, torch.Generator().manual_seed(0))
    assert torch.equal(learning(model, images)[0].total, same.total)


def test_all_orientations_count_by_the_probability_that_the_logits_give_them(images):
    model = new(Pose(rotation=True))
    with torch.no_grad():
        every, logits = model.posterior_by_orientation(torch.from_numpy(images))
        probability = logits[..., 0].softmax(1)
        divergence = (0.5 * (every.content**2 + every.content_sd**2 - 1) - every.content_sd.log()).sum(2)
        expected = (probability * divergence).sum(1)
    elbo, guidance = learning(model, images, explore=True)
    assert probability.max() < 0.9 and elbo.content.numpy() == pytest.approx(expected.numpy(), rel=1e-4)
    assert elbo.reconstruction.shape == (12,) and not guidance


def test_the_mean_over_the_orientations_becomes_the_best_when_the_logits_are_sure(images):
    model = new(Pose(rotation=True))
    with torch.no_grad():
        model.encoder.layers[-1].weight[-1].mul_(1e8)   # of the logits
    assert list(model.outputs)[-1] == "logits"
    some, best = learning(model, images, explore=True)[0], learning(model, images)[0]
    assert some.content.numpy() == pytest.approx(best.content.numpy(), rel=1e-3)
    assert some.angle.numpy() == pytest.approx(best.angle.numpy(), rel=1e-3)


@pytest.mark.parametrize("width", [0.27, 0.5, 1.0])
def test_logits_hold_the_prior_of_their_orientation(images, width):
    """Where the encoder cannot tell, the best orientation is the likeliest beforehand."""
    model = new(Pose(rotation=width))
    with torch.no_grad():
        model.encoder.layers[-1].weight[-1].zero_()   # of the logits
        every, logits = model.posterior_by_orientation(torch.from_numpy(images))
        which = torch.full((len(images),), 2)
        alone = model.posterior_by_orientation(torch.from_numpy(images), which=which)[1]
    expected = -0.5 * (model.orientations / width) ** 2
    assert (logits[..., 0] - logits[:, :1, 0]).numpy() == pytest.approx(expected.expand(12, -1).numpy(), abs=1e-4)
    assert torch.equal(model.best(every, logits).angle, every.angle[:, 0])
    assert alone[:, 0].numpy() == pytest.approx(logits[:, 2].numpy(), abs=1e-4)
