"""Spectra: the record, and files of strangers that become one, or are refused with a reason."""
import sys
from pathlib import Path

import foreign_files
import h5py
import numpy as np
import pytest

from cardslib.microscopy import file_checks, signals
from cardslib.spectroscopy import SpectrumImage, nio_lsmo_spectra, open_spectra

REAL = Path(__file__).parents[3] / "shared" / "real"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the measured spectra are not at {REAL}")
MAP = np.random.default_rng(0).poisson(20, (5, 6, 50)).astype(np.float32)
LINE, SPECTRUM = MAP[0], MAP[0, 0]
SUFFIXES = ["dm3", "dm4", "hspy", "emd", "msa", "npy", "npz"]
OF_MAPS = ["dm3", "dm4", "hspy", "emd", "npy", "npz"]


@pytest.fixture(autouse=True)
def hdf5_is_not_walked_through(monkeypatch):
    """That takes a process of its own and a quarter of a second each time: microscopy/test_signals.py lets it."""
    monkeypatch.setattr(signals, "sizes_in_hdf5", lambda path: {})


def write(path, values, energy=(500, 0.5, "eV"), pixel=(0, 0.4, "nm")):
    """Spectra (…, channels) as a file of the format that the path's suffix says, and what `open_spectra` must be told of it."""
    suffix, scanned = path.suffix[1:], values.ndim - 1
    if suffix in ("npy", "npz"):
        np.save(path, values) if suffix == "npy" else np.savez_compressed(path, counts=values)
        return dict(path=path, energy=energy[:2])
    if suffix in ("dm3", "dm4"):
        stored, axes = (np.moveaxis(values, -1, 0), [energy] + [pixel] * scanned)       # Gatan's first axis of a map: energy
        if scanned < 2:
            stored, axes = values, [pixel] * scanned + [energy]
        path.write_bytes(foreign_files.gatan(np.ascontiguousarray(stored), int(suffix[2]), axes))
    else:
        foreign_files.write_signal(path, values, [(*pixel, True)] * scanned + [(*energy, False)], title="EELS")
    return dict(path=path)


# ---------------------------------------------------------------------- the record

def test_a_record_is_cut_between_two_energies_and_its_truth_with_it():
    whole = nio_lsmo_spectra((16, 16), 400, pillars=1)
    part = whole.crop(600, 699.5)
    assert np.array_equal(part.energy, np.arange(600, 700)) and np.array_equal(part.counts, whole.counts[..., 100:200])
    assert part.shape == (16, 16) and part.spectra.shape == (256, 100) and part.dispersion == 1
    assert np.array_equal(part.truth.spectra, whole.truth.spectra[:, 100:200])
    assert np.array_equal(part.truth.expected, whole.truth.expected[..., 100:200])
    assert part.truth.drift is whole.truth.drift and part.truth.names == whole.truth.names


def test_spectra_of_a_file_are_cut_too():
    part = SpectrumImage(MAP, 500 + 0.5 * np.arange(50)).crop(510, 515)
    assert part.counts.shape == (5, 6, 11) and part.truth is None and part.dispersion == 0.5


@pytest.mark.parametrize("low, high", [(700, 600), (100, 200), (600, 600.4), (2000, 3000)])
def test_a_cut_with_no_spectrum_left_is_refused(low, high):
    with pytest.raises(ValueError, match=r"low … high must hold at least two of the channels, 500 … 524.5 eV by 0.5 eV"):
        SpectrumImage(MAP, 500 + 0.5 * np.arange(50)).crop(low, high)


@pytest.mark.parametrize("low, high, name", [(np.nan, 600, "low"), (500, "600", "high"), (None, 600, "low")])
def test_limits_must_be_numbers(low, high, name):
    with pytest.raises(ValueError, match=f"{name} must be a finite number"):
        SpectrumImage(MAP, 500 + 0.5 * np.arange(50)).crop(low, high)


# ---------------------------------------------------------------------- what is opened

