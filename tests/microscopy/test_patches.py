"""Patches: the right pixels, and where they came from; the border; speed and memory."""
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.micrographs import Micrograph
from cardslib.microscopy.patches import column_patches, grid_patches, join

HEIGHT, WIDTH = 40, 60
FRAMES = np.random.default_rng(0).uniform(0, 1, (3, HEIGHT, WIDTH)).astype(np.float32)
MICROGRAPH = Micrograph(FRAMES, 0.15, "three frames")


def places(count, seed=0):
    return np.random.default_rng(seed).uniform(-0.4, 1, (count, 2)) * (WIDTH - 1, HEIGHT - 1) % (WIDTH - 1, HEIGHT - 1)


@given(st.integers(2, 20), st.integers(0, 2), st.integers(0, 100))
def test_a_patch_holds_the_pixels_about_its_column(size, frame, seed):
    position = places(30, seed)
    patches = column_patches(MICROGRAPH, position, size, frame)
    assert patches.images.dtype == np.float32 and patches.size == size
    for image, (x, y) in zip(patches.images, patches.corner):
        assert np.array_equal(image, FRAMES[frame, y:y + size, x:x + size])
    middle = patches.corner + (size - 1) / 2
    assert np.abs(patches.position - middle).max() <= 0.5 + 1e-12


@given(st.integers(2, 20), st.integers(0, 100))
def test_a_patch_remembers_its_column(size, seed):
    position = places(30, seed)
    patches = column_patches(MICROGRAPH, position, size, frame=1)
    assert np.array_equal(patches.position, position[patches.index])
    assert (patches.frame == 1).all() and (patches.source == 0).all() and patches.names == ("three frames",)
    assert np.allclose(patches.in_image(patches.offset), patches.position)
    assert np.abs(patches.offset).max() <= 1 / size + 1e-12


@given(st.integers(2, 20), st.integers(0, 100))
def test_at_the_border_columns_are_left_out_or_mirrored(size, seed):
    position = places(60, seed)
    inside, every = (column_patches(MICROGRAPH, position, size, border=border) for border in ("leave out", "mirror"))
    assert np.array_equal(every.index, np.arange(60)) and len(inside) <= 60
    assert np.array_equal(every.images[inside.index], inside.images)
    corner = np.round(position - (size - 1) / 2)
    whole = (corner >= 0).all(1) & (corner + size <= (WIDTH, HEIGHT)).all(1)
    assert np.array_equal(np.flatnonzero(whole), inside.index)


def test_beyond_the_border_stands_its_mirror_image():
    patch = column_patches(MICROGRAPH, [[0.0, 20.0]], 9, border="mirror").images[0]
    assert np.array_equal(patch[:, :4], FRAMES[0, 16:25, :4][:, ::-1])


@given(st.integers(2, 20), st.integers(1, 15))
def test_a_grid_covers_the_image_evenly(size, step):
    patches = grid_patches(MICROGRAPH, size, step, frame=2)
    x, y = np.unique(patches.corner[:, 0]), np.unique(patches.corner[:, 1])
    assert len(patches) == len(x) * len(y) and (patches.frame == 2).all()
    for starts, length in ((x, WIDTH), (y, HEIGHT)):
        assert (np.diff(starts) == step).all() and len(starts) == (length - size) // step + 1
        assert 0 <= (length - size - starts[-1]) - starts[0] <= 1
    assert np.array_equal(patches.corner, sorted(patches.corner.tolist(), key=lambda corner: corner[::-1]))
    assert np.array_equal(patches.position, patches.corner + (size - 1) / 2)
    for image, (left, top) in zip(patches.images[::7], patches.corner[::7]):
        assert np.array_equal(image, FRAMES[2, top:top + size, left:left + size])


def test_patches_of_several_images_are_joined():
    other = Micrograph(FRAMES[:1], name="another")
    parts = grid_patches(MICROGRAPH, 8, 8), grid_patches(other, 8, 8), grid_patches(MICROGRAPH, 8, 8, frame=1)
    together = join(*parts)
    assert together.names == ("three frames", "another") and len(together) == sum(map(len, parts))
    assert np.array_equal(np.array(together.names)[together.source],
                          np.repeat(["three frames", "another", "three frames"], list(map(len, parts))))
    assert np.array_equal(together.images, np.concatenate([part.images for part in parts]))
    assert join(together, parts[0]).names == together.names
    with pytest.raises(ValueError, match=r"must be of one size; got \[4, 8\]"):
        join(parts[0], grid_patches(other, 4, 8))


