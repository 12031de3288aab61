"""Scores: how well latents know the true factors, and how cleanly each latent keeps to one of them.

All take arrays: latents (n, c), a factor (n,), labels (n,) whole numbers.  The three disentanglement scores (MIG, SAP, DCI)
follow the papers named in their docstrings; these lie in [0, 1], and more is better.
"""
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy, spearmanr
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import confusion_matrix, mutual_info_score
from sklearn.model_selection import cross_val_predict, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from cardslib.geometry import wrap
from cardslib.validation import check_count

SEED = 0         # of the forests and the k-means: scores are the same each time
MEDIANS = 720    # images at most that are tried as the circular median: as fine as half degrees, and the time bounded


# ---------------------------------------------------------------------- one factor against one latent

def rank_correlation(encoded, true):
    """Spearman's rank correlation of two (n,) arrays, in [-1, 1]: ±1 if one is any monotonic function of the other.

    0 if one of them is constant, as a collapsed latent is.
    """
    encoded, true = _paired(encoded, true)
    return 0.0 if _constant(encoded) or _constant(true) else float(spearmanr(encoded, true).statistic)


def rank_correlation_within(content, factor, labels):
    """How closely each latent follows a factor within each class: |rank correlation|, (classes, c) array, in [0, 1].

    latents (n, c), a factor (n,), labels (n,).  Pooled over the classes, a factor that they lay out in different places or
    senses would seem unknown.
    """
    content, labels = _paired_rows(_latents(content), _labels(labels))
    factor = np.asarray(factor, float)
    return np.array([[abs(rank_correlation(latent[labels == one], factor[labels == one])) for latent in content.T]
                     for one in np.unique(labels)])


def circular_correlation(encoded, true):
    """Correlation of two angles (n,), in radians, in [-1, 1]: ±1 if they differ by a constant, -1 if one runs backwards.

    ρ_T of Fisher & Lee (A correlation coefficient for circular data, Biometrika 70, 1983, 327–332), in its form without a
    double sum.  It needs no mean direction, and so also holds for angles spread over the whole circle.
    """
    a, b = _paired(encoded, true)
    products = (np.mean(np.cos(a) * np.cos(b)) * np.mean(np.sin(a) * np.sin(b))
                - np.mean(np.cos(a) * np.sin(b)) * np.mean(np.sin(a) * np.cos(b)))
    spread = 1.0
    for angle in (a, b):
        spread *= 1 - abs(np.mean(np.exp(2j * angle))) ** 2
    return float(4 * products / np.sqrt(spread)) if spread > 1e-12 else 0.0


def circular_linear_correlation(latent, angle):
    """How well a latent (n,) is a wave a + b·cos(angle + c) of an angle (n,), radians: the multiple correlation R, in [0, 1].

    Mardia, Linear-circular correlation coefficients and rhythmometry, Biometrika 63, 1976, 403–405.
    """
    latent, angle = _paired(latent, angle)
    if _constant(latent):
        return 0.0
    wave = np.stack([np.cos(angle), np.sin(angle)], 1)
    return float(np.sqrt(max(0.0, LinearRegression().fit(wave, latent).score(wave, latent))))


def angle_error(encoded, true, order=1):
    """Error of each encoded angle, (n,), in *degrees*, ≥ 0: modulo symmetry, with free zero and handedness.

    encoded, true  (n,) radians
    order          of the rotational symmetry: angles count as equal if they differ by a multiple of 360°/order

    A model is free to choose which orientation it calls zero and which sense it calls positive: one zero, the circular
    median of the differences, and one sense are chosen for all images.  No error is larger than 180°/order.  Call it for
    each suit by itself where each may have a zero of its own.
    """
    encoded, true = _paired(encoded, true)
    check_count("order", order)
    errors = [_from_median(order * (sense * encoded - true)) / order for sense in (1, -1)]
    return np.degrees(min(errors, key=np.mean))


def _from_median(angles):
    """Distances (n,) of angles (radians) from their circular median: the one of them with the least mean distance to all.

    Fisher, Statistical Analysis of Circular Data, 1993 (the median direction).
    """
    angles = np.mod(angles, 2 * np.pi)
    candidates = np.sort(angles)[np.linspace(0, len(angles) - 1, min(len(angles), MEDIANS)).astype(int)]
    median = min(candidates, key=lambda candidate: np.abs(wrap(angles - candidate)).mean())
    return np.abs(wrap(angles - median))


# ---------------------------------------------------------------------- labels in the latent space

def probe_accuracy(content, labels):
    """Share of labels that a linear classifier reads off the latents, on images that it has not seen (five-fold)."""
    content, labels = _latents(content), _labels(labels)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(cross_val_score(probe, *_paired_rows(content, labels), cv=5).mean())