@pytest.mark.parametrize("suffix", OF_MAPS)
def test_a_map_of_every_format_is_opened(tmp_path, suffix):
    opened = open_spectra(**write(tmp_path / f"map.{suffix}", MAP))
    assert isinstance(opened, SpectrumImage) and opened.shape == (5, 6) and opened.name == f"map.{suffix}"
    assert opened.counts.dtype == np.float32 and np.array_equal(opened.counts, MAP) and opened.truth is None
    assert np.allclose(opened.energy, 500 + 0.5 * np.arange(50)) and opened.dispersion == pytest.approx(0.5)


@pytest.mark.parametrize("suffix", OF_MAPS)
def test_a_line_scan_is_one_row(tmp_path, suffix):
    opened = open_spectra(**write(tmp_path / f"line.{suffix}", LINE))
    assert opened.shape == (1, 6) and np.array_equal(opened.spectra, LINE)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_single_spectrum_is_one_pixel(tmp_path, suffix):
    opened = open_spectra(**write(tmp_path / f"one.{suffix}", SPECTRUM))
    assert opened.shape == (1, 1) and np.array_equal(opened.spectra[0], SPECTRUM) and opened.pixel_size is None
    assert np.allclose(opened.energy, 500 + 0.5 * np.arange(50))


@pytest.mark.parametrize("values", [MAP, LINE], ids=["map", "line"])
@pytest.mark.parametrize("suffix", ["dm3", "dm4", "hspy", "emd"])
def test_the_pixel_size_is_kept_in_angstrom(tmp_path, suffix, values):
    assert open_spectra(**write(tmp_path / f"a.{suffix}", values)).pixel_size == pytest.approx(4)
    assert open_spectra(**write(tmp_path / f"b.{suffix}", values, pixel=(0, 2, "s"))).pixel_size is None


@pytest.mark.parametrize("first, step, unit", [(0.5, 0.0005, "keV"), (500, 0.5, "eV"), (5e5, 500, "meV"), (0.5, 0.0005, "KeV")])
def test_energies_are_in_electron_volts_whatever_the_file_has(tmp_path, first, step, unit):
    opened = open_spectra(**write(tmp_path / "a.hspy", MAP, (first, step, unit)))
    assert np.allclose(opened.energy, 500 + 0.5 * np.arange(50))


def test_falling_energies_are_turned_round_with_their_channels(tmp_path):
    opened = open_spectra(**write(tmp_path / "a.hspy", MAP, (524.5, -0.5, "eV")))
    assert np.allclose(opened.energy, 500 + 0.5 * np.arange(50)) and np.array_equal(opened.counts, MAP[..., ::-1])


def test_the_caller_knows_better_than_the_file(tmp_path):
    write(tmp_path / "a.hspy", MAP, (0, 1, ""))
    with pytest.raises(ValueError, match=r"energy must be given as \(first, step\) in eV: .*a.hspy does not say it"):
        open_spectra(tmp_path / "a.hspy")
    assert open_spectra(tmp_path / "a.hspy", energy=(400, 0.2)).energy[[0, -1]] == pytest.approx([400, 409.8])


def test_an_energy_axis_need_not_be_the_last(tmp_path):
    foreign_files.write_signal(tmp_path / "a.hspy", np.moveaxis(MAP, -1, 0),
                               [(500, 0.5, "eV", True), (0, 1, "nm", False), (0, 1, "nm", False)])     # images at energies
    assert np.array_equal(open_spectra(tmp_path / "a.hspy").counts, MAP)


def test_energies_written_one_by_one_are_read_where_they_are_even(tmp_path):
    for name, energies in (("even", np.linspace(500, 600, 50)), ("uneven", np.geomspace(500, 600, 50))):
        write(tmp_path / f"{name}.hspy", MAP)
        with h5py.File(tmp_path / f"{name}.hspy", "r+") as file:
            axis = file["Experiments/EELS/axis-2"]
            del axis.attrs["offset"], axis.attrs["scale"]
            axis.attrs["_type"], axis["axis"] = "DataAxis", energies
    assert np.allclose(open_spectra(tmp_path / "even.hspy").energy, np.linspace(500, 600, 50))
    with pytest.raises(ValueError, match="uneven.hspy must hold energies that rise or fall in even steps; got steps of"):
        open_spectra(tmp_path / "uneven.hspy")


