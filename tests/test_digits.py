"""Handwritten digits: three sources, each checked before any of it is used.

The real MNIST is tested where it lies on disk; everything about files and downloads with a small stand-in.
"""
import gzip
import hashlib
import threading
import tracemalloc
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest

from cardslib import digits as module
from cardslib.digits import MNIST, Digits, load_digits

REAL = Path(__file__).parents[2] / "shared" / "real" / "mnist"
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DEAD = "http://127.0.0.1:9/"   # nobody listens there


# ---------------------------------------------------------------------- what is there without a network

def test_without_arguments_the_digits_inside_scikit_learn_come():
    digits = load_digits()
    assert digits.images.shape == (1797, 8, 8) and digits.images.dtype == np.float32
    assert digits.label.shape == (1797,) and digits.label.dtype == np.int64 and len(digits) == 1797
    assert digits.images.min() == 0 and digits.images.max() == 1
    assert np.bincount(digits.label).min() > 150 and set(digits.label) == set(range(10))


@pytest.mark.parametrize("which, rows", [
    (3, [3]), (-1, [1796]), (slice(2, 5), [2, 3, 4]), (slice(4, 1, -1), [4, 3, 2]),
    (slice(1795, 1900), [1795, 1796]), ([4, 1, 1], [4, 1, 1]), ([], []),
    (np.array([0, -2]), [0, 1795]), (np.arange(1797) % 800 == 7, [7, 807, 1607]), (np.zeros(1797, bool), [])])
def test_an_index_picks_the_same_digits_from_every_field(which, rows):
    digits, rows = load_digits(), np.array(rows, int)
    fewer = digits[which]
    assert isinstance(fewer, Digits) and len(fewer) == len(rows)
    assert np.array_equal(fewer.images, digits.images[rows]) and np.array_equal(fewer.label, digits.label[rows])


@pytest.mark.parametrize("which", [1797, -1798, [0, 1797], np.array([-1798]), np.ones(1796, bool)])
def test_an_index_past_the_end_is_an_error(which):
    with pytest.raises(IndexError):
        load_digits()[which]


def test_digits_are_bright_on_dark():
    digits = load_digits()
    assert digits.images[:, :, 0].mean() < 0.05 < 0.4 < digits.images[:, 2:6, 3:5].mean()


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real MNIST is not at {REAL}")
@pytest.mark.parametrize("part, count, sevens", [("train", 60000, 6265), ("test", 10000, 1028)])
def test_the_real_mnist_is_read(part, count, sevens):
    digits = load_digits(REAL, part)
    assert digits.images.shape == (count, 28, 28) and digits.images.dtype == np.float32
    assert digits.images.min() == 0 and digits.images.max() == 1
    assert (digits.label == 7).sum() == sevens and digits.label.dtype == np.int64
    assert digits.label[0] == (5 if part == "train" else 7)


def test_checksums_of_the_real_mnist_are_there_for_all_four_files():
    assert {name: shape for name, (_, shape) in MNIST.items()} == {
        "train-images-idx3-ubyte": (60000, 28, 28), "train-labels-idx1-ubyte": (60000,),
        "t10k-images-idx3-ubyte": (10000, 28, 28), "t10k-labels-idx1-ubyte": (10000,)}
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum, _ in MNIST.values())


# ---------------------------------------------------------------------- a small stand-in for MNIST

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4)).astype(np.uint8)
DIGITS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def idx(array):
    """The bytes of an array in the idx format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return header + array.tobytes()


CONTENT = {IMAGES: idx(PIXELS), LABELS: idx(DIGITS)}


@pytest.fixture(autouse=True)
def stand_in(request, monkeypatch):
    """In place of MNIST's checksums those of six small pictures (for the tests that ask for a folder or a mirror)."""
    if {"folder", "mirror"} & set(request.fixturenames):
        shapes = {IMAGES: PIXELS.shape, LABELS: DIGITS.shape}
        monkeypatch.setattr(module, "MNIST", {
            name: (hashlib.sha256(content).hexdigest(), shapes[name]) for name, content in CONTENT.items()})


@pytest.fixture
def folder(tmp_path):
    for name, content in CONTENT.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path


def is_the_stand_in(digits):
    return (np.array_equal(digits.images, PIXELS.astype(np.float32) / 255) and digits.label.tolist() == DIGITS.tolist()
            and digits.images.dtype == np.float32 and digits.label.dtype == np.int64)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_read(folder, kind):
    assert is_the_stand_in(load_digits(kind(folder)))


def test_unpacked_files_are_read_as_well(folder):
    for name, content in CONTENT.items():
        (folder / f"{name}.gz").unlink()
        (folder / name).write_bytes(content)
    assert is_the_stand_in(load_digits(folder))


def test_how_a_file_was_compressed_does_not_matter(folder):
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(CONTENT[IMAGES], 1, mtime=12345))
    assert is_the_stand_in(load_digits(folder))