def label_information(content, labels, neighbours=30):
    """What the latents say of the label, in nats, at least: between 0 and the labels' entropy (log k for k equal classes).

    The entropy minus the cross-entropy of a guess by so many nearest neighbours, on images not seen (five-fold): a lower bound
    of the mutual information (Barber & Agakov, The IM algorithm, 2003).
    """
    content, labels = _paired_rows(_latents(content), _labels(labels))
    guess = make_pipeline(StandardScaler(), KNeighborsClassifier(neighbours))
    votes = neighbours * cross_val_predict(guess, content, labels, cv=5, method="predict_proba")   # (n, classes)
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    probability = (votes + counts / len(labels)) / (neighbours + 1)   # one vote more, split as the labels are: never quite sure
    cross_entropy = -np.log(probability[np.arange(len(labels)), index]).mean()
    return float(max(0.0, entropy(counts) - cross_entropy))


def cluster_accuracy(content, labels):
    """Share of labels right when k-means, which never sees one, splits the latents into as many groups as there are labels.

    The latents are taken as they are: all have the same prior, and one that has collapsed must not be blown up.
    """
    content, labels = _paired_rows(_latents(content), _labels(labels))
    groups = KMeans(len(np.unique(labels)), n_init=10, random_state=SEED).fit_predict(content)
    return matched_accuracy(groups, labels)


def matched_accuracy(groups, labels):
    """Share of images whose group is their label's, under the best one-to-one matching of groups to labels (Hungarian)."""
    groups, labels = _paired_rows(_labels(groups), _labels(labels))
    counts = confusion_matrix(labels, groups)
    return float(counts[linear_sum_assignment(-counts)].sum() / len(labels))


# ---------------------------------------------------------------------- disentanglement, over all latents and factors

def mig(content, factors, bins=20):
    """Mutual information gap: does one latent, and one only, know each factor?

    For each factor the two latents that know most of it are compared: the difference of their mutual information with it,
    over the factor's entropy; then the mean over factors.  Values are put into `bins` equal bins, 20 as in disentanglement_lib
    (Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations, ICML 2019).
    Chen, Li, Grosse & Duvenaud, Isolating Sources of Disentanglement in VAEs, NeurIPS 2018.

    factors: (n,) arrays by name; whole numbers are taken as classes.
    """
    check_count("bins", bins, 2)
    content, factors = _latents(content, least=2), _factors(factors, len(content))
    binned = [_binned(latent, bins) for latent in content.T]
    gaps = []
    for factor in factors.values():
        factor = factor if _is_label(factor) else _binned(factor, bins)
        information = sorted(mutual_info_score(factor, latent) for latent in binned)
        gaps.append((information[-1] - information[-2]) / mutual_info_score(factor, factor))   # I(v; v) is the entropy of v
    return float(np.mean(gaps))


def sap(content, factors):
    """Separated attribute predictability: by how much does the best single latent predict each factor better than the second?

    Prediction from one latent at a time: R² of a straight line for a continuous factor, held-out accuracy of a linear
    support vector machine for a class (its C as in disentanglement_lib).  The difference of the two best, the mean over
    factors.  (With a class among the factors even a perfect code stays a little below 1: a latent that knows nothing still
    guesses.)
    Kumar, Sattigeri & Balakrishnan, Variational Inference of Disentangled Latent Concepts, ICLR 2018.
    """
    content, factors = _latents(content, least=2), _factors(factors, len(content))
    gaps = []
    for factor in factors.values():
        scores = sorted(_predicts(latent[:, None], factor) for latent in content.T)
        gaps.append(scores[-1] - scores[-2])
    return float(np.mean(gaps))


def _predicts(latent, factor):
    """How well a latent (n, 1) alone predicts a factor (n,): R² for a quantity, held-out accuracy for a class."""
    if not _is_label(factor):
        return LinearRegression().fit(latent, factor).score(latent, factor)
    seen, unseen, seen_factor, unseen_factor = train_test_split(latent, factor, test_size=0.3, stratify=factor,
                                                                random_state=SEED)
    classifier = make_pipeline(StandardScaler(), LinearSVC(C=0.01, class_weight="balanced", random_state=SEED))
    return classifier.fit(seen, seen_factor).score(unseen, unseen_factor)


