"""What is looked at before a file is read: is it there, how large, can HDF5 find its way through it."""
import time

import foreign_files
import numpy as np
import pytest

from cardslib.microscopy import file_checks, open_image, signals

IMAGE = np.random.default_rng(0).integers(0, 4000, (20, 30)).astype(np.uint16)


@pytest.fixture
def path(tmp_path):
    return foreign_files.write_signal(tmp_path / "a.hspy", IMAGE, [(0, 0.02, "nm", False)] * 2)


def test_a_sound_file_is_walked_through(path):
    sizes = file_checks.sizes_in_hdf5(path)
    assert sizes["Experiments/HAADF/data"] == [20, 30]


def test_its_size_is_looked_at_before_memory_is_taken(path, monkeypatch):
    foreign_files.in_one_piece(path, shape=(10**6, 10**6))                              # a few kilobytes
    with pytest.raises(ValueError, match="holds 1,000,000,000,000 pixels, .* crop or bin"):
        open_image(path)
    foreign_files.in_one_piece(path, IMAGE)
    monkeypatch.setattr(signals, "MOST_UNPARTED", 1000)
    with pytest.raises(ValueError, match="at most 1,000 are read of a file that cannot be read in parts"):
        open_image(path)


def test_a_damaged_file_in_which_hdf5_runs_in_circles_is_given_up(path, monkeypatch):
    monkeypatch.setattr(file_checks, "WALK_HDF5", "while True: pass")                  # as HDF5 does in one of 250 damaged ones
    monkeypatch.setattr(file_checks, "LONGEST_WALK", 0.2)
    start = time.perf_counter()
    with pytest.raises(ValueError, match="a.hspy is not a whole .hspy file .HDF5 finds no end in it.: copy it again"):
        open_image(path)
    assert time.perf_counter() - start < 10


def test_a_damaged_file_that_takes_hdf5_down_is_refused(path, monkeypatch):
    monkeypatch.setattr(file_checks, "WALK_HDF5", "import os; os.abort()")
    with pytest.raises(ValueError, match="a.hspy is not a whole .hspy file .HDF5 crashes on it.: .*copy it again"):
        open_image(path)