DAMAGE = {   # what was done to a file's content, and what the error says
    "truncated at the end": (lambda content: gzip.compress(content)[:-4], "not a whole gzip file"),
    "truncated early": (lambda content: gzip.compress(content)[:15], "not a whole gzip file"),
    "empty": (lambda content: b"", "it has 0 bytes, not"),
    "not packed, in spite of its name": (lambda content: content, "not a whole gzip file"),
    "a page that asks to log in": (lambda content: b"<html>please log in</html>", "not a whole gzip file"),
    "a byte of the packed file changed": (lambda content: flip(gzip.compress(content), 20), "gzip file|SHA-256|bytes|longer"),
    "a byte of the content changed": (lambda content: gzip.compress(flip(content, -1)), "its SHA-256 differs"),
    "a byte missing": (lambda content: gzip.compress(content[:-1]), r"it has \d+ bytes, not \d+"),
    "a byte too many": (lambda content: gzip.compress(content + b"\0"), "it is longer"),
    "other pictures": (lambda content: gzip.compress(content[:-5] + bytes(5)), "its SHA-256 differs")}


def flip(content, place):
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_file_is_refused(folder, name, damage):
    change, words = DAMAGE[damage]
    (folder / f"{name}.gz").write_bytes(change(CONTENT[name]))
    with pytest.raises(ValueError, match=rf"{name}\.gz is (?=.*({words})).*: delete it and get it again"):
        load_digits(folder)


def test_an_unpacked_file_is_checked_as_well(folder):
    (folder / f"{LABELS}.gz").unlink()
    (folder / LABELS).write_bytes(CONTENT[LABELS][:-1] + b"\7")
    with pytest.raises(ValueError, match="SHA-256 differs"):
        load_digits(folder)


def test_a_file_that_unpacks_to_gigabytes_is_not_unpacked(folder):
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(bytes(100_000_000), 1))
    tracemalloc.start()
    with pytest.raises(ValueError, match="it is longer"):
        load_digits(folder)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 10_000_000


@pytest.mark.parametrize("missing", [IMAGES, LABELS])
def test_a_missing_file_is_named(folder, missing):
    (folder / f"{missing}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=rf"must be a folder with MNIST's four files, or 'download'.* {missing} "):
        load_digits(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such place"):
        load_digits(tmp_path / "no such place")


@pytest.mark.parametrize("part", ["validation", None, "t10k"])
def test_a_part_that_mnist_does_not_have_is_refused(folder, part):
    with pytest.raises(ValueError, match=f"^part must be 'train' or 'test'; got {part!r}"):
        load_digits(folder, part)


# ---------------------------------------------------------------------- downloads, from a server on this machine

class Mirror:
    """A web server of a folder's files: where they lie, its address, and what was asked of it."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []
        mirror = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *args):
                if args[0].startswith('"'):
                    mirror.asked.append(self.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, kwargs=dict(poll_interval=0.01), daemon=True).start()


@pytest.fixture
def mirror(folder, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    mirror = Mirror(folder)
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache, elsewhere."""
    place = tmp_path / "cache"
    monkeypatch.setattr(pooch, "os_cache", lambda project: place / project)
    return place / "cardslib"


def test_a_download_is_verified_and_kept(mirror, cache):
    assert is_the_stand_in(load_digits("download", mirrors=[mirror.address]))
    assert sorted(path.name for path in cache.iterdir()) == [f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_the_second_time_no_network_is_needed(mirror, cache):
    load_digits("download", mirrors=[mirror.address])
    asked = len(mirror.asked)
    assert asked == 2 and is_the_stand_in(load_digits("download", mirrors=[mirror.address]))
    assert len(mirror.asked) == asked
    assert is_the_stand_in(load_digits("download", mirrors=[DEAD]))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_tampered_download_is_never_kept(mirror, cache, damage):
    (mirror.folder / f"{IMAGES}.gz").write_bytes(DAMAGE[damage][0](CONTENT[IMAGES]))
    with pytest.raises(OSError, match="could not be downloaded"):
        load_digits("download", mirrors=[mirror.address])
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("fault", ["dead", "without the file", "tampered"])
def test_the_second_mirror_is_used_where_the_first_fails(mirror, cache, tmp_path, fault):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if fault == "tampered":
        for name in CONTENT:
            (elsewhere / f"{name}.gz").write_bytes(gzip.compress(b"something else"))
    first = Mirror(elsewhere)
    try:
        address = DEAD if fault == "dead" else first.address
        assert is_the_stand_in(load_digits("download", mirrors=[address, mirror.address]))
    finally:
        first.server.shutdown()
        first.server.server_close()
    assert sorted(path.name for path in cache.iterdir()) == [f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_without_any_mirror_the_error_says_what_to_do(cache, folder):
    with pytest.raises(OSError, match=r"use load_digits\(\), or put the files into a folder and pass its path.*127.0.0.1:9"):
        load_digits("download", mirrors=[DEAD])
    assert list(cache.iterdir()) == []


def test_a_file_damaged_in_the_cache_is_refused_by_name(mirror, cache):
    load_digits("download", mirrors=[mirror.address])
    (cache / f"{IMAGES}.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(ValueError, match=f"cardslib/{IMAGES}.gz is not MNIST's .*delete it and get it again"):
        load_digits("download", mirrors=[mirror.address])
