"""VAEs with groups or conditions: what goes in and comes out, an exact sum over groups, what guides it, errors, files."""
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp, softmax, xlogy

from cardslib.cards import card_set, make_cards
from cardslib.models import VAE, Latents, Pose
from cardslib.models.elbo import elbo as lower_bound
from cardslib.models.guide import Guide, ask_neighbours, objective
from cardslib.models.pose import nearest_orientation
from cardslib.similarity.alignment import Alignment
from cardslib.training import fit

SIZE = 20
SHAPE = (SIZE, SIZE)
GROUPS = 3
TURNED = Pose(rotation=True, shift=0.1)
poses = pytest.mark.parametrize("pose", [None, Pose(shift=0.1), TURNED], ids=["no pose", "shift", "all round"])
kinds = pytest.mark.parametrize("kind, pose", [("dense", None), ("warp", TURNED), ("spatial", TURNED), ("skip", TURNED)])


CARDS = make_cards(3, rotation=120, shear=1, shift=0.1, size=SIZE)


@pytest.fixture(scope="module")
def images():
    return CARDS.images


def new(pose=None, groups=GROUPS, content=2, **more):
    """A model that has not learnt, but has opinions: shares that differ from image to image, pictures from group to group."""
    model = VAE(SHAPE, content=content, pose=pose, groups=groups, hidden=32, **more)
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight *= 1.5
        if groups:
            last = model.encoder.layers[-1]
            last.weight[-groups:] *= 100
            logits = model.posterior_by_orientation(torch.from_numpy(CARDS.images))[1]
            last.bias[-groups:] -= logits.mean((0, 1))
    return model


@pytest.fixture
def model():
    return new(TURNED)


def without_noise(model):
    """The model with its posterior's means in place of draws."""
    model.sample = lambda latents, generator: replace(Latents(**latents.means), label=latents.label, group=latents.group)
    return model


def log_likelihoods(model, images, latents):
    """log p(image | latents, group), (n, groups), of each group by itself, from the pictures that `decode` draws."""
    columns = []
    for group in range(model.groups):
        drawn = model.decode(replace(latents, group=None), np.full(len(images), group)).astype(float)
        columns.append((images * np.log(drawn) + (1 - images) * np.log(1 - drawn)).sum((1, 2)))
    return np.stack(columns, 1)


def bound(model, images, label=None):
    with torch.no_grad():
        label = None if label is None else torch.as_tensor(label)
        elbo = lower_bound(model, torch.from_numpy(images), label, torch.Generator().manual_seed(0))
    return elbo.map(torch.Tensor.numpy)


def learning(model, images, how="best", label=None):
    """The ELBO and the guidance of a step, with a `Guide`, or "best" or "explore" without one."""
    with torch.no_grad():
        elbo, guidance = objective(model, torch.from_numpy(images), None if label is None else torch.as_tensor(label),
                                   None if isinstance(how, str) else how, how == "explore", torch.Generator().manual_seed(0))
    return elbo.map(torch.Tensor.numpy), {name: values.numpy() for name, values in guidance.items()}


def divergence(latents):
    """KL of the content from its prior, (n,) or (n, orientations)."""
    return (0.5 * (latents.content**2 + latents.content_sd**2 - 1) - np.log(latents.content_sd)).sum(-1)


# ---------------------------------------------------------------------- in and out

@poses
def test_encode_gives_the_probability_of_each_group(images, pose):
    latents = new(pose).encode(images)
    assert latents.group.shape == (12, GROUPS) and latents.group.dtype == np.float32 and latents.label is None
    assert latents.group.sum(1) == pytest.approx(1, abs=1e-6) and (latents.group >= 0).all()
    assert len(set(latents.group.argmax(1))) > 1 and np.ptp(latents.group, axis=0).min() > 0.05


def test_the_probabilities_are_those_of_the_logits_summed_over_the_orientations(model, images):
    with torch.no_grad():
        logits = model.posterior_by_orientation(torch.from_numpy(images))[1].numpy()             # (12, orientations, groups)
    assert logits.shape == (12, 8, GROUPS)
    assert model.encode(images).group == pytest.approx(softmax(logits, (1, 2)).sum(1), abs=1e-5)


def test_content_and_pose_are_those_of_the_orientation_with_the_highest_logit(model, images):
    with torch.no_grad():
        every, logits = model.posterior_by_orientation(torch.from_numpy(images))
    best = logits.numpy().max(2).argmax(1)
    assert len(set(best)) > 1
    assert np.array_equal(model.encode(images).content, every.content.numpy()[range(12), best])


