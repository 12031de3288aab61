"""The training of models with groups: the suits are found without a label or from a few, beside angle, shift and shear."""
import math

import numpy as np
import pytest
from scipy.special import logsumexp

from cardslib import similarity
from cardslib.cards import card_set, make_cards
from cardslib.metrics import angle_error, matched_accuracy, rank_correlation
from cardslib.models import VAE, Latents, Pose
from cardslib.models.guide import CANDIDATES
from cardslib.similarity.alignment import Alignment
from cardslib.training import fit

SIZE = 24
ORDERS = (1, 1, 1, 2)   # a diamond looks the same turned by 180°


def new(pose=None, groups=4, hidden=64, **more):
    return VAE((SIZE, SIZE), groups=groups, pose=pose, hidden=hidden, **more)


def train(model, images, labels=None, epochs=1, **more):
    return fit(model, images, labels, epochs, progress=False, **more)


def likeliest(model, images):
    return model.encode(images).group.argmax(1)


def median_errors(model, cards):
    """Degrees, the median of each suit, modulo its symmetry."""
    angle = model.encode(cards.images).angle
    return np.array([np.median(angle_error(angle[cards.suit == suit], cards.angle[cards.suit == suit], order))
                     for suit, order in enumerate(ORDERS)])


@pytest.fixture(scope="module")
def turned():
    """400 cards turned by ±120°, hardly sheared."""
    return make_cards(100, rotation=120, shear=1, size=SIZE)


@pytest.fixture(scope="module")
def unseen():
    return make_cards(40, rotation=120, shear=1, size=SIZE, seed=99)


@pytest.fixture(scope="module")
def upright():
    """240 cards of the lecture's set 1."""
    return card_set(1, per_suit=60, size=SIZE)


@pytest.fixture(scope="module", params=[0, 1], ids=["seed 0", "seed 1"])
def joint(turned, request):
    """A joint rVAE trained on the turned cards, and its history.  Not to be changed."""
    model = new(Pose(rotation=True), seed=request.param)
    return model, train(model, turned.images, epochs=60, seed=request.param)


@pytest.fixture(scope="module")
def learnt(upright):
    """A VAE with groups and no pose trained on the upright cards.  Not to be changed."""
    model = new()
    train(model, upright.images, epochs=30)
    return model


# ---------------------------------------------------------------------- without a label

def test_a_joint_model_finds_the_suits_and_the_angle(joint, turned):
    assert matched_accuracy(likeliest(joint[0], turned.images), turned.suit) >= 0.97
    assert median_errors(joint[0], turned).max() <= 1.5


def test_it_knows_cards_that_it_has_not_seen(joint, turned, unseen):
    assert matched_accuracy(likeliest(joint[0], unseen.images), unseen.suit) >= 0.97
    assert median_errors(joint[0], unseen).max() <= 2


def test_it_is_sure_of_the_groups(joint, turned):
    assert joint[0].encode(turned.images).group.max(1).mean() > 0.95
    assert joint[0].elbo(turned.images).group.mean() == pytest.approx(math.log(4), abs=0.1)


def test_each_group_draws_its_own_suit(joint, turned):
    model = joint[0]
    latents = model.encode(turned.images)
    errors = [((model.decode(latents, np.full(400, group)) - turned.images) ** 2).mean((1, 2)) for group in range(4)]
    assert (np.argmin(errors, 0) == latents.group.argmax(1)).mean() >= 0.97
    own, best_other = np.sort(errors, 0)[:2]
    assert np.median(own) < 0.3 * np.median(best_other)


def test_the_suits_drawn_without_content_stand_alike(joint, turned):
    """The canonical picture of a group, turned by what was encoded, is the image: content is hardly needed."""
    model = joint[0]
    latents = model.encode(turned.images)
    canonical = Latents(np.zeros((400, 2)), angle=latents.angle, group=latents.group)
    assert np.median(((model.decode(canonical) - turned.images) ** 2).mean((1, 2))) < 0.01


