"""Handwritten digits: the small set inside scikit-learn, or the full MNIST, from disk or downloaded once and verified."""
import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
from sklearn import datasets

from cardslib.records import Record

# MNIST (LeCun, Cortes & Burges): file, SHA-256 of its *unpacked* content, shape.  Mirrors compress it differently; the
# content is what counts.
_IMAGES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
MNIST = {
    f"train-{_IMAGES}": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", (60000, 28, 28)),
    f"train-{_LABELS}": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", (60000,)),
    f"t10k-{_IMAGES}": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", (10000, 28, 28)),
    f"t10k-{_LABELS}": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", (10000,)),
}
MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")


@dataclass(frozen=True)
class Digits(Record):
    """Pictures of digits; index it (`digits[:10]`) to get fewer.

    images  (n, h, w) float32 in [0, 1], bright on dark
    label   (n,) int64: the digit
    """

    images: np.ndarray
    label: np.ndarray


def load_digits(mnist=None, part="train", mirrors=MIRRORS):
    """Handwritten digits, as `Digits`.

    mnist    None: the 1797 digits of 8×8 pixels inside scikit-learn; nothing is read or downloaded.
             A folder: MNIST's files in the idx format, with or without .gz.
             "download": MNIST, kept in the user's cache after the first time (pooch.os_cache("cardslib")).
    part     of MNIST: "train" (60,000) or "test" (10,000 of 28×28 pixels)
    mirrors  addresses to download from, tried in turn

    Every MNIST file is checked against the SHA-256 of the original before any of it is used; ValueError if one is
    truncated, damaged or something else, FileNotFoundError if it is not there, OSError if no mirror can be reached.
    """
    if mnist is None:
        images, label = datasets.load_digits(return_X_y=True)
        return Digits((images / 16).reshape(-1, 8, 8).astype(np.float32), label.astype(np.int64))   # (n, 64) → (n, 8, 8)
    if part not in ("train", "test"):
        raise ValueError(f"part must be 'train' or 'test'; got {part!r}")
    prefix = {"train": "train", "test": "t10k"}[part]
    names = f"{prefix}-{_IMAGES}", f"{prefix}-{_LABELS}"
    paths = [_downloaded(name, mirrors) if mnist == "download" else _on_disk(Path(mnist), name) for name in names]
    images, label = (_read(path, name) for path, name in zip(paths, names))
    return Digits(images.astype(np.float32) / 255, label.astype(np.int64))


def _on_disk(folder, name):
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"mnist={str(folder)!r} must be a folder with MNIST's four files, or 'download'; it has no "
                            f"{name} (nor {name}.gz)")


def _read(path, name):
    """The array in one MNIST file, after its content has been checked whole."""
    checksum, shape = MNIST[name]
    header = 4 + 4 * len(shape)   # idx: four magic bytes, then one big-endian number an axis
    size = header + int(np.prod(shape))
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read(size + 1)   # a file that unpacks to more than it should is not unpacked further
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise ValueError(f"{path} is not a whole gzip file ({problem}): delete it and get it again") from problem
    if len(content) != size or hashlib.sha256(content).hexdigest() != checksum:
        came = "it is longer" if len(content) > size else f"it has {len(content)} bytes, not {size}" if len(content) < size \
            else "its SHA-256 differs"
        raise ValueError(f"{path} is not MNIST's {name} ({came}): delete it and get it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _downloaded(name, mirrors):
    """Path of a verified file in the user's cache; what comes from a mirror gets its name only once it is verified."""
    kept = Path(pooch.os_cache("cardslib")) / f"{name}.gz"
    if kept.is_file():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    arriving = kept.with_name(f"{name}.{os.getpid()}.part.gz")
    problems = []
    for mirror in (mirrors,) if isinstance(mirrors, str) else mirrors:
        try:
            pooch.HTTPDownloader(timeout=60)(f"{mirror}{name}.gz", str(arriving), None)
            _read(arriving, name)
            os.replace(arriving, kept)
            return kept
        except (OSError, ValueError) as problem:   # requests' errors are OSErrors
            problems.append(f"{mirror}: {problem}")
        finally:
            arriving.unlink(missing_ok=True)
    raise OSError("MNIST could not be downloaded. Without a network use load_digits(), or put the files into a folder and "
                  "pass its path. " + "; ".join(problems))