def test_shares_turn_with_nothing(images):
    """Turned by one of the orientations, here a quarter, an image is of the same kind."""
    model = new(Pose(rotation=True))
    turned = np.ascontiguousarray(np.rot90(images, axes=(1, 2)))
    assert model.encode(turned).group == pytest.approx(model.encode(images).group, abs=1e-4)


@poses
def test_decode_takes_what_encode_gives_and_draws_the_likeliest_group(images, pose):
    model = new(pose)
    latents = model.encode(images)
    decoded = model.decode(latents)
    assert decoded.shape == images.shape and decoded.dtype == np.float32
    assert np.array_equal(decoded, model.decode(replace(latents, group=None), latents.group.argmax(1)))
    surer = softmax(9 * np.log(latents.group), 1)
    assert np.array_equal(decoded, model.decode(replace(latents, group=surer)))


def test_decode_draws_the_group_that_is_named(model):
    content = np.zeros((GROUPS, 2), np.float32)
    drawn = model.decode(content, np.arange(GROUPS))
    for group in range(GROUPS):
        assert drawn[group] == pytest.approx(model.decode(content[:1], [group])[0], abs=1e-6)
        assert np.abs(drawn[group] - drawn[group - 1]).max() > 1e-3
    shares = Latents(content, group=np.eye(GROUPS))
    assert np.array_equal(drawn, model.decode(shares))


def test_a_label_given_with_latents_redraws_them_as_another_group(model, images):
    latents = model.encode(images)
    other = (latents.group.argmax(1) + 1) % GROUPS
    drawn = model.decode(latents, other)
    assert np.array_equal(drawn, model.decode(replace(latents, group=np.eye(GROUPS)[other])))
    assert np.abs(drawn - model.decode(latents)).max() > 1e-3


def test_one_label_draws_one_picture(model):
    assert model.decode([0.5, -1], [2]).shape == (1, SIZE, SIZE)


@poses
def test_without_content_a_group_is_all_that_is_drawn(images, pose):
    model = new(pose, content=0)
    latents = model.encode(images)
    assert latents.content.shape == (12, 0)
    pictures = model.decode(np.zeros((GROUPS, 0)), np.arange(GROUPS))
    assert pictures.shape == (GROUPS, SIZE, SIZE)
    if pose is None:
        assert model.decode(latents) == pytest.approx(pictures[latents.group.argmax(1)], abs=1e-6)
    assert model.elbo(images).content == pytest.approx(0)


@pytest.mark.parametrize("which, indices", [(3, [3]), (slice(2, 5), [2, 3, 4]), ([4, 1], [4, 1])])
def test_an_index_picks_the_shares_of_the_same_images(model, images, which, indices):
    latents = model.encode(images)
    assert np.array_equal(latents[which].group, latents.group[indices])


def test_many_images_go_through_in_chunks_and_come_out_the_same(turned_cards):
    model, many = new(TURNED), turned_cards.images[:100]
    model.chunk = 30
    for start in (0, 25, 90):
        few = many[start:start + 10]
        assert model.encode(many).group[start:start + 10] == pytest.approx(model.encode(few).group, abs=1e-4)
        assert model.elbo(many).group[start:start + 10] == pytest.approx(model.elbo(few).group, abs=1e-4)


# ---------------------------------------------------------------------- what is known of some

@poses
def test_known_labels_are_shares_of_one(images, pose):
    known = np.arange(12) % GROUPS
    model = new(pose)
    assert np.array_equal(model.encode(images, known).group, np.eye(GROUPS)[known])
    assert model.elbo(images, known).group == pytest.approx(math.log(GROUPS), abs=1e-5)


@poses
def test_labels_that_are_not_known_change_nothing(images, pose):
    model, unknown = new(pose), np.full(12, -1)
    for name, values in model.encode(images).rows.items():
        assert np.array_equal(getattr(model.encode(images, unknown), name), values), name
    for name, values in model.elbo(images).terms.items():
        assert np.array_equal(getattr(model.elbo(images, unknown), name), values), name


