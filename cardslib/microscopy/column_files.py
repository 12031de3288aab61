"""The columns found in an image as files for other programs: a table of text (CSV), and an image with markers for HyperSpy.

A table has a line for each column, below a header with units.  Lines in front of it, which begin with #, say how many columns
there are and what the scale of their image was.
"""
import csv
import importlib
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from cardslib.microscopy.atomic_columns import Columns
from cardslib.microscopy.file_checks import check_file
from cardslib.microscopy.image_scale import Scale

UNITS = dict(position="pixels", width="pixels", sd="pixels", period="pixels", amplitude="grey", noise="grey",
             residual="grey")    # of what has one; grey: from 0, black, to 1, white
MOST_BYTES = 2**28               # of a table: more than a million columns
TRUTH = {"True": True, "False": False}
TRUTHS = {"fitted"}     # of `Columns`: what is True or False, and not a number; an empty table does not show it
RING = dict(sizes=(6,), units="points", edgecolor="orange", facecolor="none")   # 6/72 inch across


def write_columns(path, columns, measured=None):
    """Write `Columns` as a table, a csv file; one of that name is replaced.

    measured  more of what is known of each column: {name: (n,) numbers, truths or words, or (n, 2) numbers along x and y}, such
              as {"displacement (pm)": …, "sublattice": …}.  Names differ in more than their units, and have no # or line break;
              nor have words

    pandas reads it by `read_csv(path, comment="#")`.
    """
    path, table = _checked_path(path, ".csv"), _table(columns, measured)
    cells = dict(_cells({_with_unit(name): values for name, values in table.items()}))
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# columns = {len(columns)}\n")
        file.writelines(f"# scale {_with_unit(name)} = {float(value)!r}\n" for name, value in asdict(columns.scale).items())
        writer = csv.writer(file)
        writer.writerow(cells)
        writer.writerows(zip(*(values.tolist() for values in cells.values())))


def read_columns(path):
    """The `Columns` of a table that `write_columns` wrote, the same to the last digit, without what was measured besides.

    Raises FileNotFoundError, or ValueError for a file that is truncated, damaged, or another table.
    """
    path = _checked_path(path, ".csv")
    check_file(path)
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} holds {path.stat().st_size:,} bytes; a table of columns must have at most {MOST_BYTES:,}")
    try:
        said, table = _parsed(path.read_text("utf-8"))
        scale = Scale(**{field.name: float(said[f"scale {field.name}"]) for field in fields(Scale)})
        columns = Columns(**{field.name: _values(table, field.name) for field in fields(Columns) if field.name != "scale"},
                          scale=scale)
    except KeyError as problem:
        raise ValueError(f"{path} must be a table that write_columns wrote; it holds no {problem}") from problem
    except ValueError as problem:   # no number, no text, lines that are too short
        raise ValueError(f"{path} is not a whole table of columns ({problem}): it may be truncated; copy it again") from problem
    if said.get("columns") != str(len(columns)):
        raise ValueError(f"{path} is not a whole table: it promises {said.get('columns')} columns and holds {len(columns)}; "
                         f"copy it again")
    return columns


def write_hyperspy(path, micrograph, columns, measured=None):
    """Write the first image of a `Micrograph` with its `Columns` as a hspy file; one of that name is replaced.

    HyperSpy 2 shows it with a ring about each column (`hyperspy.api.load(path).plot()`), and `metadata.Columns` of what it has
    loaded holds all that is known of them, by name; units are in `metadata.Columns.units`.

    measured  as in `write_columns`

    Needs RosettaSciIO: `pip install "cardslib[files]"`.
    """
    path, table = _checked_path(path, ".hspy"), _table(columns, measured)
    step, unit = (1.0, "px") if micrograph.pixel_size is None else (float(micrograph.pixel_size), "Å")
    axes = [dict(_type="UniformDataAxis", name=name, units=unit, scale=step, offset=0.0, size=size, navigate=False,
                 is_binned=False) for name, size in zip("yx", micrograph.image.shape)]
    rings = {"class": "Points", "name": "columns", "plot_on_signal": True, "offset_transform": "data", "transform": "display",
             "ScalarMappable_array": None, "kwargs": RING | {"offsets": np.asarray(columns.position) * step}}
    known = {name: np.asarray(values) for name, values in table.items()}
    known |= {"units": {name: UNITS[name] for name in known if name in UNITS}, "scale": asdict(columns.scale)}
    metadata = {"General": {"title": micrograph.name}, "Signal": {"signal_type": ""}, "Markers": {"columns": rings},
                "Columns": known}
    _write_signal(path, dict(data=micrograph.image, axes=axes, metadata=metadata))