def test_its_history_names_the_groups_and_the_guides(joint, turned):
    model, history = joint
    assert set(history.terms) == {"reconstruction", "content", "angle", "group"}
    assert set(history.guidance) == {"neighbours", "choice"}
    parts = [history.terms[name] for name in ("reconstruction", "content", "angle", "group")]
    assert history.loss == pytest.approx([sum(values) for values in zip(*parts)])
    assert history.loss[-1] == pytest.approx(-model.elbo(turned.images).total.mean(), abs=1.5)
    assert history.terms["group"] == pytest.approx([math.log(4)] * 60, abs=1e-4)
    assert history.guidance["choice"][-1] < 0.3 * history.guidance["choice"][0]


def test_its_bound_lies_below_the_evidence(joint, unseen):
    """log p(x) by importance sampling: 1000 draws of content and angle, a sum over the groups, priors written out here."""
    model, rng, gaps = joint[0], np.random.default_rng(0), []
    images = unseen.images[:6]
    latents = model.encode(images)
    means = np.mean([model.elbo(images, seed=seed).total for seed in range(200)], 0)
    for i, image in enumerate(images):
        noise = rng.normal(size=(1000, 3)).astype(np.float32)
        mean, sd = np.append(latents.content[i], latents.angle[i]), np.append(latents.content_sd[i], latents.angle_sd[i])
        drawn = mean + sd * noise
        weight = -0.5 * (drawn[:, :2] ** 2).sum(1) - math.log(2 * math.pi) + 0.5 * (noise**2).sum(1) + np.log(sd).sum() \
            + 0.5 * math.log(2 * math.pi)   # two priors of the content against three densities of the posterior
        by_group = []
        for group in range(4):
            pictures = model.decode(Latents(drawn[:, :2], angle=drawn[:, 2]), np.full(1000, group)).astype(float)
            pictures = np.clip(pictures, 1e-7, 1 - 1e-7)
            by_group.append((image * np.log(pictures) + (1 - image) * np.log(1 - pictures)).sum((1, 2)) - math.log(4))
        gaps.append(logsumexp(np.array(by_group) + weight) - math.log(1000) - means[i])
    assert min(gaps) > -0.2           # the noise of 200 draws
    assert 0 < np.mean(gaps) < 5      # and not far below


def test_without_content_suit_angle_shift_and_shear_are_all_found_by_name():
    cards = make_cards(75, rotation=180, shear=20, shift=0.2, size=SIZE)
    model = new(Pose(rotation=True, shift=0.2, shear=True), content=0)
    train(model, cards.images, epochs=110)
    latents = model.encode(cards.images)
    assert matched_accuracy(latents.group.argmax(1), cards.suit) >= 0.97
    assert latents.content.shape == (300, 0) and median_errors(model, cards).max() <= 2
    assert np.abs(latents.shift - cards.shift).mean() < 0.02
    for suit in range(4):
        of_suit = cards.suit == suit
        assert abs(rank_correlation(latents.shear[of_suit], cards.shear[of_suit])) > 0.95


@pytest.mark.parametrize("number", [1, 2])
def test_upright_suits_are_found_without_a_pose(number, learnt, upright):
    model, cards = learnt, upright
    if number == 2:
        model, cards = new(), card_set(2, per_suit=60, size=SIZE)
        train(model, cards.images, epochs=30)
    assert matched_accuracy(likeliest(model, cards.images), cards.suit) >= 0.97
    fresh = card_set(number, per_suit=30, size=SIZE, seed=99)
    assert matched_accuracy(likeliest(model, fresh.images), fresh.suit) >= 0.97


def test_groups_and_a_shift_alone_need_no_turns():
    cards = make_cards(40, rotation=5, shear=1, shift=0.2, size=SIZE)
    model = new(Pose(shift=0.2))
    train(model, cards.images, epochs=40)
    assert matched_accuracy(likeliest(model, cards.images), cards.suit) >= 0.97
    assert np.abs(model.encode(cards.images).shift - cards.shift).mean() < 0.05