@poses
def test_each_image_has_its_own_label_or_none(images, pose):
    model, some = new(pose), np.where(np.arange(12) % 3, -1, 1)
    every, none = np.full(12, 1), np.full(12, -1)
    mixed = model.elbo(images, some)
    for name, values in mixed.terms.items():
        expected = np.where(some < 0, getattr(model.elbo(images, none), name), getattr(model.elbo(images, every), name))
        assert values == pytest.approx(expected, rel=1e-4, abs=1e-4), name
    expected = np.where(some[:, None] < 0, model.encode(images).group, np.eye(GROUPS)[1])
    assert model.encode(images, some).group == pytest.approx(expected)


@poses
def test_a_known_group_changes_the_shares_and_nothing_else(images, pose):
    """The encoder is not told: content and pose must be what they are when nobody knows."""
    model = new(pose)
    without, with_labels = model.encode(images), model.encode(images, np.full(12, 2))
    for name in without.rows.keys() - {"group"}:
        assert np.array_equal(getattr(without, name), getattr(with_labels, name)), name


@pytest.mark.parametrize("kind", [list, torch.tensor, np.int8])
def test_labels_may_come_as(model, images, kind):
    labels = np.arange(12) % GROUPS
    labels[3] = -1
    assert np.array_equal(model.encode(images, kind(labels)).group, model.encode(images, labels).group)


# ---------------------------------------------------------------------- the bound

@poses
def test_the_group_costs_log_k_minus_the_entropy_of_its_shares(images, pose):
    model = new(pose)
    share = model.encode(images).group.astype(float)
    entropy = -xlogy(share, share).sum(1)
    cost = model.elbo(images).group
    assert cost == pytest.approx(math.log(GROUPS) - entropy, abs=1e-5)
    assert cost.min() >= 0 and cost.max() <= math.log(GROUPS) + 1e-5 and np.ptp(cost) > 0.01


def test_shares_that_are_even_cost_nothing_and_sure_ones_log_k(images):
    model = new()
    with torch.no_grad():
        model.encoder.layers[-1].weight[-GROUPS:] = 0
        model.encoder.layers[-1].bias[-GROUPS:] = 0
    assert model.elbo(images).group == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        model.encoder.layers[-1].bias[-1] = 1000
    assert model.elbo(images).group == pytest.approx(math.log(GROUPS), abs=1e-5)


@poses
def test_the_reconstruction_is_the_mean_over_the_groups_by_their_shares(images, pose):
    """Every group is drawn, none is sampled: an exact sum."""
    model = without_noise(new(pose))
    latents = model.encode(images)
    by_group = log_likelihoods(model, images, latents)
    elbo = model.elbo(images)
    assert elbo.reconstruction == pytest.approx((latents.group * by_group).sum(1), rel=1e-4)
    assert np.ptp(by_group, axis=1).mean() > 0.3
    assert elbo.content == pytest.approx(divergence(latents), rel=1e-3)


@poses
def test_the_reconstruction_of_a_known_group_is_that_of_its_picture(images, pose):
    model, known = without_noise(new(pose)), np.arange(12) % GROUPS
    by_group = log_likelihoods(model, images, model.encode(images))
    assert model.elbo(images, known).reconstruction == pytest.approx(by_group[range(12), known], rel=1e-4)


def test_the_total_takes_every_divergence_off_once(model, images):
    elbo = model.elbo(images)
    assert list(elbo.divergences) == ["content", "angle", "shift", "group"]
    assert elbo.total == pytest.approx(elbo.reconstruction - elbo.content - elbo.angle - elbo.shift - elbo.group, rel=1e-6)


@poses
def test_no_probabilities_are_better_than_those_that_the_pictures_give(images, pose):
    """A step weights the groups as well as each draws the image: log of the mean likelihood, which no probability can pass."""
    model = without_noise(new(pose))
    best, own = learning(model, images)[0], bound(model, images)
    by_group = log_likelihoods(model, images, model.encode(images))
    probability = softmax(by_group, 1)
    assert best.group == pytest.approx(math.log(GROUPS) + xlogy(probability, probability).sum(1), abs=2e-3)
    assert best.reconstruction - best.group == pytest.approx(logsumexp(by_group, 1) - math.log(GROUPS), rel=1e-4)
    assert (best.reconstruction - best.group >= own.reconstruction - own.group - 1e-3).all()


