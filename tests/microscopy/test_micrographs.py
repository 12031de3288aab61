"""Micrographs: what is in a file becomes frames on one grey scale, or the error says what is wrong with it."""
import numpy as np
import pytest

from cardslib.microscopy.micrographs import Micrograph, grey, open_image

STACK = np.random.default_rng(0).integers(0, 4000, (3, 20, 30)).astype(np.uint16)
IMAGE = STACK[0]


def test_a_micrograph_is_as_long_as_it_has_frames():
    micrograph = Micrograph(np.zeros((3, 20, 30), np.float32))
    assert len(micrograph) == 3 and micrograph.image.shape == (20, 30)
    assert micrograph.pixel_size is micrograph.truth is None


# ---------------------------------------------------------------------- from numbers to frames

@pytest.mark.parametrize("values", [IMAGE, STACK, STACK[None], IMAGE[None, None], STACK[:, None]],
                         ids=["image", "stack", "one stack", "one frame of one", "an axis of length 1"])
def test_images_and_stacks_become_frames(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    frames = open_image(tmp_path / "a.npy").frames
    assert frames.dtype == np.float32 and np.array_equal(frames, grey(values).reshape(-1, 20, 30))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8", ">f4", "?"])
def test_numbers_of_every_dtype_are_read(tmp_path, dtype):
    values = (IMAGE % 100 > 50) if dtype == "?" else (IMAGE % 100).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    micrograph = open_image(tmp_path / "a.npy")
    assert micrograph.frames.min() == 0 and micrograph.frames.max() == 1
    assert np.corrcoef(micrograph.image.ravel(), values.ravel())[0, 1] > 0.999


def test_hot_and_dead_pixels_do_not_squeeze_the_others():
    image = np.random.default_rng(0).uniform(100, 200, (200, 200))
    image[3, 4], image[5, 6] = 1e6, -1e6
    assert grey(image).std() > 0.25 and grey(image).min() == 0 and grey(image).max() == 1


@pytest.mark.parametrize("middle, spread", [(1e6, 1e-3), (0, 1e300), (-1e9, 10)])
def test_numbers_beyond_single_precision_keep_their_differences(middle, spread):
    image = np.random.default_rng(0).uniform(-1, 1, (40, 40))
    assert np.allclose(grey(middle + spread * image), grey(image), atol=1e-3)


def test_large_whole_numbers_keep_their_differences():
    assert np.allclose(grey(IMAGE.astype(np.int64) + 2**40), grey(IMAGE))


# ---------------------------------------------------------------------- from grey values back to electrons

def test_a_micrograph_knows_its_counts_where_it_knows_the_gain():
    micrograph = Micrograph(np.array([[[0, 0.5], [0.25, 1]]], np.float32), gain=40.0, black_level=-5.0)
    assert np.array_equal(micrograph.counts, [[[0, 15], [5, 35]]]) and micrograph.counts.dtype == np.float32
    with pytest.raises(ValueError, match=r"the gain of a.tif must be known .* measure_gain\(micrograph\), or open_image"):
        _ = Micrograph(micrograph.frames, name="a.tif").counts


def test_a_gain_that_is_given_leads_back_to_the_values_of_the_file(tmp_path):
    np.save(tmp_path / "a.npy", STACK)
    micrograph = open_image(tmp_path / "a.npy", gain=0.25, dark=100)
    clipped = np.clip(STACK, *np.quantile(STACK, (1e-4, 1 - 1e-4)))                    # what the grey scale leaves out
    assert np.allclose(micrograph.counts, np.maximum(0.25 * (clipped - 100), 0), atol=1e-3)
    assert open_image(tmp_path / "a.npy").gain is None
    assert np.array_equal(open_image(tmp_path / "a.npy").frames, micrograph.frames)


@pytest.mark.parametrize("wrong", [dict(gain=0), dict(gain=-1.0), dict(gain=np.nan), dict(gain="1"), dict(dark=np.inf),
                                   dict(dark=None)])
def test_a_gain_that_is_none_is_refused(tmp_path, wrong):
    np.save(tmp_path / "a.npy", IMAGE)
    with pytest.raises(ValueError, match=f"{list(wrong)[0]} must be a finite number"):
        open_image(tmp_path / "a.npy", **wrong)


# ---------------------------------------------------------------------- what is refused

def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*nothing.tif"):
        open_image(tmp_path / "nothing.tif")
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        open_image(tmp_path)


VALUES = {   # what is in a file, and what the error says
    "one number": (np.array(3.0), r"must hold an image \(h, w\) or a stack"), "a row": (np.arange(50.0), "must hold an image"),
    "no pixel": (np.zeros((0, 30)), "it is empty"), "no frame": (np.zeros((0, 20, 30)), "it is empty"),
    "a few pixels": (np.eye(5), "at least 8×8"), "all the same": (np.full((20, 30), 7.0), "all pixels are 7"),
    "holes": (np.where(np.eye(20) == 1, np.nan, 1), "20 of 400 pixels are NaN"),
    "infinite": (np.where(np.eye(20) == 1, np.inf, 1), "infinite"),
    "complex": (IMAGE * 1j, "take the absolute value"), "text": (np.full((20, 30), "a"), "real numbers"),
    "many axes": (np.zeros((2, 2, 20, 30)), "must hold an image")}


@pytest.mark.parametrize("values, message", VALUES.values(), ids=VALUES)
def test_what_is_no_image_is_refused(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ValueError, match=message):
        open_image(tmp_path / "a.npy")


# ---------------------------------------------------------------------- masks

def test_what_is_under_a_mask_is_refused_and_a_mask_of_nothing_is_not():
    hidden = np.ma.masked_greater(IMAGE, 3900)
    for make in (grey, lambda values: Micrograph(values[None])):
        with pytest.raises(ValueError, match=r"must have no masked values; \d+ are: .*filled\("):
            make(hidden)
    assert np.array_equal(grey(np.ma.masked_greater(IMAGE, 4000)), grey(IMAGE))
    assert np.corrcoef(grey(hidden.filled(hidden.mean())).ravel(), IMAGE.ravel())[0, 1] > 0.8
