"""Labels in the latent space: does it know them, and do its own groups agree with them?"""
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cardslib.metrics.arguments import check_classes, check_content, check_rows_match, check_whole_numbers

SEED = 0         # of the k-means: the score is the same each time


def probe_accuracy(content, labels):
    """Share of labels that a linear classifier reads off the latents, on images that it has not seen (five-fold)."""
    content, labels = check_content(content), check_classes(labels)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(cross_val_score(probe, *check_rows_match(content, labels), cv=5).mean())


def label_information(content, labels, neighbours=30):
    """What the latents say of the label, in nats, at least: between 0 and the labels' entropy (log k for k equal classes).

    The entropy minus the cross-entropy of a guess by so many nearest neighbours, on images not seen (five-fold): a lower bound
    of the mutual information (Barber & Agakov, The IM algorithm, 2003).
    """
    content, labels = check_rows_match(check_content(content), check_classes(labels))
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
    content, labels = check_rows_match(check_content(content), check_classes(labels))
    groups = KMeans(len(np.unique(labels)), n_init=10, random_state=SEED).fit_predict(content)
    return matched_accuracy(groups, labels)


def matched_accuracy(groups, labels):
    """Share of images whose group is their label's, under the best one-to-one matching of groups to labels (Hungarian).

    groups (n,) and labels (n,), whole numbers.  If all are in one group: the share of the most frequent label.
    """
    groups, labels = check_rows_match(check_whole_numbers("groups", groups), check_classes(labels))
    counts = confusion_matrix(labels, groups)
    return float(counts[linear_sum_assignment(-counts)].sum() / len(labels))