def test_negative_counts_are_kept(tmp_path):
    assert np.array_equal(open_spectra(**write(tmp_path / "a.npy", MAP - 30)).counts, MAP - 30)


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "f8", ">f4"])
def test_numbers_of_every_dtype_are_read(tmp_path, dtype):
    assert np.array_equal(open_spectra(**write(tmp_path / "a.npy", MAP.astype(dtype))).counts, MAP)


def test_one_of_several_is_chosen_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", low=MAP, high=2 * MAP)
    assert np.array_equal(open_spectra(tmp_path / "a.npz", "high", energy=(0, 1)).counts, 2 * MAP)
    for dataset in (None, "none"):
        with pytest.raises(ValueError, match="dataset must be one of .*'low', 'high'"):
            open_spectra(tmp_path / "a.npz", dataset, energy=(0, 1))


def test_the_spectra_are_found_among_images(tmp_path):
    write(tmp_path / "a.hspy", MAP)
    foreign_files.write_signal(tmp_path / "b.hspy", MAP[..., 0], [(0, 1, "nm", False)] * 2, title="survey")
    with h5py.File(tmp_path / "a.hspy", "r+") as file, h5py.File(tmp_path / "b.hspy") as other:
        other.copy("Experiments/survey", file["Experiments"])
    assert np.array_equal(open_spectra(tmp_path / "a.hspy").counts, MAP)


# ---------------------------------------------------------------------- what is refused

