"""What arguments must be; and each cure that an error names is obeyed here, after which the argument is accepted."""
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cardslib.models import VAE
from cardslib.validation import ROUNDING, check_counts, check_images, check_labels, check_rows, check_unmasked, check_values

rng = np.random.default_rng(0)
IMAGES = rng.random((5, 6, 8)).astype(np.float32)
LEVELS = np.round(IMAGES * 200)
MASKED = np.ma.masked_greater(IMAGES, 0.9)
NAMES = {"numpy": np}


# ---------------------------------------------------------------------- images

WRONG_IMAGES = {   # what came, and the cures
    "one image": (IMAGES[0], ["images[None]", "images.reshape(-1, height, width)"]),
    "flattened": (IMAGES.reshape(5, -1), ["images[None]", "images.reshape(-1, height, width)"]),
    "flattened squares": (IMAGES[..., :6].reshape(5, -1), ["images[None]", "images.reshape(-1, 6, 6)"]),
    "with an axis of one channel": (IMAGES[:, None], ["images.mean(1)"]),
    "with one of one colour": (IMAGES[..., None], ["images.mean(-1)"]),
    "in colour": (np.stack([IMAGES] * 3, -1), ["images.mean(-1)"]),
    "bytes": (LEVELS.astype(np.uint8), ["images / 255"]),
    "of 16 bits": (LEVELS.astype(np.uint16), ["images / images.max()"]),
    "of 64 bits": (LEVELS.astype(np.int64), ["images / images.max()"]),
    "zeros and ones": ((IMAGES > 0.5).astype(np.int64), ["images.astype(float)"]),
    "bytes of 0 and 1": ((IMAGES > 0.5).astype(np.uint8), ["images.astype(float)"]),
    "true and false": (IMAGES > 0.5, ["images.astype(float)"]),
    "whole numbers below zero": (LEVELS.astype(int) - 9, ["(images - images.min()) / numpy.ptp(images)"]),
    "bytes in one image": (LEVELS[0].astype(np.uint8), ["images[None] / 255", "images.reshape(-1, height, width) / 255"]),
    "larger than 1": (LEVELS, ["(images - images.min()) / numpy.ptp(images)"]),
    "with holes": (np.where(IMAGES > 0.9, np.nan, IMAGES), ["numpy.nan_to_num(images, posinf=0, neginf=0)"]),
    "infinite": (np.where(IMAGES > 0.9, -np.inf, IMAGES), ["numpy.nan_to_num(images, posinf=0, neginf=0)"]),
    "masked": (MASKED, ["images.filled(images.mean())"]),
    "masked, one by one": (list(MASKED), ["numpy.ma.stack(images).filled(numpy.ma.stack(images).mean())"]),
    "text": (IMAGES.astype(str), ["images.astype(float)"]),
}


@pytest.mark.parametrize("images, cures", WRONG_IMAGES.values(), ids=WRONG_IMAGES)
def test_a_cure_for_images_is_named_and_cures(images, cures):
    with pytest.raises(ValueError, match="^images must ") as refused:
        check_images(images)
    for cure in cures:
        assert cure in str(refused.value)
        accepted = check_images(eval(cure, NAMES | dict(images=images, height=6, width=8)))
        assert accepted.ndim == 3 and accepted.dtype == np.float32 and accepted.max() > 0.5 > accepted.min()


def test_whole_numbers_are_never_told_to_divide_by_what_makes_them_black():
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        for most in (1, 2, 100):
            with pytest.raises(ValueError) as refused:
                check_images(np.full((2, 6, 8), most, dtype) * np.arange(2, dtype=dtype)[:, None, None])
            assert not re.search(r"/ \d{4,}", str(refused.value))


@pytest.mark.parametrize("images", [IMAGES[0], IMAGES.reshape(5, -1)], ids=["one image", "flattened"])
def test_where_the_shape_is_known_one_cure_is_named(images):
    with pytest.raises(ValueError, match=r"use images(\[None\]|\.reshape\(-1, 6, 8\))$") as refused:
        check_images(images, shape=(6, 8))
    cure = re.search("use (.*)$", str(refused.value))[1]
    count = 1 if images.shape == (6, 8) else 5
    assert np.array_equal(check_images(eval(cure, dict(images=images)), (6, 8)), IMAGES[:count])


