"""Columns in files: what is written is read again to the last digit, and other programs find what they expect."""
import csv
from pathlib import Path

import numpy as np
import pytest

from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.column_files import read_columns, write_columns, write_hyperspy
from cardslib.microscopy.crystals import single_crystal
from cardslib.microscopy.micrographs import Micrograph, open_image
from cardslib.microscopy.microscope import scan

MICROGRAPH = scan(single_crystal("NiO", 22), pixel_size=0.2)
COLUMNS = find_columns(MICROGRAPH.image)
N = len(COLUMNS)
MEASURED = {"displacement (pm)": np.where(np.arange(2 * N).reshape(N, 2) % 5, 1.5, np.nan), "sublattice": np.array(["A"] * N),
            "inner": np.arange(N) % 2 == 0}


@pytest.fixture
def table(tmp_path):
    write_columns(tmp_path / "columns.csv", COLUMNS, MEASURED)
    return tmp_path / "columns.csv"


def assert_same(columns, others):
    assert columns.scale == others.scale and columns.rows.keys() == others.rows.keys()
    for name, values in columns.rows.items():
        assert np.array_equal(values, others.rows[name], equal_nan=values.dtype.kind == "f"), name
        assert (values.dtype == bool) == (others.rows[name].dtype == bool), name


# ---------------------------------------------------------------------- tables

def test_what_is_written_is_read_again(table):
    assert_same(COLUMNS, read_columns(table))


def test_no_column_at_all_is_a_table_too(tmp_path):
    write_columns(tmp_path / "none.csv", COLUMNS[:0])
    assert len(read_columns(tmp_path / "none.csv")) == 0 and read_columns(tmp_path / "none.csv").position.shape == (0, 2)
    assert_same(COLUMNS[:0], read_columns(tmp_path / "none.csv"))


def test_one_of_the_columns_numbers_along_x_is_another_name(tmp_path):
    write_columns(tmp_path / "columns.csv", COLUMNS, {"width_x (nm)": np.zeros(N)})
    assert_same(COLUMNS, read_columns(tmp_path / "columns.csv"))


def test_the_header_has_units_and_every_line_is_one_column(table):
    lines = [line for line in table.read_text("utf-8").splitlines() if not line.startswith("#")]
    header, *rows = csv.reader(lines)
    assert {"position_x (pixels)", "position_y (pixels)", "amplitude (grey)", "width (pixels)"} <= set(header)
    assert {"displacement_x (pm)", "displacement_y (pm)", "sublattice", "inner"} <= set(header)
    assert len(rows) == N and {len(row) for row in rows} == {len(header)}
    assert float(rows[3][header.index("position_y (pixels)")]) == COLUMNS.position[3, 1]
    assert rows[3][header.index("inner")] == "False"


def test_numpy_reads_it(table):
    found = np.genfromtxt(table, delimiter=",", skip_header=4, names=True, dtype=None, encoding="utf-8")
    assert np.array_equal(found["position_x_pixels"], COLUMNS.position[:, 0]) and (found["sublattice"] == "A").all()


def test_an_old_table_is_replaced(table):
    write_columns(table, COLUMNS[:5])
    assert_same(COLUMNS[:5], read_columns(table))


def lines_changed(change):
    """A table with its lines changed."""
    return lambda path: path.write_text("\n".join(change(path.read_text("utf-8").splitlines())) + "\n", "utf-8")


@pytest.mark.parametrize("spoil, message", [
    (lambda path: path.write_bytes(path.read_bytes()[:-400]), "truncated"),
    (lines_changed(lambda lines: lines[:-2]), f"promises {N} columns and holds {N - 2}"),
    (lines_changed(lambda lines: lines[4:]), "holds no 'scale width'"),
    (lines_changed(lambda lines: [*lines[:4], lines[4].replace("width", "girth"), *lines[5:]]), "holds no 'width'"),
    (lines_changed(lambda lines: [line.replace("position_y", "place_y") for line in lines]), "holds no 'position_y'"),
    (lines_changed(lambda lines: [*lines[:-1], lines[-1].replace(".", "?")]), "not a whole table.*could not convert"),
    (lines_changed(lambda lines: lines[:4]), "not a whole table"),
    (lambda path: path.write_bytes(bytes(range(256)) * 10), "not a whole table"),
    (lambda path: path.write_text(""), "is empty"),
    (lambda path: path.write_text("x,y\n1,2\n"), "must be a table that write_columns wrote")])
def test_a_damaged_or_foreign_table_is_refused(table, spoil, message):
    spoil(table)
    with pytest.raises(ValueError, match=message):
        read_columns(table)