# ---------------------------------------------------------------------- with some labels

def test_labels_of_upright_cards_reach_turned_ones(unseen):
    """Ten labelled cards of each suit stand upright; all others are turned by ±120°, and nobody says what they are."""
    some, others = card_set(1, per_suit=10, size=SIZE, seed=1), make_cards(75, rotation=120, shear=1, size=SIZE, seed=2)
    labels = np.concatenate([some.suit, np.full(300, -1)])
    model = new(Pose(rotation=True))
    train(model, np.concatenate([some.images, others.images]), labels, epochs=60)
    assert (likeliest(model, unseen.images) == unseen.suit).mean() >= 0.97
    assert (likeliest(model, others.images) == others.suit).mean() >= 0.97
    assert median_errors(model, unseen).max() <= 2


@pytest.mark.parametrize("names", [(2, 3, 1, 0), (1, 0, 3, 2)])
@pytest.mark.parametrize("known", [4, 3], ids=["of all suits", "of three suits"])
def test_groups_carry_the_names_that_the_labels_give_them(upright, names, known):
    named = np.array(names)[upright.suit]
    labels = np.where((np.arange(240) < 20) & (upright.suit < known), named, -1)
    model = new()
    train(model, upright.images, labels, epochs=25)
    assert (likeliest(model, upright.images) == named).mean() >= 0.97


def test_every_label_may_be_known(upright):
    names = (upright.suit + 1) % 4
    model = new()
    train(model, upright.images, names, epochs=25)
    assert (likeliest(model, upright.images) == names).mean() >= 0.97


@pytest.mark.parametrize("pose", [None, Pose(rotation=True)], ids=["no pose", "all round"])
def test_labels_of_which_none_is_known_are_no_labels(turned, pose):
    models = new(pose, hidden=16), new(pose, hidden=16)
    images = turned.images[:100]
    histories = [train(model, images, labels, epochs=2) for model, labels in zip(models, (None, np.full(100, -1)))]
    assert histories[0].terms == histories[1].terms
    assert np.array_equal(models[0].encode(images).group, models[1].encode(images).group)


def test_labels_are_used_in_a_second_training_too(upright, learnt, tmp_path):
    """They overrule the groups that were there."""
    learnt.save(tmp_path / "model")
    model = VAE.load(tmp_path / "model")
    names = (likeliest(model, upright.images) + 1) % 4
    train(model, upright.images, names, epochs=40)
    assert (likeliest(model, upright.images) == names).mean() >= 0.97


# ---------------------------------------------------------------------- how it learns

def test_each_image_is_guided_by_its_own_group(upright, monkeypatch, seen):
    model, found = new(hidden=16), []
    ask = similarity.cluster
    monkeypatch.setattr(similarity, "cluster", lambda *given: found.append(ask(*given)) or found[0])
    train(model, upright.images, batch=80)
    assert len(seen) == 3 and matched_accuracy(found[0], upright.suit) == 1
    for step in seen:
        index = [int(np.flatnonzero((upright.images == image).all((1, 2)))[0]) for image in step["images"].numpy()]
        assert step["guide"].group.tolist() == found[0][index].tolist() and step["guide"].alignment is None


def test_each_image_is_told_its_own_label(upright, seen):
    labels = np.where(np.arange(240) < 60, upright.suit, -1)
    model = new(hidden=16)
    train(model, upright.images, labels, batch=80)
    for step in seen:
        index = [int(np.flatnonzero((upright.images == image).all((1, 2)))[0]) for image in step["images"].numpy()]
        assert step["label"].tolist() == labels[index].tolist()


@pytest.mark.parametrize("pose, asked", [
    (None, (False, False)), (Pose(shift=0.1), (False, True)), (Pose(rotation=True), (True, False)),
    (Pose(rotation=True, shift=0.1, shear=True), (True, True))])
