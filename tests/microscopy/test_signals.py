"""What microscopes write: the format is found, of several images the measured one is taken, nothing in a file is ever run."""
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import foreign_files
import h5py
import numpy as np
import pytest

from cardslib.microscopy import open_image, signals
from cardslib.microscopy.micrographs import grey
from cardslib.microscopy.readers import IMAGE as WANTED
from cardslib.spectroscopy import open_spectra

IMAGE = np.random.default_rng(0).integers(0, 4000, (20, 30)).astype(np.uint16)
FLAT = (0, 0.02, "nm", False)
SCANNED = (0, 1.0, "nm", True)
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(autouse=True)
def hdf5_is_not_walked_through(monkeypatch):
    """That takes a process of its own and a quarter of a second each time: test_file_checks.py lets it."""
    monkeypatch.setattr(signals, "sizes_in_hdf5", lambda path: {})


def hspy(path, values=IMAGE, axes=(FLAT, FLAT), **options):
    return foreign_files.write_signal(path, values, axes, **options)


def with_more(path, *others):
    """The same HDF5 file with copies of its image under other titles, with other values."""
    with h5py.File(path, "r+") as file:
        experiments = file["Experiments"]
        for title, values in others:
            experiments.copy("HAADF", title)
            experiments[title]["metadata/General"].attrs["title"] = title
            del experiments[title]["data"]
            experiments[title].create_dataset("data", data=values, chunks=values.shape)
    return path


# ---------------------------------------------------------------------- formats

def test_one_ending_may_mean_several_formats(tmp_path):
    hspy(tmp_path / "a.hspy").rename(tmp_path / "hyperspy.h5")
    hspy(tmp_path / "a.emd").rename(tmp_path / "berkeley.h5")
    for name in ("hyperspy.h5", "berkeley.h5"):
        assert np.allclose(open_image(tmp_path / name).image, grey(IMAGE))


def test_where_no_format_fits_each_says_why(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["numbers"] = 1.0
    with pytest.raises(ValueError, match=r"a.h5 is not a whole .h5 file, .* \(.*EMD: .*HSPY: .*\): copy it again, or save"):
        open_image(tmp_path / "a.h5")


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
def test_hyperspys_zspy_is_opened_whether_folder_or_zip(tmp_path, as_zip):
    pytest.importorskip("zarr")
    path = foreign_files.write_zspy(tmp_path / "a.zspy", IMAGE, nanometres=0.02)
    opened = open_image(foreign_files.zipped(path) if as_zip else path)
    assert np.allclose(opened.image, grey(IMAGE)) and opened.pixel_size == pytest.approx(0.2)


def test_an_image_beside_x_ray_spectra_is_opened_or_needs_a_package(tmp_path, monkeypatch):
    path = foreign_files.write_velox(tmp_path / "a.emd", dict(HAADF=IMAGE), metres=2e-11)
    with monkeypatch.context() as without:
        without.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "sparse" else find_spec(name, *rest))
        for opens in (open_image, open_spectra):
            with pytest.raises(ImportError, match=r"a.emd: .*'sparse' .*: pip install \"cardslib\[files\]\""):
                opens(path)
    pytest.importorskip("sparse")
    opened = open_image(path)
    assert np.allclose(opened.image, grey(IMAGE)) and opened.pixel_size == pytest.approx(0.2)


def test_what_the_extra_installs_is_what_the_errors_say_it_does():
    extra = {re.match(r"[\w-]+", line)[0] for line in PROJECT["optional-dependencies"]["files"]}
    assert signals.INSTALLED - {"numcodecs"} == extra - {"rosettasciio"}               # zarr brings numcodecs


def test_a_package_that_the_extra_does_not_install_is_got_otherwise(tmp_path, monkeypatch):
    (tmp_path / "a.blo").write_bytes(bytes(500))
    monkeypatch.delitem(sys.modules, "rsciio.blockfile._api", raising=False)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match=r"a.blo: .*skimage.*: pip install \"rosettasciio\[all\]\""):
        open_image(tmp_path / "a.blo")


# ---------------------------------------------------------------------- one image of several

def test_of_several_the_one_that_is_measured_is_taken(tmp_path):
    path = with_more(hspy(tmp_path / "a.hspy"), ("Half transform", IMAGE * 1j), ("FFT of HAADF", IMAGE),
                     ("Thumbnail", IMAGE[:9, :9]))
    assert np.allclose(open_image(path).image, grey(IMAGE))
    assert open_image(path, dataset="Thumbnail").frames.shape == (1, 9, 9)


def test_where_two_are_measured_their_names_are_listed(tmp_path):
    path = with_more(hspy(tmp_path / "a.hspy"), ("BF", IMAGE[::-1]), ("FFT", IMAGE * 1j))
    with pytest.raises(ValueError, match="dataset must be one of those in .*a.hspy: 'BF', 'FFT', 'HAADF'; got None"):
        open_image(path)
    assert np.allclose(open_image(path, dataset="BF").image, grey(IMAGE[::-1]))