@pytest.mark.parametrize("spectra", [IMAGES[0, 0], IMAGES], ids=["one spectrum", "a spectrum image"])
def test_spectra_are_put_along_the_first_axis(spectra):
    with pytest.raises(ValueError, match=r"\(n, channels\) real numbers; .*: use spectra") as refused:
        check_values(spectra, (8,), "spectra")
    cure = re.search("use (.*)$", str(refused.value))[1]
    assert check_values(eval(cure, dict(spectra=spectra)), (8,), "spectra").shape == (spectra.size // 8, 8)


@given(st.floats(-ROUNDING, ROUNDING))
def test_rounding_beyond_the_range_passes_and_is_taken_off(beyond):
    images = np.stack([np.ones((6, 8)), np.zeros((6, 8))]) + beyond
    accepted = check_images(images)
    assert accepted.min() >= 0 and accepted.max() <= 1 and np.allclose(accepted, images, atol=2 * ROUNDING)


@pytest.mark.parametrize("beyond", [1e-5, 0.01])
def test_more_than_rounding_does_not_pass(beyond):
    for images in (IMAGES * 0 + [[np.float64(1 + beyond)]], np.stack([IMAGES[0], IMAGES[0] * 0 - beyond])):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            check_images(images)


def test_images_within_the_range_are_handed_on_untouched():
    assert check_images(IMAGES) is IMAGES


# ---------------------------------------------------------------------- masks

CHECKS = {"images": (check_images, IMAGES), "counts": (check_counts, LEVELS + 1), "values": (check_values, IMAGES),
          "rows": (lambda values: check_rows(values, 8, "values"), IMAGES[0]),
          "labels": (lambda values: check_labels(values, 5, 3), np.array([0, 1, 2, 1, 0]))}


@pytest.mark.parametrize("check, values", CHECKS.values(), ids=CHECKS)
def test_what_is_under_a_mask_is_not_handed_on(check, values):
    masked = np.ma.masked_array(values, np.arange(values.size).reshape(values.shape) == 1)
    with pytest.raises(ValueError, match="must have no masked values; 1 are: say what stands there instead, such as .*filled"):
        check(masked)
    assert np.array_equal(check(np.ma.masked_array(values, False)), check(values))
    assert not isinstance(check(np.ma.masked_array(values, False)), np.ma.MaskedArray)


def test_arrays_tensors_and_lists_have_no_mask():
    for values in (IMAGES, torch.from_numpy(IMAGES).requires_grad_(), IMAGES.tolist(), list(IMAGES)):
        assert np.allclose(check_unmasked("values", values), IMAGES)


# ---------------------------------------------------------------------- labels

CLASSES = np.array([0, 2, 1, 2, 0])
WRONG_LABELS = {   # what came, and the cure
    "one-hot": (np.eye(3)[CLASSES], "labels.argmax(1)"),
    "one-hot whole numbers": (np.eye(3, dtype=int)[CLASSES], "labels.argmax(1)"),
    "one-hot true and false": (np.eye(3)[CLASSES] > 0, "labels.argmax(1)"),
    "a probability of each": (np.eye(3)[CLASSES] * 0.7 + 0.1, "labels.argmax(1)"),
    "names": (np.array(["club", "spade", "heart"])[CLASSES], "numpy.unique(labels, return_inverse=True)[1]"),
    "names as objects": (np.array(["a", "c", "b"], object)[CLASSES], "numpy.unique(labels, return_inverse=True)[1]"),
    "bytes": (np.array([b"a", b"c", b"b"])[CLASSES], "numpy.unique(labels, return_inverse=True)[1]"),
    "names in a column": (np.array(["a", "c", "b"])[CLASSES][:, None],
                          "numpy.unique(labels.reshape(-1), return_inverse=True)[1]"),
    "floats": (CLASSES.astype(float), "labels.astype(int)"),
    "floats in a column": (CLASSES[:, None] / 1, "labels.reshape(-1).astype(int)"),
    "true and false": (CLASSES > 0, "labels.astype(int)"), "a column": (CLASSES[:, None], "labels.reshape(-1)"),
}


@pytest.mark.parametrize("labels, cure", WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_a_cure_for_labels_is_named_and_cures(labels, cure):
    with pytest.raises(ValueError, match="^labels must be ") as refused:
        check_labels(labels, 5, 3)
    assert f"use {cure}" in str(refused.value)
    accepted = check_labels(eval(cure, NAMES | dict(labels=labels)), 5, 3)
    assert accepted.dtype == np.int64
    if labels.dtype != bool and labels.dtype.kind not in "USO":
        assert np.array_equal(accepted, CLASSES)
    assert len(np.unique(accepted[CLASSES == 0])) == 1


def test_labels_that_are_not_known_may_come_as_nan():
    labels = np.array([0, np.nan, 1, 2, np.nan])
    with pytest.raises(ValueError, match=r"use numpy.nan_to_num\(labels, nan=-1\).astype\(int\)") as refused:
        check_labels(labels, 5, 3, unknown=True)
    cure = re.search("use (.*) if", str(refused.value))[1]
    assert check_labels(eval(cure, NAMES | dict(labels=labels)), 5, 3, unknown=True).tolist() == [0, -1, 1, 2, -1]


def test_one_condition_an_image_may_need_an_axis():
    model = VAE((6, 8), conditions=1)
    with pytest.raises(ValueError, match=r"labels must be \(5, 1\) numbers: .* got \(5,\): use labels\[:, None\]"):
        model.encode(IMAGES, np.arange(5.0))
    assert len(model.encode(IMAGES, np.arange(5.0)[:, None])) == 5