@poses
def test_a_model_with_one_group_has_the_bound_of_one_without(images, pose):
    one, none = new(pose, groups=1), new(pose, groups=0)
    weights = one.state_dict()
    first = next(name for name in weights if name.startswith("decoder") and name.endswith("layers.0.weight"))
    weights[first][:, -1] = 0   # what the decoder is told of the group
    numbers = sum(none.outputs.values())
    for name, values in none.state_dict().items():
        given = weights[name]
        if name == first:
            given = given[:, :-1]
        elif given.shape != values.shape:   # without orientations only groups need logits
            given = given[:numbers]
        values.copy_(given)
    one.load_state_dict(weights)
    with_group, without = one.elbo(images), none.elbo(images)
    assert with_group.group == pytest.approx(0, abs=1e-6) and without.group is None
    for name, values in without.rows.items():
        assert getattr(with_group, name) == pytest.approx(values, rel=1e-4, abs=1e-4), name
    assert (one.encode(images).group == 1).all()


@pytest.fixture(scope="module")
def learnt():
    """A model that has found the suits of 240 upright cards, and these.  Not to be changed."""
    cards = card_set(2, per_suit=60, size=SIZE)
    model = VAE(SHAPE, groups=4, hidden=64)
    fit(model, cards.images, epochs=40, progress=False)
    return model, cards


@pytest.mark.parametrize("known", [False, True])
def test_the_bound_lies_below_the_evidence(learnt, known):
    """log p(x) by importance sampling: 2000 draws of the content, a sum over the groups, priors written out here."""
    model, cards = learnt
    images, rng, gaps = cards.images[:8], np.random.default_rng(0), []
    labels = cards.suit[:8] if known else None
    latents = model.encode(images)
    bound = np.mean([model.elbo(images, labels, seed=seed).total for seed in range(300)], 0)
    for i in range(8):
        noise = rng.normal(size=(2000, 2)).astype(np.float32)
        content = latents.content[i] + latents.content_sd[i] * noise
        weight = -0.5 * (content**2).sum(1) + 0.5 * (noise**2).sum(1) + np.log(latents.content_sd[i]).sum()
        by_group = log_likelihoods(model, np.repeat(images[i:i + 1], 2000, 0), Latents(content))
        gaps.append(logsumexp(weight[:, None] + by_group - math.log(4)) - math.log(2000) - bound[i])
    assert min(gaps) > -0.15          # the noise of 300 draws
    assert 0 < np.mean(gaps) < 3 or known


def test_a_wrong_label_costs_a_sure_model_much(learnt):
    model, cards = learnt
    own, found = model.elbo(cards.images), model.encode(cards.images).group
    assert (own.total - model.elbo(cards.images, (found.argmax(1) + 1) % 4).total).min() > 1


@kinds
@pytest.mark.parametrize("how", ["explore", "best", "guide"])
def test_gradients_reach_every_weight(images, kind, pose, how):
    model = new(pose, decoder=kind)
    guide = some_guide(model, images) if how == "guide" else None
    elbo, guidance = objective(model, torch.from_numpy(images), None, guide, how == "explore", torch.Generator().manual_seed(0))
    (elbo.total - sum(guidance.values())).sum().backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert not silent


@pytest.mark.parametrize("kind", ["spatial", "skip"])
def test_a_quarter_of_the_pixels_estimates_the_bound_of_groups_without_bias(images, kind):
    model, known = without_noise(new(Pose(rotation=True), decoder=kind)), torch.arange(12) % GROUPS
    generator, images = torch.Generator().manual_seed(0), torch.from_numpy(images)
    with torch.no_grad():
        some = torch.stack([objective(model, images, known, generator=generator)[0].reconstruction for _ in range(200)]).mean(0)
        all_of_them = lower_bound(model, images, known, generator).reconstruction
    assert some.numpy() == pytest.approx(all_of_them.numpy(), rel=0.015)


# ---------------------------------------------------------------------- what guides it while it learns

def some_guide(model, images, angle=0.2, group=None):
    """A guide with these angles and groups, (n,) or one for all; without an alignment if there is one orientation."""
    n = len(images)
    group = np.arange(n) % GROUPS if group is None else np.full(n, group)
    alignment = Alignment(np.full(n, angle), *np.zeros((2, n)), np.zeros((n, 2)), np.zeros(n, int)).tensors("cpu")
    orientation = nearest_orientation(alignment.angle, model.orientations)
    return Guide(orientation, alignment if len(model.orientations) > 1 else None,
                 torch.from_numpy(group) if model.groups else None)


