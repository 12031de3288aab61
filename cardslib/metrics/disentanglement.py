"""Disentanglement: how cleanly each latent keeps to one factor, over all latents and all factors.

The three scores (MIG, SAP, DCI) follow the papers named in their docstrings; these lie in [0, 1], and more is better.
"""
import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from cardslib.metrics.arguments import check_content, check_factors, is_label
from cardslib.validation import check_count

SEED = 0         # of the forests and the splits: scores are the same each time


def mig(content, factors, bins=20):
    """Mutual information gap: does one latent, and one only, know each factor?

    For each factor the two latents that know most of it are compared: the difference of their mutual information with it,
    over the factor's entropy; then the mean over factors.  Values are put into `bins` equal bins, 20 as in disentanglement_lib
    (Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations, ICML 2019).
    Chen, Li, Grosse & Duvenaud, Isolating Sources of Disentanglement in VAEs, NeurIPS 2018.

    factors: (n,) arrays by name; whole numbers are taken as classes.
    """
    check_count("bins", bins, 2)
    content, factors = check_content(content, least=2), check_factors(factors, len(content))
    binned = [_binned(latent, bins) for latent in content.T]
    gaps = []
    for factor in factors.values():
        factor = factor if is_label(factor) else _binned(factor, bins)
        information = sorted(mutual_info_score(factor, latent) for latent in binned)
        gaps.append((information[-1] - information[-2]) / mutual_info_score(factor, factor))   # I(v; v) is the entropy of v
    return float(np.mean(gaps))


def _binned(values, bins):
    """`values` (n,) as the numbers of `bins` equal bins between the smallest and the largest."""
    return np.digitize(values, np.histogram_bin_edges(values, bins)[1:-1])


def sap(content, factors):
    """Separated attribute predictability: by how much does the best single latent predict each factor better than the second?

    Prediction from one latent at a time: R² of a straight line for a continuous factor, held-out accuracy of a linear
    support vector machine for a class (its C as in disentanglement_lib).  The difference of the two best, the mean over
    factors.  (With a class among the factors even a perfect code stays a little below 1: a latent that knows nothing still
    guesses.)
    Kumar, Sattigeri & Balakrishnan, Variational Inference of Disentangled Latent Concepts, ICLR 2018.
    """
    content, factors = check_content(content, least=2), check_factors(factors, len(content))
    gaps = []
    for factor in factors.values():
        scores = sorted(_predicts(latent[:, None], factor) for latent in content.T)
        gaps.append(scores[-1] - scores[-2])
    return float(np.mean(gaps))


def _predicts(latent, factor):
    """How well a latent (n, 1) alone predicts a factor (n,): R² for a quantity, held-out accuracy for a class."""
    if not is_label(factor):
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
    content, factors = check_content(content, least=2), check_factors(factors, len(content), least=2)
    forests, scores = zip(*[_forest(content, factor) for factor in factors.values()])
    importance = np.stack([forest.feature_importances_ for forest in forests], 1)   # (latents, factors)
    return dict(disentanglement=_concentration(importance), completeness=_concentration(importance.T),
                informativeness=float(np.mean(scores)))


def readable(content, factor):
    """How well a random forest reads one factor (n,) off all latents together, on images that it has not seen: 0 … 1.

    R² for a quantity, accuracy above chance for whole numbers (classes): the informativeness of `dci` for one factor.
    A factor that is readable but correlates with no single latent is known to the model, and entangled.
    """
    content = check_content(content)
    return _forest(content, check_factors(dict(factor=factor), len(content))["factor"])[1]


def _forest(content, factor):
    """A forest that predicts the factor, and its score on held-out images: R², or (accuracy − chance) / (1 − chance)."""
    classes = is_label(factor)
    seen, unseen, seen_factor, unseen_factor = train_test_split(content, factor, test_size=0.3, random_state=SEED)
    forest = (RandomForestClassifier if classes else RandomForestRegressor)(   # small: a score takes seconds, not minutes
        n_estimators=20, max_depth=12, max_features=None, max_samples=min(2000, int(0.7 * len(content))), random_state=SEED)
    score = forest.fit(seen, seen_factor).score(unseen, unseen_factor)
    chance = np.unique(factor, return_counts=True)[1].max() / len(factor) if classes else 0.0   # always the commonest class
    return forest, max(0.0, (score - chance) / (1 - chance))


def _concentration(importance):
    """1 − entropy of each row, in units of its largest possible, weighted by how much the row matters: a number."""
    weight = importance.sum(1)
    probability = importance / np.where(weight > 0, weight, 1)[:, None]
    row_entropy = -(probability * np.log(np.where(probability > 0, probability, 1))).sum(1) / np.log(importance.shape[1])
    return float(((1 - row_entropy) * weight).sum() / max(weight.sum(), 1e-12))