def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*nothing.dm3"):
        open_spectra(tmp_path / "nothing.dm3")
    with pytest.raises(FileNotFoundError, match="it is a folder"):
        open_spectra(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_refused(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty: 0 bytes"):
        open_spectra(tmp_path / f"a.{suffix}", energy=(0, 1))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_refused(tmp_path, suffix, share):
    path = tmp_path / f"a.{suffix}"
    write(path, np.tile(SPECTRUM, 20) if suffix == "msa" else np.tile(MAP, (4, 4, 1)))
    content = path.read_bytes()
    path.write_bytes(content[:int(share * len(content))])
    with pytest.raises(ValueError, match=r"a\.\w+ (is not|is truncated|must|holds)"):
        open_spectra(path, energy=(0, 1))


@pytest.mark.parametrize("content", [b"<html>please log in</html>" * 40, bytes(range(256)) * 40, b"PK\x03\x04" + bytes(500),
                                     b"\x93NUMPY\x01\x00" + bytes(500), b"#ENDOFDATA", b"#SPECTRUM :\n1, 2, x\n#ENDOFDATA"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_something_else_is_refused(tmp_path, suffix, content):
    (tmp_path / f"a.{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.\w+ (is not|is truncated|must|holds)"):
        open_spectra(tmp_path / f"a.{suffix}", energy=(0, 1))


def test_a_text_that_lacks_a_value_is_refused(tmp_path):
    path = write(tmp_path / "a.msa", SPECTRUM)["path"]
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-5] + lines[-4:]))
    with pytest.raises(ValueError, match="a.msa is not a whole msa file: it promises 50.* values and holds 49"):
        open_spectra(path)


@pytest.mark.parametrize("place", range(60, 200, 7))
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_damaged_byte_is_refused_or_harmless(tmp_path, suffix, place):
    told = write(tmp_path / f"a.{suffix}", MAP)
    content = bytearray(told["path"].read_bytes())
    content[place] ^= 0xFF
    told["path"].write_bytes(content)
    try:
        assert open_spectra(**told).shape == (5, 6)
    except ValueError as problem:
        assert str(told["path"]) in str(problem)


@pytest.mark.parametrize("name, message", [("a.tif", "must hold spectra, .*; got a picture: .*open_image opens images"),
                                           ("a.mp4", "must be .* dm3, .*; got .mp4: .*numpy.save"), ("a", "got no suffix")])
def test_an_unknown_format_is_refused_with_the_cure(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(ValueError, match=message):
        open_spectra(tmp_path / name)


@pytest.mark.parametrize("suffix", ["dm3", "dm4", "hspy"])
def test_an_image_is_refused_with_the_cure(tmp_path, suffix):
    path, image = tmp_path / f"a.{suffix}", MAP[..., 0]
    if suffix == "hspy":
        foreign_files.write_signal(path, image, [(0, 1, "nm", False)] * 2)
    else:
        path.write_bytes(foreign_files.gatan(image.copy(), int(suffix[2]), [(0, 1, "nm")] * 2))
    with pytest.raises(ValueError, match=r"holds no spectra, only \(5, 6\): .*open_image opens images"):
        open_spectra(path)


def test_arrays_need_their_energies(tmp_path):
    np.save(tmp_path / "a.npy", MAP)
    with pytest.raises(ValueError, match=r"energy must be given as \(first, step\) in eV: .*a.npy does not say it"):
        open_spectra(tmp_path / "a.npy")


@pytest.mark.parametrize("energy", [500, (500,), (500, 0.5, 1), "eV", (500, 0), (500, -1), (np.nan, 1), ("a", "b"), (0, None)])
def test_energies_that_make_no_sense_are_refused_before_the_file_is_looked_at(energy):
    with pytest.raises(ValueError, match="energy"):
        open_spectra("nowhere.npy", energy=energy)


VALUES = {   # what is in a file, and what the error says
    "one number": (np.array(3.0), r"must hold spectra \(…, channels\)"), "few channels": (MAP[..., :4], "at least 8 channels"),
    "nothing": (np.zeros((0, 30)), "it is empty"), "many axes": (np.zeros((2, 3, 4, 50)), "must hold one map, line or"),
    "all the same": (np.full((4, 30), 7.0), "all values are 7"), "holes": (np.where(MAP == 20, np.nan, MAP), "values are NaN"),
    "too large": (MAP.astype(float) * 1e38, "beyond single precision"), "complex": (MAP * 1j, "must hold real numbers"),
    "text": (np.full((20, 30), "a"), "must hold real numbers"), "true or false": (MAP > 20, "must hold real numbers")}


@pytest.mark.parametrize("values, message", VALUES.values(), ids=VALUES)
def test_values_that_are_no_spectra_are_refused(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ValueError, match=message):
        open_spectra(tmp_path / "a.npy", energy=(0, 1))


def test_pickled_objects_are_refused_and_never_unpacked(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([Trap()] * 20, object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds pickled Python objects, which are never opened"):
        open_spectra(tmp_path / "a.npy", energy=(0, 1))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_size_is_looked_at_before_memory_is_taken(tmp_path, suffix, monkeypatch):
    told = write(tmp_path / f"a.{suffix}", SPECTRUM if suffix == "msa" else MAP)
    monkeypatch.setattr(file_checks, "MOST_FILE_PIXELS", 40)
    monkeypatch.setattr(signals, "MOST_TEXT", 40)
    with pytest.raises(ValueError, match="at most 40"):
        open_spectra(**told)


@pytest.mark.parametrize("scale, message", [(None, "energy must be given"), ("wide", "energy must be given"),
                                            (np.nan, "in even steps"), (0.0, "in even steps")])
def test_an_energy_axis_that_makes_no_sense_is_refused_with_the_cure(tmp_path, scale, message):
    write(tmp_path / "a.hspy", MAP)
    with h5py.File(tmp_path / "a.hspy", "r+") as file:
        attributes = file["Experiments/EELS/axis-2"].attrs
        del attributes["scale"]
        if scale is not None:
            attributes["scale"] = scale
    with pytest.raises(ValueError, match=message):
        open_spectra(tmp_path / "a.hspy")


def test_without_the_reader_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path / "a.msa", SPECTRUM)["path"]
    for name in [name for name in sys.modules if name.startswith("rsciio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rsciio", None)
    with pytest.raises(ImportError, match=r'pip install "cardslib\[files\]"'):
        open_spectra(path)


# ---------------------------------------------------------------------- measured spectra

@real
def test_a_measured_line_scan():
    line = open_spectra(REAL / "lsmo_eels_linescan.hspy")
    assert line.shape == (1, 40) and line.counts.shape == (1, 40, 586) and line.pixel_size == pytest.approx(32.2, abs=0.1)
    assert line.energy[[0, -1]] == pytest.approx([428.5, 721]) and line.dispersion == pytest.approx(0.5)


@real
def test_a_measured_image_is_refused():
    with pytest.raises(ValueError, match=r"holds no spectra, only \(224, 1312\): .*open_image"):
        open_spectra(REAL / "pto_sro_haadf.hspy")