def test_an_index_picks_the_same_images_from_every_part_of_a_guide(model, images):
    alignment = Alignment(*np.arange(36.).reshape(3, 12), np.arange(24.).reshape(12, 2), np.arange(12)).tensors("cpu")
    guide = replace(some_guide(model, images), alignment=alignment)
    few = guide[torch.tensor([7, 2])]
    assert few.alignment.angle.tolist() == [7, 2] and few.group.tolist() == [1, 2]
    assert few.alignment.centre.tolist() == [[14, 15], [4, 5]]
    assert few.orientation.tolist() == guide.orientation[[7, 2]].tolist()
    assert Guide(guide.orientation)[3:5].alignment is None and len(Guide(guide.orientation)[3:5]) == 2


@poses
def test_a_guide_chooses_the_group(images, pose):
    """Whatever the scores say, its picture is the one that learns."""
    model = without_noise(new(pose))
    for group in range(GROUPS):
        elbo = learning(model, images, some_guide(model, images, model.orientations[0].item(), group))[0]
        assert elbo.group == pytest.approx(math.log(GROUPS), abs=1e-5)
        with torch.no_grad():
            latents = model.posterior_by_orientation(torch.from_numpy(images))[0].map(lambda values: values[:, 0].numpy())
        expected = log_likelihoods(model, images, latents)[:, group]
        assert elbo.reconstruction == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("pose, orientation", [(None, 0), (Pose(shift=0.1), 0), (TURNED, 0), (TURNED, 3), (TURNED, 6)])
def test_a_guide_teaches_the_logits_its_orientation_and_group(images, pose, orientation):
    """"choice" is the surprise of the logits, a softmax over all orientations and groups together, at every fourth image."""
    model = new(pose)
    guide = some_guide(model, images, model.orientations[orientation].item() + 0.1)
    with torch.no_grad():
        logits = model.posterior_by_orientation(torch.from_numpy(images))[1].numpy()
    log_probability = log_softmax(logits, (1, 2))
    expected = -np.mean([log_probability[image, orientation, image % GROUPS] for image in (0, 4, 8)])
    guidance = learning(model, images, guide)[1]
    assert guidance["choice"] == pytest.approx(np.full(12, expected), rel=1e-4)
    assert ("neighbours" in guidance) == (pose is TURNED)


@poses
def test_the_best_orientation_teaches_the_logits_what_the_pictures_say(images, pose):
    model = without_noise(new(pose))
    latents = model.encode(images)
    with torch.no_grad():
        logits = model.posterior_by_orientation(torch.from_numpy(images))[1].numpy()
    angles = model.orientations.numpy()
    orientation = np.zeros(12, int) if len(angles) == 1 else np.cos(latents.angle[:, None] - angles).argmax(1)
    probability = softmax(log_likelihoods(model, images, latents), 1)
    expected = -(probability * log_softmax(logits, (1, 2))[range(12), orientation]).sum(1)
    assert learning(model, images)[1]["choice"] == pytest.approx(expected, rel=1e-3)


@poses
def test_all_orientations_and_groups_count_by_the_probability_that_the_logits_give_them(images, pose):
    model = without_noise(new(pose))
    with torch.no_grad():
        every, logits = model.posterior_by_orientation(torch.from_numpy(images))
    every, probability = every.map(torch.Tensor.numpy), softmax(logits.numpy(), (1, 2))   # (12, orientations, groups)
    by_pair = np.stack([log_likelihoods(model, images, every.map(lambda values, which=which: values[:, which]))
                        for which in range(len(model.orientations))], 1)                  # (12, orientations, groups)
    of_orientation = probability.sum(2)
    within = probability / of_orientation[..., None]
    elbo, guidance = learning(model, images, "explore")
    assert elbo.reconstruction == pytest.approx((probability * by_pair).sum((1, 2)), rel=1e-4)
    cost = math.log(GROUPS) + (of_orientation * xlogy(within, within).sum(2)).sum(1)
    assert elbo.group == pytest.approx(cost, abs=1e-4)
    assert elbo.content == pytest.approx((of_orientation * divergence(every)).sum(1), rel=1e-3)
    assert not guidance


@pytest.mark.parametrize("how", ["explore", "best", "guide"])
@poses
def test_a_label_is_drawn_whatever_guides(images, pose, how):
    model, known = new(pose), np.full(12, 2)
    guide = some_guide(model, images, group=2) if how == "guide" else how
    elbo, other = (learning(model, images, guide, label)[0] for label in (known, known * 0))
    assert elbo.group == pytest.approx(math.log(GROUPS), abs=1e-5)
    assert how == "guide" or (np.abs(elbo.reconstruction - other.reconstruction) > 0.01).all()