def test_an_image_beside_a_scan_of_patterns_is_taken(tmp_path):
    path = with_more(hspy(tmp_path / "a.hspy"))
    with h5py.File(path, "r+") as file, h5py.File(hspy(tmp_path / "b.hspy", np.ones((4, 4, 16, 18)), [SCANNED] * 2 + [FLAT] * 2,
                                                       title="patterns")) as patterns:
        patterns.copy("Experiments/patterns", file["Experiments"])
    assert np.allclose(open_image(path).image, grey(IMAGE))


# ---------------------------------------------------------------------- a pattern at each point of a scan

@pytest.mark.parametrize("suffix", ["npy", "hspy"])
def test_patterns_become_an_image_by_the_line_that_the_error_names(tmp_path, suffix, monkeypatch):
    patterns = np.random.default_rng(0).poisson(3, (9, 8, 17, 16)).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    np.save(path, patterns) if suffix == "npy" else hspy(path, patterns, [SCANNED] * 2 + [FLAT] * 2)
    with pytest.raises(ValueError, match="a pattern at each point: sum over a ring of the detector") as refused:
        open_image(path)
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-c", re.search("`(.*)`", str(refused.value))[1]], check=True)
    y, x = np.mgrid[-8:9, -8:8]
    assert np.allclose(open_image("virtual.npy").image, grey((patterns * (np.hypot(y, x) > 4)).sum((2, 3))))


# ---------------------------------------------------------------------- what cannot be read in parts

def test_an_array_that_hdf5_holds_in_one_piece_is_read(tmp_path):
    path = foreign_files.in_one_piece(hspy(tmp_path / "a.hspy"), IMAGE)
    assert np.allclose(open_image(path).image, grey(IMAGE))


def test_colours_are_refused_for_what_they_are(tmp_path):
    colours = np.zeros((20, 30), [(name, "u1") for name in "RGBA"])
    (tmp_path / "a.dm3").write_bytes(foreign_files.gatan(colours, 3, [(0, 1, "nm")] * 2))
    with pytest.raises(ValueError, match="must be grey; got a colour image: save one of its channels"):
        open_image(tmp_path / "a.dm3")


# ---------------------------------------------------------------------- damage, and what would be run

@pytest.mark.parametrize("place", [3, 7, 10, 11])                                     # a high byte of a length
def test_a_mrc_file_that_promises_too_much_is_refused_at_once(tmp_path, place):
    content = bytearray(foreign_files.mrc(IMAGE, 0.2))
    content[place] = 0x7F
    (tmp_path / "a.mrc").write_bytes(content)
    with pytest.raises(ValueError, match="a.mrc is not a whole .?mrc file"):
        open_image(tmp_path / "a.mrc")


def test_a_file_is_closed_again_and_one_that_was_open_stays_so(tmp_path):
    path = hspy(tmp_path / "a.hspy")
    with h5py.File(path) as file:
        open_image(path)
        assert file["Experiments/HAADF/data"].shape == IMAGE.shape
    for suffix in ("hspy", "emd"):
        open_image(hspy(tmp_path / f"b.{suffix}"))
        with h5py.File(tmp_path / f"b.{suffix}", "r+") as file:                         # to write to, which no other may read
            assert file


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
def test_pickles_in_a_zspy_are_never_unpacked(tmp_path, as_zip):
    path = foreign_files.write_zspy(tmp_path / "a.zspy", IMAGE, nanometres=1, filters=[dict(id="pickle")])
    with pytest.raises(ValueError, match="holds pickled Python objects, which are never opened: save the image with nu"):
        open_image(foreign_files.zipped(path) if as_zip else path)


def test_a_format_whose_reader_runs_text_of_the_file_is_never_opened(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"CDF\x01" + bytes(200))
    with pytest.raises(ValueError, match="a.nc is never opened: what reads .nc files runs text that is in them"):
        open_image(tmp_path / "a.nc")


def test_no_other_reader_of_these_formats_unpickles_or_evaluates():
    """Where a version of RosettaSciIO has more of it, that must be read before it is added here."""
    folder = Path(find_spec("rsciio").origin).parent
    runs = re.compile(r"(?<![\w.])(eval|exec)\(|pickle\.loads?\(|allow_pickle=True|Unpickler\(|\bdill\.")
    found = {path.parent.name for path in folder.glob("*/*.py") if path.parent.name != "tests"
             and runs.search(path.read_text("utf-8"))}
    assert found == {"netcdf",       # left out
                     "msa", "ripple",   # where they write
                     "pantarhei",    # only if asked to
                     "utils"}        # a method of that name


def test_every_format_of_rosettasciio_that_is_not_left_out_can_be_asked_for(tmp_path):
    from rsciio import IO_PLUGINS
    for plugin in IO_PLUGINS:
        for ending in {ending.lower() for ending in plugin["file_extensions"]}:
            if plugin["name"] not in signals.READ_ELSEWHERE | signals.RUNS_TEXT:
                assert plugin in signals._formats(tmp_path / f"a.{ending}")
    assert set(WANTED.options) <= {plugin["name"] for plugin in IO_PLUGINS}