def test_a_table_that_is_not_there_is_missed(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_columns(tmp_path / "none.csv")


@pytest.mark.parametrize("write", [write_columns, lambda path, *rest: write_hyperspy(path, MICROGRAPH, *rest)])
@pytest.mark.parametrize("name, columns, measured, message", [
    ("columns.txt", COLUMNS, None, r"path must end with \.(csv|hspy); got 'columns.txt'"),
    (None, COLUMNS.position, None, "columns must be what find_columns gives; got ndarray"),
    (None, COLUMNS, {"strain": np.zeros(3)}, rf"measured\['strain'\] must have one row a column, \({N},\)"),
    (None, COLUMNS, {"width": COLUMNS.width}, "names of its own; width is taken"),
    (None, COLUMNS, {"units": COLUMNS.width}, "names of its own; units is taken"),
    (None, COLUMNS, {"position_x": np.zeros(N)}, "position_x is taken, whatever its unit"),
    (None, COLUMNS, {"sd_y (pm)": np.zeros(N)}, "sd_y is taken"),
    (None, COLUMNS, {"width (nm)": np.zeros(N)}, "width is taken"),
    (None, COLUMNS, {"position (nm)": np.zeros((N, 2))}, "position_x is taken"),
    (None, COLUMNS, {"shift": np.zeros((N, 2)), "shift_y (pm)": np.zeros(N)}, "shift_y is taken"),
    (None, COLUMNS, {"shift (nm)": np.zeros(N), "shift (pm)": np.zeros(N)}, "shift is taken"),
    (None, COLUMNS, {"kind": ["A"] * (N - 1) + ["B\n"]}, r"measured\['kind'\] must have .* line breaks.*got 'B\\n'"),
    (None, COLUMNS, {"kind": ["A#"] * N}, r"measured\['kind'\] must have a name and words without #.*got 'A#'"),
    (None, COLUMNS, {"#": np.zeros(N)}, r"measured\['#'\] must have a name")])
def test_what_cannot_be_written_is_refused_before_anything_is_written(tmp_path, write, name, columns, measured, message):
    path = tmp_path / (name or ("columns.csv" if write is write_columns else "columns.hspy"))
    with pytest.raises(ValueError, match=message):
        write(path, columns, measured)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------- HyperSpy

def contents(path):
    pytest.importorskip("rsciio")
    from rsciio.hspy import file_reader
    [signal] = file_reader(str(path))
    return signal


def test_hyperspys_file_has_the_image_with_a_ring_about_each_column(tmp_path):
    write_hyperspy(tmp_path / "columns.hspy", MICROGRAPH, COLUMNS)
    signal = contents(tmp_path / "columns.hspy")
    assert np.array_equal(signal["data"], MICROGRAPH.image)
    assert [(axis["name"], axis["scale"], axis["units"], axis["navigate"]) for axis in signal["axes"]] \
        == [("y", 0.2, "Å", False), ("x", 0.2, "Å", False)]
    rings = signal["metadata"]["Markers"]["columns"]
    assert rings["class"] == "Points" and rings["plot_on_signal"] and rings["offset_transform"] == "data"
    assert np.allclose(rings["kwargs"]["offsets"], 0.2 * COLUMNS.position)
    assert signal["metadata"]["General"]["title"] == MICROGRAPH.name


def test_and_all_that_is_known_of_them(tmp_path):
    write_hyperspy(tmp_path / "columns.hspy", MICROGRAPH, COLUMNS, MEASURED)
    known = contents(tmp_path / "columns.hspy")["metadata"]["Columns"]
    for name, values in (COLUMNS.rows | MEASURED).items():
        assert np.array_equal(known[name], values, equal_nan=values.dtype.kind == "f"), name
    assert known["units"]["position"] == "pixels" and known["scale"]["width"] == COLUMNS.scale.width


def test_it_is_opened_again_as_an_image(tmp_path):
    write_hyperspy(tmp_path / "columns.hspy", MICROGRAPH, COLUMNS)
    again = open_image(tmp_path / "columns.hspy")
    assert again.pixel_size == 0.2 and np.allclose(again.image, MICROGRAPH.image, atol=0.005)   # its grey scale anew


def test_without_a_pixel_size_the_axes_count_pixels(tmp_path):
    write_hyperspy(tmp_path / "columns.hspy", Micrograph(MICROGRAPH.frames), COLUMNS)
    signal = contents(tmp_path / "columns.hspy")
    assert {(axis["scale"], axis["units"]) for axis in signal["axes"]} == {(1.0, "px")}
    assert np.array_equal(signal["metadata"]["Markers"]["columns"]["kwargs"]["offsets"], COLUMNS.position)
    assert open_image(Path(tmp_path / "columns.hspy")).pixel_size is None