@pytest.mark.parametrize("how", ["explore", "best"])
@poses
def test_of_some_labels_each_is_drawn_and_the_other_images_are_left_as_they_are(images, pose, how):
    model, some = without_noise(new(pose)), np.where(np.arange(12) % 3, -1, 2)
    mixed = learning(model, images, how, some)[0]
    for labels, chosen in ((np.full(12, 2), some >= 0), (None, some < 0)):
        for name, values in learning(model, images, how, labels)[0].rows.items():
            assert getattr(mixed, name)[chosen] == pytest.approx(values[chosen], rel=1e-4, abs=1e-4), name


def test_the_guides_of_groups_are_no_part_of_the_bound(model, images):
    with_guide, guidance = learning(model, images, some_guide(model, images))
    assert guidance.keys() == {"neighbours", "choice"} and learning(model, images)[1].keys() == {"choice"}
    pose = with_guide.angle + with_guide.shift
    assert with_guide.total == pytest.approx(with_guide.reconstruction - with_guide.content - pose - with_guide.group, rel=1e-6)


@pytest.mark.parametrize("pose, groups, aligned", [(None, 3, False), (Pose(shift=0.1), 3, False), (TURNED, 3, True),
                                                   (TURNED, 0, True)])
def test_the_neighbours_are_asked_for_what_the_model_needs(turned_cards, pose, groups, aligned):
    model, images = new(pose, groups), torch.from_numpy(turned_cards.images[:60])
    guide = ask_neighbours(model, images, None, True)
    assert (guide.alignment is not None) == aligned and (guide.group is not None) == (groups > 0)
    for part in filter(lambda part: part is not None, (guide.alignment, guide.group)):
        assert len(part) == 60


def test_an_alignment_that_is_known_is_kept_and_the_groups_are_found(turned_cards):
    model, images = new(TURNED, 4), torch.from_numpy(turned_cards.images[:60])
    known = Alignment(np.linspace(-3, 3, 60), *np.zeros((2, 60)), np.zeros((60, 2)), np.zeros(60, int))
    guide = ask_neighbours(model, images, None, known)
    assert guide.alignment.angle.numpy() == pytest.approx(known.angle, abs=1e-6)
    assert len(set(zip(guide.group.tolist(), turned_cards.suit[:60]))) == 4


def test_labels_reach_the_guide(turned_cards):
    model, images = new(TURNED, 4), torch.from_numpy(turned_cards.images[:60])
    names = np.array([2, 3, 1, 0])[turned_cards.suit[:60]]
    labels = torch.from_numpy(np.where(np.arange(60) < 8, names, -1))
    assert np.array_equal(ask_neighbours(model, images, labels, True).group.numpy(), names)


# ---------------------------------------------------------------------- conditions

@pytest.fixture
def conditions():
    return np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)


@pytest.mark.parametrize("pose", [None, TURNED], ids=["no pose", "all round"])
def test_conditions_are_kept_with_the_latents(images, conditions, pose):
    model = new(pose, 0, conditions=2)
    latents = model.encode(images, conditions)
    assert np.array_equal(latents.label, conditions) and latents.group is None
    assert np.array_equal(model.decode(latents), model.decode(replace(latents, label=None), conditions))
    assert latents[[4, 1]].label.tolist() == conditions[[4, 1]].tolist()


@pytest.mark.parametrize("pose", [None, TURNED], ids=["no pose", "all round"])
@pytest.mark.parametrize("which", [0, 1])
def test_encoder_and_decoder_are_both_told_each_condition(images, conditions, pose, which):
    model, others = new(pose, 0, conditions=2), conditions.copy()
    others[:, which] += 1
    latents = model.encode(images, conditions)
    assert (np.abs(latents.content - model.encode(images, others).content) > 1e-5).any(1).all()
    drawn = model.decode(latents), model.decode(latents, others)
    assert (np.abs(drawn[0] - drawn[1]).max((1, 2)) > 1e-4).all()
    assert not np.allclose(model.elbo(images, conditions).total, model.elbo(images, others).total)


