"""Suits and digits without labels, or with a few: `make bench-groups` prints a table over sets and seeds.

Every line is a training in full size (12,000 cards of 48×48), measured on cards that the model has not seen; beside it k-means
on the pixels of the same cards, the baseline that also knows no label.

    python tests/benchmarks/groups.py [--seeds 5] [--mnist FOLDER]
"""
import argparse
import time

import numpy as np
from scipy.ndimage import rotate
from sklearn.cluster import KMeans

from cardslib.cards import card_set, make_cards
from cardslib.digits import load_digits
from cardslib.metrics import angle_error, matched_accuracy, rank_correlation
from cardslib.models import VAE, Pose
from cardslib.training import fit

ORDERS = (1, 1, 1, 2)   # of the suits' rotational symmetry
EVERYTHING = dict(content=0, pose=Pose(rotation=True, shift=0.2, shear=True), groups=4)
JOINT = dict(content=2, pose=Pose(rotation=True), groups=4)
CASES = {
    "Cards 1, joint rVAE": (lambda n, seed: card_set(1, n, seed=seed), JOINT),
    "Cards 2, joint rVAE": (lambda n, seed: card_set(2, n, seed=seed), JOINT),
    "Cards 3, joint rVAE": (lambda n, seed: card_set(3, n, seed=seed), JOINT),
    "Cards 4, joint rVAE": (lambda n, seed: card_set(4, n, seed=seed), JOINT),
    "Cards 4, all by name": (lambda n, seed: card_set(4, n, seed=seed), EVERYTHING),
    "±180°, shift, all by name": (lambda n, seed: make_cards(n, rotation=180, shear=20, shift=0.2, seed=seed), EVERYTHING)}


def trained(images, labels, seed, **settings):
    """A model trained on images, and the seconds that it took."""
    model, start = VAE(images.shape[1:], seed=seed, **settings), time.perf_counter()
    fit(model, images, labels, seed=seed, progress=False)
    return model, time.perf_counter() - start


def by_suit(score, cards):
    """The scores of the four suits, from score(rows of a suit's cards, suit)."""
    return [score(np.flatnonzero(cards.suit == suit), suit) for suit in range(4)]


def without_labels(name, seed):
    """One line of the table."""
    make, settings = CASES[name]
    cards, unseen = make(3000, seed), make(1000, 1000 + seed)
    model, seconds = trained(cards.images, None, seed, **settings)
    latents = model.encode(unseen.images)
    suits = matched_accuracy(latents.group.argmax(1), unseen.suit)
    angle = max(by_suit(lambda at, suit: np.median(angle_error(latents.angle[at], unseen.angle[at], ORDERS[suit])), unseen))
    line = f"{name:28}{seed:3}{suits:9.2%}{-model.elbo(unseen.images).total.mean():8.1f}{angle:7.2f}°"
    if latents.shear is not None:
        shear = min(by_suit(lambda at, suit: abs(rank_correlation(latents.shear[at], unseen.shear[at])), unseen))
        off = (latents.shift - unseen.shift) * unseen.images.shape[2] / 2
        shift = max(by_suit(lambda at, suit: np.median(np.linalg.norm(off[at] - np.median(off[at], 0), axis=1)), unseen))
        line += f"{shear:9.4f}{shift:7.2f} px"
    print(f"{line:72}{seconds:6.1f} s", flush=True)
    return suits, seconds


def semi_supervised(seed):
    """200 cards of each suit labelled, from Cards 1; 12,000 turned by ±120° without a label."""
    labelled, turned = card_set(1, 200, seed=seed), make_cards(3000, rotation=120, shear=1, seed=seed + 1)
    images = np.concatenate([labelled.images, turned.images])
    model, seconds = trained(images, np.concatenate([labelled.suit, np.full(len(turned), -1)]), seed, **JOINT)
    unseen = {"as the labelled ones": card_set(1, 500, seed=1000 + seed),
              "turned": make_cards(500, rotation=120, shear=1, seed=2000 + seed)}
    accuracy = {name: (model.encode(cards.images).group.argmax(1) == cards.suit).mean() for name, cards in unseen.items()}
    print(f"semi-supervised {seed}: suits of unseen cards by name", {name: f"{value:.2%}" for name, value in accuracy.items()},
          f"{seconds:.1f} s", flush=True)


def digits(folder, seed):
    """Ten groups in MNIST, plain and turned by ±60°, on the 10,000 test digits."""
    rng = np.random.default_rng(seed)
    train, test = load_digits(folder), load_digits(folder, part="test")
    chosen = rng.permutation(len(train.label))[:12000]

    def turned(images):
        return np.stack([np.clip(rotate(image, angle, reshape=False, order=1), 0, 1)
                         for image, angle in zip(images, rng.uniform(-60, 60, len(images)))])

    for name, change, pose in (("MNIST", lambda images: images, None), ("MNIST ±60°", turned, Pose(rotation=0.6))):
        images, unseen = change(train.images[chosen]), change(test.images)
        model, seconds = trained(images, None, seed, content=2, groups=10, pose=pose)
        found = matched_accuracy(model.encode(unseen).group.argmax(1), test.label)
        pixels = KMeans(10, n_init=3, random_state=seed).fit(images.reshape(len(images), -1))
        baseline = matched_accuracy(pixels.predict(unseen.reshape(len(unseen), -1)), test.label)
        print(f"{name:12} {seed}: {found:.1%} of the test digits after the best matching (k-means on pixels {baseline:.1%}), "
              f"−ELBO {-model.elbo(unseen).total.mean():.1f} nats, {seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mnist", help="folder with MNIST's four files")
    arguments = parser.parse_args()
    print(f"{'no label at all':28}{'seed':>3}{'suits':>8}{'−ELBO':>8}{'angle':>8}{'shear':>9}{'shift':>10}{'training':>13}")
    for name, (make, _) in CASES.items():
        lines = [without_labels(name, seed) for seed in range(arguments.seeds)]
        suits, seconds = np.array(lines).T
        images, suit = (cards := make(3000, 0)).images, cards.suit
        pixels = KMeans(4, n_init=3, random_state=0).fit_predict(images.reshape(len(images), -1))
        print(f"{'':28}  median {np.median(suits):.2%}, worst {suits.min():.2%}; {np.median(seconds):.0f} s, worst "
              f"{seconds.max():.0f} s; k-means on pixels {matched_accuracy(pixels, suit):.1%}\n", flush=True)
    for seed in range(arguments.seeds):
        semi_supervised(seed)
    for seed in range(arguments.seeds if arguments.mnist else 0):
        digits(arguments.mnist, seed)


if __name__ == "__main__":
    main()