def dci(content, factors):
    """Disentanglement, completeness and informativeness, as a dict of three scores.

    A random forest predicts each factor from all latents; its importances say which latent it looked at.
    disentanglement  is each latent used for one factor only?   completeness  is each factor read from one latent only?
    informativeness  how well are the factors predicted at all, on held-out images (R², or the accuracy above chance)
    Eastwood & Williams, A Framework for the Quantitative Evaluation of Disentangled Representations, ICLR 2018.
    """
    content, factors = _latents(content, least=2), _factors(factors, len(content), least=2)
    forests, scores = zip(*[_forest(content, factor) for factor in factors.values()])
    importance = np.stack([forest.feature_importances_ for forest in forests], 1)   # (latents, factors)
    return dict(disentanglement=_concentration(importance), completeness=_concentration(importance.T),
                informativeness=float(np.mean(scores)))


def readable(content, factor):
    """How well a random forest reads one factor (n,) off all latents together, on images that it has not seen: 0 … 1.

    R² for a quantity, accuracy above chance for whole numbers (classes): the informativeness of `dci` for one factor.
    A factor that is readable but correlates with no single latent is known to the model, and entangled.
    """
    content = _latents(content)
    return _forest(content, _factors(dict(factor=factor), len(content))["factor"])[1]


def _forest(content, factor):
    """A forest that predicts the factor, and its score on held-out images: R², or (accuracy − chance) / (1 − chance)."""
    is_label = _is_label(factor)
    seen, unseen, seen_factor, unseen_factor = train_test_split(content, factor, test_size=0.3, random_state=SEED)
    forest = (RandomForestClassifier if is_label else RandomForestRegressor)(   # small: a score takes seconds, not minutes
        n_estimators=20, max_depth=12, max_features=None, max_samples=min(2000, int(0.7 * len(content))), random_state=SEED)
    score = forest.fit(seen, seen_factor).score(unseen, unseen_factor)
    chance = np.unique(factor, return_counts=True)[1].max() / len(factor) if is_label else 0.0   # always the commonest class
    return forest, max(0.0, (score - chance) / (1 - chance))


def _concentration(importance):
    """1 − entropy of each row, in units of its largest possible, weighted by how much the row matters: a number."""
    weight = importance.sum(1)
    probability = importance / np.where(weight > 0, weight, 1)[:, None]
    row_entropy = -(probability * np.log(np.where(probability > 0, probability, 1))).sum(1) / np.log(importance.shape[1])
    return float(((1 - row_entropy) * weight).sum() / max(weight.sum(), 1e-12))


# ---------------------------------------------------------------------- what the arguments must be

def _binned(values, bins):
    """`values` (n,) as the numbers of `bins` equal bins between the smallest and the largest."""
    return np.digitize(values, np.histogram_bin_edges(values, bins)[1:-1])


def _is_label(factor):
    """Whole numbers are classes, other numbers quantities."""
    return factor.dtype.kind in "iu"


def _constant(values):
    """Whether all are the same, but for rounding: the latent of a model that does not use it."""
    return np.ptp(values) <= 1e-12 * max(1.0, np.abs(values).max())


def _paired(encoded, true):
    encoded, true = np.asarray(encoded, float), np.asarray(true, float)
    if encoded.shape != true.shape or encoded.ndim != 1 or len(true) < 2:
        raise ValueError(f"both arrays must be (n,), one value an image, at least two images; got {encoded.shape} and "
                         f"{true.shape}")
    if not (np.isfinite(encoded).all() and np.isfinite(true).all()):
        raise ValueError("both arrays must be finite; got NaN or infinity")
    return encoded, true


def _paired_rows(content, labels):
    if len(content) != len(labels):
        raise ValueError(f"there must be one label an image; got {len(labels)} labels for {len(content)} images")
    return content, labels


def _latents(content, least=1):
    if hasattr(content, "content"):
        raise ValueError(f"content must be an array (n, c); got {type(content).__name__}: pass its .content")
    content = np.asarray(content, float)
    if content.ndim != 2 or content.shape[1] < least or not np.isfinite(content).all():
        raise ValueError(f"content must be (n, c) finite numbers with c of at least {least}; got {content.shape}")
    return content


def _labels(labels):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or len(np.unique(labels)) < 2:
        raise ValueError(f"labels must be (n,) whole numbers of at least two classes; got {labels.shape} {labels.dtype}")
    return labels


def _factors(factors, count, least=1):
    factors = {name: np.asarray(values) for name, values in dict(factors).items()}
    factors = {name: values.astype(int) if values.dtype == bool else values for name, values in factors.items()}
    if len(factors) < least:
        raise ValueError(f"factors must hold at least {least} factors by name; got {list(factors)}")
    for name, values in factors.items():
        if values.shape != (count,) or len(np.unique(values)) < 2:
            raise ValueError(f"factor {name!r} must be one value an image, ({count},), and vary; got {values.shape}")
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(f"factor {name!r} must be finite numbers; got {values.dtype} or NaN among them")
    return factors