@pytest.mark.parametrize("kind, pose, how", [
    ("dense", None, "best"), ("warp", TURNED, "explore"), ("warp", TURNED, "best"), ("warp", TURNED, "guide"),
    ("spatial", TURNED, "guide"), ("skip", TURNED, "explore")])
def test_gradients_reach_every_weight_of_a_model_with_conditions(images, conditions, kind, pose, how):
    model = new(pose, 0, decoder=kind, conditions=2)
    elbo, guidance = objective(model, torch.from_numpy(images), torch.from_numpy(conditions),
                               some_guide(model, images) if how == "guide" else None, how == "explore",
                               torch.Generator().manual_seed(0))
    (elbo.total - sum(guidance.values())).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_a_model_learns_what_a_condition_does():
    """Hearts turned by known angles: the angle is given, so the picture can be asked for at any."""
    cards = card_set(3, per_suit=150, size=SIZE)
    hearts = cards[cards.suit == 2]
    told = np.stack([np.cos(hearts.angle), np.sin(hearts.angle)], 1)
    model = VAE(SHAPE, content=1, conditions=2, hidden=64)
    fit(model, hearts.images, told, epochs=150, progress=False)
    angles = np.radians([-100, -40, 20, 80])
    drawn = model.decode(np.zeros((4, 1)), np.stack([np.cos(angles), np.sin(angles)], 1))
    near = np.array([np.abs(hearts.angle - angle).argmin() for angle in angles])
    apart = ((drawn[:, None] - hearts.images[near]) ** 2).mean((2, 3))
    assert (apart.argmin(1) == range(4)).all() and np.diag(apart).mean() < 0.25 * apart[~np.eye(4, dtype=bool)].mean()


@pytest.mark.parametrize("change, words", [
    (lambda conditions: None, r"labels must be \(12, 2\) numbers: .*conditional on 2 of them an image; got none"),
    (lambda conditions: conditions[:5], r"labels must be \(12, 2\) numbers: .*got \(5, 2\)"),
    (lambda conditions: conditions[:, :1], r"labels must be \(12, 2\) numbers: .*got \(12, 1\)"),
    (lambda conditions: conditions[:, 0], r"labels must be \(12, 2\) numbers: .*got \(12,\)"),
    (lambda conditions: np.where(conditions > 1, np.nan, conditions), "labels must be finite; got NaN"),
    (lambda conditions: np.where(conditions > 1, np.inf, conditions), "labels must be finite; got NaN or infinity"),
    (lambda conditions: conditions.astype(str), r"labels must be \(n, 2\) numbers")],
    ids=["none", "too few", "too narrow", "flat", "NaN", "infinite", "text"])
def test_wrong_conditions_are_refused(images, conditions, change, words):
    model, wrong = new(None, 0, conditions=2), change(conditions)
    for use in (model.encode, model.elbo, lambda images, labels: model.decode(np.zeros((12, 2)), labels),
                lambda images, labels: fit(model, images, labels, progress=False)):
        with pytest.raises(ValueError, match=f"^{words}"):
            use(images, wrong)


# ---------------------------------------------------------------------- errors

@pytest.mark.parametrize("settings", [dict(classes=2, groups=2), dict(classes=2, conditions=1), dict(conditions=1, groups=2),
                                      dict(classes=1, conditions=1, groups=1)])
def test_of_classes_conditions_and_groups_there_is_one(settings):
    with pytest.raises(ValueError, match="^classes, conditions and groups exclude each other; got .*: keep one of them"):
        VAE(SHAPE, **settings)


@pytest.mark.parametrize("settings", [dict(), dict(classes=2), dict(conditions=1)])
def test_without_pose_and_groups_there_must_be_content(settings):
    with pytest.raises(ValueError, match="^content must be a whole number of at least 1; got 0"):
        VAE(SHAPE, content=0, **settings)


@pytest.mark.parametrize("name", ["groups", "conditions"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "4", None])
def test_a_bad_number_of_groups_or_conditions_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number of at least 0; got"):
        VAE(SHAPE, **{name: value})


WRONG_LABELS = {   # how they are wrong: a function of right ones, and what the error says
    "too few": (lambda labels: labels[:3], r"labels must be one number an image, \(12,\); got \(3,\)"),
    "a column": (lambda labels: labels[:, None], r"labels must be one number an image, \(12,\); got \(12, 1\)"),
    "floats": (lambda labels: labels / 1, r"labels must be whole numbers, 0 to 2; got float64: use labels.astype\(int\)"),
    "one too many": (lambda labels: labels + 1, r"labels must lie within 0 … 2.*got \[3\]: leave these images out"),
    "below unknown": (lambda labels: labels - 2, r"labels must lie within 0 … 2.*got \[-2.*\]: leave these images out")}