def test_images_are_compared_as_the_pose_wants_it_until_it_has_learnt(turned, monkeypatch, pose, asked):
    calls, neighbours = [], similarity.similarity_graph
    monkeypatch.setattr(similarity, "similarity_graph", lambda images, turn, recentre, candidates, first: (
        calls.append((turn, recentre, candidates, first)), neighbours(images, turn, recentre, candidates, first))[1])
    model = new(pose, hidden=8)
    labels = np.where(np.arange(40) < 5, turned.suit[:40], -1)
    for epochs in (1, 510, 1):   # of one step each: only after the second it has learnt long enough
        train(model, turned.images[:40], labels, epochs=epochs)
    assert len(calls) == 2 and calls[0][:3] == calls[1][:3] == (*asked, CANDIDATES)
    assert calls[0][3].tolist() == 5 * [True] + 35 * [False]   # what is labelled is to be a node


@pytest.mark.parametrize("prepared", [False, True])
def test_a_second_training_keeps_the_groups(joint, turned, tmp_path, prepared):
    joint[0].save(tmp_path / "model")
    model = VAE.load(tmp_path / "model")
    model.prepared.fill_(prepared)
    history = train(model, turned.images, epochs=8)
    assert (likeliest(model, turned.images) == likeliest(joint[0], turned.images)).mean() >= 0.97
    assert history.loss[0] < 0.8 * joint[1].loss[0]


@pytest.mark.parametrize("pose", [None, Pose(shift=0.1), Pose(rotation=True)], ids=["no pose", "shift", "all round"])
def test_without_neighbours_it_learns_too(turned, pose, monkeypatch, seen):
    monkeypatch.setattr(similarity, "similarity_graph", None)   # not needed
    model = new(pose, hidden=32)
    history = train(model, turned.images[:200], epochs=6, alignment=False)
    assert [step["explore"] for step in seen] == [True] * 4 + [False] * 8
    assert np.isfinite(history.loss).all() and history.loss[-1] < history.loss[0]
    assert "neighbours" not in history.guidance and len(history.terms["group"]) == 6


def test_labels_help_without_neighbours(upright):
    model = new()
    labels = np.where(np.arange(240) < 120, upright.suit, -1)
    train(model, upright.images, labels, epochs=30, alignment=False)
    assert (likeliest(model, upright.images) == upright.suit).mean() >= 0.9


def test_an_alignment_that_is_known_leaves_the_groups_to_be_found(turned, monkeypatch, seen):
    nothing = np.zeros(400)
    monkeypatch.setattr(similarity, "align_graph", None)   # not needed
    model = new(Pose(rotation=True))
    known = Alignment(turned.angle + 1, nothing, nothing, np.zeros((400, 2)), nothing.astype(int))
    train(model, turned.images, epochs=16, batch=64, alignment=known)
    off = model.encode(turned.images).angle - turned.angle - 1
    assert np.degrees(np.median(np.abs(np.mod(off + np.pi, 2 * np.pi) - np.pi))) <= 2
    index = [int(np.flatnonzero((turned.images == image).all((1, 2)))[0]) for image in seen[0]["images"].numpy()]
    assert matched_accuracy(seen[0]["guide"].group.numpy(), turned.suit[index]) == 1


def test_the_same_seed_gives_the_same_training_of_groups_bit_for_bit(turned):
    first, again, other = (train(new(Pose(rotation=True), hidden=16), turned.images[:100], epochs=2, seed=seed)
                           for seed in (0, 0, 1))
    assert first.terms == again.terms and first.loss != other.loss


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("pose", [None, Pose(rotation=True, shift=0.1)], ids=["no pose", "all round"])
def test_fewer_images_than_groups_are_enough(turned, count, pose):
    model = new(pose, hidden=16)
    assert np.isfinite(train(model, turned.images[:count], epochs=2).loss).all()
    assert model.encode(turned.images[:count]).group.sum(1) == pytest.approx(1)