def test_patches_keep_the_counts_of_their_micrographs():
    bright = Micrograph(FRAMES, name="bright", gain=80.0, black_level=3.0)
    dim = Micrograph(FRAMES, name="dim", gain=5.0, black_level=-1.0)
    parts = [grid_patches(micrograph, 8, 8, frame=1) for micrograph in (bright, dim)]
    together = join(*parts)[::-3]
    for patch, (x, y), source in zip(together.counts, together.corner, together.source):
        assert np.array_equal(patch, (bright, dim)[source].counts[1, y:y + 8, x:x + 8])
    assert together.counts.dtype == np.float32 and together.counts.min() == 0          # where grey 0 is less than none


@given(st.floats(0.05, 1), st.floats(0, 0.5))
def test_a_standardised_patch_is_the_same_in_any_light(gain, background):
    """What was taken out has names, and nothing is lost."""
    dim = Micrograph(((1 - background) * gain * FRAMES + background).astype(np.float32))
    here, there = (grid_patches(micrograph, 9, 9) for micrograph in (MICROGRAPH, dim))
    assert there.standardised == pytest.approx(here.standardised, abs=1e-4) and there.standardised.dtype == np.float32
    assert there.standardised.mean((1, 2)) == pytest.approx(0, abs=1e-5)
    assert there.standardised.std((1, 2)) == pytest.approx(1, abs=1e-5)
    assert there.brightness == pytest.approx((1 - background) * gain * here.brightness + background, abs=1e-5)
    assert there.contrast == pytest.approx((1 - background) * gain * here.contrast, abs=1e-5)
    again = there.brightness[:, None, None] + there.contrast[:, None, None] * there.standardised
    assert again == pytest.approx(there.images, abs=1e-5)


def lattice(moved):
    """The `Micrograph` of a square lattice with a little noise, whose middle column is `moved` pixels to the right."""
    position = np.stack(np.meshgrid(np.arange(8, 96, 10.0), np.arange(8, 96, 10.0)), -1).reshape(-1, 2)
    position[40, 0] += moved
    y, x = np.mgrid[:96, :96]
    light = [0.5 * np.exp(-((x - at) ** 2 + (y - down) ** 2) / 8) for at, down in position]
    noise = np.random.default_rng(0).normal(0, 0.005, (96, 96))
    return Micrograph((0.1 + np.sum(light, 0) + noise)[None].astype(np.float32))


@given(st.floats(-1, 1))
@settings(max_examples=10)
def test_the_surroundings_of_a_column_do_not_know_where_it_stands(moved):
    micrograph, without = lattice(moved), lattice(1000)                                 # far outside: no column there
    columns = find_columns(micrograph.image)
    patches = column_patches(micrograph, columns.position, 16)
    around = patches.surroundings(columns)
    number = np.abs(patches.position - 48).sum(1).argmin()
    x, y = patches.corner[number]
    assert around.images[number] == pytest.approx(without.image[y:y + 16, x:x + 16], abs=0.03)
    assert patches.images[number].max() > 0.4 and around.images.dtype == np.float32
    assert np.array_equal(around.offset, patches.offset)


def test_a_long_column_is_taken_out_of_its_patch_as_well():
    """As astigmatism or a drifting scan makes them: taken for round ones, they leave a rest that moves with them."""
    y, x = np.indices((96, 96))
    dx, dy = ((axis % 24) - 11.8 for axis in (x, y))
    long = 0.1 + 0.6 * np.exp(-(0.65 * dx**2 - 0.5 * dx * dy + 1.35 * dy**2) / (2 * 2.5**2))
    micrograph = Micrograph(long[None].astype(np.float32))
    columns = find_columns(micrograph.image)
    around = column_patches(micrograph, columns.position, 16).surroundings(columns)
    assert np.abs(around.images - 0.1).max() < 0.05 and len(around[:0].surroundings(columns)) == 0


def test_surroundings_of_other_columns_are_refused():
    micrograph = lattice(0)
    columns = find_columns(micrograph.image)
    patches = column_patches(micrograph, columns.position, 16)
    assert np.array_equal(patches[::2].surroundings(columns).images, patches.surroundings(columns).images[::2])
    for others in (columns[:3], columns[::-1]):
        with pytest.raises(ValueError, match="columns must be those about which the patches were cut, all of them; got"):
            patches.surroundings(others)
    with pytest.raises(ValueError, match="columns must be Columns, from find_columns; got ndarray"):
        patches.surroundings(columns.position)


def test_an_empty_patch_has_no_standard_form():
    empty = FRAMES[:1].copy()
    empty[0, :10, :10] = 0.25
    patches = grid_patches(Micrograph(empty), 8, 8)
    with pytest.raises(ValueError, match="1 of 35 are empty, all grey 0.25: leave them out"):
        _ = patches.standardised
    assert patches[patches.contrast > 1e-6].standardised.shape == (len(patches) - 1, 8, 8)