def _write_signal(path, signal):
    """Write a signal as HyperSpy does, of which nothing was learnt and no model made."""
    try:
        file_writer = importlib.import_module("rsciio.hspy").file_writer
    except ImportError as problem:
        raise ImportError(f"hspy files are written by RosettaSciIO, and it or what it needs is not installed ({problem}): "
                          f"pip install \"cardslib[files]\"") from problem
    nothing = dict(original_metadata={}, learning_results={}, models=None, package_info={}, tmp_parameters={})
    file_writer(str(path), dict(signal, **nothing, attributes=dict(_lazy=False, ragged=False)), show_progressbar=False)


# ---------------------------------------------------------------------- what users pass

def _checked_path(path, suffix):
    """`path` as a Path, or a ValueError."""
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise ValueError(f"path must end with {suffix}; got {path.name!r}")
    return path


def _table(columns, measured):
    """All that is known of each column, {name: (n,) or (n, 2)}, or a ValueError."""
    if not isinstance(columns, Columns):
        raise ValueError(f"columns must be what find_columns gives; got {type(columns).__name__}")
    measured = measured or {}
    for name, values in measured.items():
        if np.shape(values) not in ((len(columns),), (len(columns), 2)):
            raise ValueError(f"measured[{name!r}] must have one row a column, ({len(columns)},) or ({len(columns)}, 2); "
                             f"got {np.shape(values)}")
        _check_words(name, np.asarray(values))
    _check_names(columns, measured)
    return columns.rows | measured


def _check_words(name, values):
    """A ValueError where the name of an entry, or a word in it, would end its line or begin a comment."""
    words = values.ravel().tolist() if values.dtype.kind not in "biuf" else []
    for word in map(str, [name, *words]):
        if "#" in word or len((word + ".").splitlines()) > 1:
            raise ValueError(f"measured[{name!r}] must have a name and words without # and line breaks, which a table cannot "
                             f"hold; got {word!r}: replace them")


def _check_names(columns, measured):
    """A ValueError where two would be read back under one name: along their axes, and without units."""
    taken = {"units", "scale", *columns.rows, *(name for name, _ in _cells(columns.rows))}
    for cell, _ in _cells(measured):
        name = _without_unit(cell)
        if name in taken:
            raise ValueError(f"measured must have names of its own; {name} is taken, whatever its unit: rename it")
        taken.add(name)


# ---------------------------------------------------------------------- text

def _with_unit(name):
    return f"{name} ({UNITS[name]})" if name in UNITS else name


def _without_unit(name):
    return name.split(" (")[0]


def _cells(table):
    """What is written in the table's lines, of {name: (n,) or (n, 2)}: [(name, values (n,))]."""
    return [cell for name, values in table.items() for cell in _along_axes(name, np.asarray(values))]


def _along_axes(name, values):
    """What is written in one place or in two: [(name, values (n,))], or the same along x and along y."""
    if values.ndim == 1:
        return [(name, values)]
    bare = _without_unit(name)
    return [(name.replace(bare, f"{bare}_{axis}", 1), values[:, number]) for number, axis in enumerate("xy")]


def _parsed(text):
    """What the lines in front say, {name: text}, and the table, {name: texts (n,)}; names without units."""
    lines = text.splitlines()
    said = dict(line.removeprefix("#").split("=", 1) for line in lines if line.startswith("#") and "=" in line)
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    short = [number for number, row in enumerate(rows, 1) if len(row) != len(header)]
    if short:
        raise ValueError(f"column {short[0]} has {len(rows[short[0] - 1])} parts and not {len(header)}")
    return ({_without_unit(name.strip()): value.strip() for name, value in said.items()},
            {_without_unit(name): [row[number] for row in rows] for number, name in enumerate(header)})


def _values(table, name):
    """What a table says of each column under a name, (n,) or (n, 2) along x and y."""
    if name not in table and f"{name}_x" in table:
        return np.stack([_values(table, f"{name}_{axis}") for axis in "xy"], 1)
    texts = table[name]
    if name in TRUTHS and set(texts) <= TRUTH.keys():
        return np.array([TRUTH[text] for text in texts], bool)
    return np.array(texts, float)
