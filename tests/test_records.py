"""One rule for everything that comes in rows, held for every record of the package."""
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import cardslib
from cardslib.cards import make_cards
from cardslib.digits import load_digits
from cardslib.explorers.latent import EncodedImages
from cardslib.microscopy import (
    bond_orientation,
    column_patches,
    doubt_angles,
    find_columns,
    find_sublattices,
    local_deformation,
    nio_lsmo,
    refine,
    scan,
)
from cardslib.models import VAE, Pose
from cardslib.models.guide import Guide
from cardslib.records import Record, concatenate
from cardslib.similarity import align

N = 12
CARDS = make_cards(3, size=16, rotation=20, shear=5)
MICROGRAPH = scan(nio_lsmo(size=40, pillars=1))
ALL_COLUMNS = find_columns(MICROGRAPH.image)
COLUMNS = ALL_COLUMNS[:N]
BONDS = bond_orientation(ALL_COLUMNS.position)[:N]
MODEL = VAE((16, 16), pose=Pose(rotation=True, shift=0.1), groups=3, hidden=8)
ALIGNMENT = align(CARDS.images)
EXAMPLES = {
    "Cards": CARDS, "Digits": load_digits()[:N], "Crystal": MICROGRAPH.truth[:N], "Columns": COLUMNS,
    "Patches": column_patches(MICROGRAPH, COLUMNS.position, 8, border="mirror"),
    "Gaussians": refine(MICROGRAPH.image, COLUMNS.position, COLUMNS.scale.width), "Bonds": BONDS,
    "AngleDoubts": doubt_angles(np.zeros(N), BONDS, 0.1), "Sublattices": find_sublattices(ALL_COLUMNS)[:N],
    "Deformation": local_deformation(ALL_COLUMNS.position)[:N], "Alignment": ALIGNMENT,
    "Latents": MODEL.encode(CARDS.images), "ELBO": MODEL.elbo(CARDS.images),
    "EncodedImages": EncodedImages(CARDS.images, MODEL.encode(CARDS.images), CARDS.suit),
    "Guide": Guide(torch.arange(N) % 8, ALIGNMENT.tensors("cpu"), torch.arange(N) % 4)}
MASK = np.arange(N) % 3 == 1
records = pytest.mark.parametrize("record", EXAMPLES.values(), ids=EXAMPLES.keys())


def assert_rows(part, record, index):
    """`part` holds these rows of `record`, and everything that has no rows as it was."""
    assert type(part) is type(record) and len(part) == len(index)
    assert part.rows.keys() == record.rows.keys()
    for name, values in record.rows.items():
        if isinstance(values, Record):
            assert_rows(getattr(part, name), values, index)
        else:
            expected = np.asarray(values)[index]
            assert np.array_equal(np.asarray(getattr(part, name)), expected, equal_nan=expected.dtype.kind == "f"), name
    for name in vars(record).keys() - record.rows.keys():
        assert getattr(part, name) is getattr(record, name)


def test_every_record_of_the_package_is_here():
    for module in pkgutil.walk_packages(cardslib.__path__, "cardslib."):
        importlib.import_module(module.name)
    assert {kind.__name__ for kind in Record.__subclasses__()} == set(EXAMPLES)


@records
@pytest.mark.parametrize("which, index", [
    (0, [0]), (2, [2]), (-1, [N - 1]), (np.int64(5), [5]), (np.array(4), [4]), (torch.tensor(6), [6]),
    (slice(2, 7), range(2, 7)), (slice(None, None, -4), range(N - 1, -1, -4)), (slice(5, 5), []), (slice(8, 99), range(8, N)),
    (MASK, np.flatnonzero(MASK)), (MASK.tolist(), np.flatnonzero(MASK)), (np.zeros(N, bool), []),
    ([4, 1, 1, -2], [4, 1, 1, N - 2]), (np.array([7, 0]), [7, 0]), (torch.tensor([3, 3]), [3, 3]), (range(3, 5), [3, 4]),
    ([], []), (np.array([], int), [])], ids=repr)
def test_an_index_gives_a_record_of_the_same_kind(record, which, index):
    assert_rows(record[which], record, list(index))


@records
@pytest.mark.parametrize("which", [N, -N - 1, [0, N], np.array([N + 3]), np.ones(N + 1, bool), [True, False],
                                   np.zeros(0, bool)], ids=repr)
def test_an_index_out_of_range_is_an_error(record, which):
    with pytest.raises(IndexError):
        record[which]


@records
@pytest.mark.parametrize("which", [None, "suit", 1.0, True, (0, 1), ..., [[0, 1], [2, 3]], np.array(2.5), np.array([]),
                                   {1, 2}], ids=repr)
def test_what_is_no_index_is_refused(record, which):
    with pytest.raises(IndexError):
        record[which]


@records
def test_a_loop_over_a_record_ends_after_its_last_row(record):
    rows = list(record)
    assert len(rows) == len(record) == N and all(len(row) == 1 for row in rows)


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"Guide"}))   # arrays are joined; a guide holds tensors
def test_parts_join_to_the_whole(name):
    record = EXAMPLES[name]
    assert_rows(concatenate([record[:5], record[5:6], record[6:]]), record, list(range(N)))


@records
def test_a_function_is_applied_to_every_row_field_and_to_nothing_else(record):
    assert_rows(record.map(lambda values: values[[2, 0]]), record, [2, 0])