def test_counts_of_patches_without_a_gain_are_refused_with_the_cure():
    known = grid_patches(Micrograph(FRAMES, name="known", gain=2.0), 8, 8)
    together = join(known, grid_patches(MICROGRAPH, 8, 8))
    assert together[:len(known)].counts.shape == (len(known), 8, 8)
    with pytest.raises(ValueError, match="the gain of three frames must be known .* measure_gain"):
        _ = together.counts


@pytest.mark.parametrize("position, message", [
    ([[70, 20]], r"position must lie in the image of 60×40 pixels; 1 of 1 do not, the first at \[70, 20\]: x comes first|70.0"),
    ([[20, 50]], "position must lie in the image"), ([1, 2], "position must be"), (np.zeros((3, 3)), "position must be"),
    ([[np.nan, 1]], "position must be"), ([[1, 1]], "no patch of size=8 about any of the 1 positions")])
def test_positions_that_make_no_patch_are_refused(position, message):
    with pytest.raises(ValueError, match=message):
        column_patches(MICROGRAPH, position, 8)


@pytest.mark.parametrize("wrong, message", [
    (dict(size=1), "size must be"), (dict(size=41), "size must be at most 40"), (dict(size=8.0), "size must be"),
    (dict(frame=3), "frame must be 0 to 2; got 3"), (dict(frame=-1), "frame must be"), (dict(border="wrap"), "border must be")])
def test_settings_that_make_no_patch_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        column_patches(MICROGRAPH, places(5), **{"size": 8, **wrong})


def test_an_array_in_place_of_a_micrograph_is_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"use Micrograph\(image\[None\]\)"):
        grid_patches(FRAMES[0], 8, 8)


def test_more_patches_than_memory_are_refused_before_it_is_taken():
    large = Micrograph(np.broadcast_to(np.float32(0.5), (1, 4096, 4096)))
    with pytest.raises(ValueError, match=r"would take 67.7 GB; at most 1.1 GB: use fewer, smaller ones, a larger step"):
        grid_patches(large, 32, 1)


@pytest.mark.parametrize("cut", [lambda image, position: column_patches(image, position, 32),
                                 lambda image, position: grid_patches(image, 32, 6)], ids=["columns", "grid"])
def test_a_hundred_thousand_patches_a_second(cut):
    image = Micrograph(np.random.default_rng(0).uniform(0, 1, (1, 1024, 1024)).astype(np.float32))
    position = np.random.default_rng(1).uniform(20, 1000, (20000, 2))
    cut(image, position[:10])
    seconds = []
    for _ in range(3):
        start = time.process_time()
        patches = cut(image, position)
        seconds.append(time.process_time() - start)
    assert len(patches) / min(seconds) > 100_000


PEAK = """
def peak():
    "The most memory that this process has held, bytes.  On Linux getrusage would also count its parent's, before it began."
    from pathlib import Path
    from resource import RUSAGE_SELF, getrusage
    from sys import platform
    if platform == "linux":
        return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if platform == "darwin" else 1024)
"""


def run_alone(program):
    """The whole numbers that a program prints, in a process of its own; it may ask for its `peak()`."""
    done = subprocess.run([sys.executable, "-c", PEAK + program], capture_output=True, text=True, check=True)
    return list(map(int, done.stdout.split()))


def test_a_peak_is_that_of_the_program_alone_and_not_of_the_tests_that_run_it():
    ballast = np.ones(5 * 10**7)
    [alone] = run_alone("print(peak())")
    [with_ballast] = run_alone("import numpy as np; ballast = np.ones(5 * 10**7); print(peak())")
    assert ballast.nbytes == 4e8 and alone < 1e8 and 4e8 < with_ballast < 5e8


def test_a_large_image_is_read_found_and_cut_in_less_than_a_gigabyte():
    columns, grid, most = run_alone("""
import numpy as np
from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.micrographs import Micrograph, grey
from cardslib.microscopy.patches import column_patches, grid_patches
y, x = np.indices((4096, 4096), np.float32)
image = grey(np.cos(x / 4) + np.cos(y / 4) + np.random.default_rng(0).normal(0, 0.3, (4096, 4096)).astype(np.float32))
del x, y
found = find_columns(image)
patches = column_patches(Micrograph(image[None]), found.position, 32), grid_patches(Micrograph(image[None]), 32, 16)
print(len(found), len(patches[1]), peak())
""")
    assert columns == pytest.approx((4096 / (8 * np.pi)) ** 2, rel=0.02) and grid == 255**2 and most < 1e9
