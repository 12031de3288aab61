"""Numbers on their way to the page: arrays in one block of bytes, and how many images a small page can hold."""
import zlib

import numpy as np

IMAGE_BYTES = 40_000   # that the images of the data may take, packed: a tenth of a page of half a megabyte
SAMPLE = 50            # images that are packed to see how well all of them can be


def pack(arrays):
    """{name: array} → ({name: [type, shape, first byte]}, all of them in one deflated block of bytes)."""
    index, block = {}, b""
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        index[name] = [str(array.dtype), list(array.shape), len(block)]
        block += array.tobytes() + b"\0" * (-array.nbytes % 4)   # a typed array begins at a multiple of its item's size
    return index, min((_deflated(block, strategy) for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)), key=len)


def _deflated(block, strategy):
    """Bytes as small as deflate makes them: by the default strategy where they repeat, filtered where they are noise."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return deflate.compress(block) + deflate.flush()


def as_bytes(images):
    """Grey values as bytes: black 0, white 1, and what is beyond as black or white."""
    return (np.clip(images, 0, 1) * 255 + 0.5).astype(np.uint8)


def affordable(images, budget):
    """How many of the images (n, …) may go to the page if they may take `budget` bytes, packed: at least 1."""
    sample = as_bytes(images[evenly(len(images), SAMPLE)])
    return max(1, min(len(images), int(budget / (len(zlib.compress(sample.tobytes())) / len(sample)))))


def evenly(count, most):
    """Indices of at most `most` of `count` things, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