@pytest.mark.parametrize("how", WRONG_LABELS)
def test_wrong_labels_are_refused_with_a_cure(model, images, how):
    change, words = WRONG_LABELS[how]
    wrong = change(np.arange(12) % GROUPS)
    for use in (model.encode, model.elbo, lambda images, labels: model.decode(np.zeros((12, 2)), labels),
                lambda images, labels: fit(model, images, labels, progress=False)):
        with pytest.raises(ValueError, match=f"^{words}"):
            use(images, wrong)
    assert not model.prepared


def test_where_labels_may_be_unknown_an_error_says_how(model, images):
    with pytest.raises(ValueError, match="or be -1 where not known, one of 3 classes; got .*-2"):
        model.encode(images, np.full(12, -2))


def test_what_is_not_known_cannot_be_drawn(model):
    with pytest.raises(ValueError, match=r"^labels must lie within 0 … 2, one of 3 classes; got \[-1\]"):
        model.decode(np.zeros((2, 2)), [0, -1])


@pytest.mark.parametrize("latents", [np.zeros((4, 2)), Latents(np.zeros((4, 2)))])
def test_content_alone_does_not_say_which_group_to_draw(model, latents):
    with pytest.raises(ValueError, match="^labels are missing: which of the 3 groups is to be drawn.*Give one whole number"):
        model.decode(latents)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (4, 4), (3, 3), (4, 3, 1)])
def test_shares_of_a_wrong_shape_are_refused(model, shape):
    with pytest.raises(ValueError, match="^latents must hold a probability of each of the 3 groups for 4 images; got group"):
        model.decode(Latents(np.zeros((4, 2)), group=np.ones(shape)))


def test_shares_that_are_not_finite_are_refused(model):
    with pytest.raises(ValueError, match="^group must be finite"):
        model.decode(Latents(np.zeros((4, 2)), group=np.full((4, 3), np.nan)))


@pytest.mark.parametrize("settings", [dict(), dict(classes=3), dict(pose=TURNED)])
def test_a_group_for_a_model_without_groups_is_refused_with_a_cure(settings):
    labels = np.zeros(4, int) if "classes" in settings else None
    with pytest.raises(ValueError, match=r"^latents hold a group, but this VAE has none: make VAE\(…, groups=k\)"):
        VAE(SHAPE, **settings).decode(Latents(np.zeros((4, 2)), group=np.eye(4)), labels)


def test_labels_for_a_model_that_takes_none_name_the_three_that_do(images):
    with pytest.raises(ValueError, match=r"classes=k\), VAE\(…, conditions=c\) or VAE\(…, groups=k\)"):
        VAE(SHAPE).encode(images, np.zeros(12, int))


# ---------------------------------------------------------------------- seeds and files

def test_the_same_seed_gives_the_same_groups(images):
    first, again, other = (VAE(SHAPE, groups=3, seed=seed).encode(images).group for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other)


@pytest.mark.parametrize("settings", [
    dict(groups=4), dict(groups=1), dict(groups=3, content=0), dict(groups=3, content=0, pose=Pose(True, 0.1, 0.1, True)),
    dict(groups=2, pose=TURNED, decoder="skip"), dict(conditions=2), dict(conditions=1, pose=TURNED)])
def test_a_saved_model_is_the_same_when_loaded(tmp_path, images, settings):
    model = VAE(SHAPE, seed=3, hidden=32, **settings)
    labels = np.linspace(-1, 1, 12 * model.conditions).reshape(12, -1) if model.conditions else None
    model.save(tmp_path / "model")
    loaded = VAE.load(tmp_path / "model")
    assert (loaded.groups, loaded.conditions, loaded.content, loaded.pose) == (
        model.groups, model.conditions, model.content, model.pose)
    before, after = model.encode(images, labels), loaded.encode(images, labels)
    assert before.rows.keys() == after.rows.keys()
    assert all(np.array_equal(getattr(after, name), values) for name, values in before.rows.items())
    assert np.array_equal(loaded.decode(after), model.decode(before))
    assert all(np.array_equal(getattr(loaded.elbo(images, labels), name), values)
               for name, values in model.elbo(images, labels).rows.items())
