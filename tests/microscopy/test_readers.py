"""Files from strangers: grey images and stacks are opened as they are, with their pixel size; everything else is refused."""
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import foreign_files
import h5py
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from cardslib.microscopy import file_checks, signals
from cardslib.microscopy.micrographs import Micrograph, grey, open_image

REAL = Path(__file__).parents[3] / "shared" / "real"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the measured images are not at {REAL}")
STACK = np.random.default_rng(0).integers(0, 4000, (3, 20, 30)).astype(np.uint16)
IMAGE = STACK[0]
SUFFIXES = ["tif", "tiff", "png", "bmp", "gif", "pgm", "npy", "npz", "hspy", "hdf5", "h5", "emd", "dm3", "dm4", "mrc", "ser"]
OF_EIGHT_BITS = ["bmp", "gif", "pgm"]
OF_STACKS = ["tif", "npy", "npz", "hspy", "dm3", "dm4", "mrc", "ser"]


@pytest.fixture(autouse=True)
def hdf5_is_not_walked_through(monkeypatch):
    """That takes a process of its own and a quarter of a second each time: test_signals.py lets it."""
    monkeypatch.setattr(signals, "sizes_in_hdf5", lambda path: {})


# ---------------------------------------------------------------------- writing files of every format

def write(path, values, nanometres=None, **options):
    """`values` as a file of the format that the path's suffix says, with its pixel size where the format has one."""
    suffix = path.suffix[1:]
    if suffix in ("tif", "tiff", "png", *OF_EIGHT_BITS):
        frames = [Image.fromarray(frame) for frame in (values[None] if values.ndim == 2 else values)]
        if nanometres and suffix != "png":
            options["tiffinfo"] = TiffImagePlugin.ImageFileDirectory_v2()
            options["tiffinfo"][270] = "ImageJ=1.54f\nunit=nm\n"
            options["tiffinfo"][282] = options["tiffinfo"][283] = 1 / nanometres
        frames[0].save(path, **options, **(dict(save_all=True, append_images=frames[1:]) if len(frames) > 1 else {}))
    elif suffix == "npy":
        np.save(path, values)
    elif suffix == "npz":
        np.savez_compressed(path, image=values)
    elif suffix in ("dm3", "dm4"):
        path.write_bytes(gatan(values, int(suffix[2]), nanometres or 1))
    elif suffix == "mrc":
        path.write_bytes(foreign_files.mrc(values, 10 * (nanometres or 1)))
    elif suffix == "ser":
        path.write_bytes(foreign_files.ser(values, 1e-9 * (nanometres or 1)))
    else:
        axes = [(0, nanometres or 1, "nm" if nanometres else "", number < values.ndim - 2) for number in range(values.ndim)]
        hspy = path.with_suffix(".hspy") if suffix in ("h5", "hdf5") else path          # what HyperSpy called it before
        foreign_files.write_signal(hspy, values, axes, **options).rename(path)
    return path


def gatan(values, version, pixel_size, unit="nm"):
    return foreign_files.gatan(values, version, [(0, pixel_size, unit)] * values.ndim)


# ---------------------------------------------------------------------- what is opened

@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_of_every_format_is_opened(tmp_path, suffix):
    image = (IMAGE % 256).astype(np.uint8) if suffix in OF_EIGHT_BITS else IMAGE
    micrograph = open_image(write(tmp_path / f"image.{suffix}", image))
    assert isinstance(micrograph, Micrograph) and micrograph.frames.shape == (1, 20, 30) and len(micrograph) == 1
    assert micrograph.frames.dtype == np.float32 and micrograph.frames.min() == 0 and micrograph.frames.max() == 1
    assert np.allclose(micrograph.image, grey(image)) and micrograph.name == f"image.{suffix}" and micrograph.truth is None


@pytest.mark.parametrize("suffix", OF_STACKS)
def test_a_stack_keeps_all_its_frames_on_one_scale(tmp_path, suffix):
    micrograph = open_image(write(tmp_path / f"movie.{suffix}", STACK))
    assert micrograph.frames.shape == (3, 20, 30) and np.allclose(micrograph.frames, grey(STACK))


@pytest.mark.parametrize("suffix", ["tif", "hspy", "hdf5", "h5", "emd", "dm3", "dm4", "mrc", "ser"])
def test_the_pixel_size_is_kept_in_angstrom(tmp_path, suffix):
    path = write(tmp_path / f"image.{suffix}", IMAGE, nanometres=0.0125)
    assert open_image(path).pixel_size == pytest.approx(0.125, rel=1e-3)


@pytest.mark.parametrize("suffix", ["tif", "png", "npy", "npz", "hspy"])
def test_no_pixel_size_is_made_up(tmp_path, suffix):
    assert open_image(write(tmp_path / f"image.{suffix}", IMAGE)).pixel_size is None


@pytest.mark.parametrize("unit, size", [("nm", 10), ("micron", 1e4), ("\\u00B5m", 1e4), ("pm", 0.01), ("pixel", None)])
def test_units_are_understood_or_left_alone(tmp_path, unit, size):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[282] = f"ImageJ=1.54f\nunit={unit}\n", 4.0
    Image.fromarray(IMAGE).save(tmp_path / "a.tif", tiffinfo=tags)
    assert open_image(tmp_path / "a.tif").pixel_size == (None if size is None else pytest.approx(size / 4))


@pytest.mark.parametrize("unit, size", [("\u00b5m", 1e4), ("\u03bcm", 1e4), ("\u00c5", 1), ("\u212b", 1), ("1/nm", None)],
                         ids=["micro sign", "Greek mu", "A with a ring", "Angstrom sign", "no length"])
def test_letters_that_look_alike_mean_the_same_unit(tmp_path, unit, size):
    (tmp_path / "a.dm4").write_bytes(gatan(IMAGE, 4, 0.5, unit))
    assert open_image(tmp_path / "a.dm4").pixel_size == (None if size is None else pytest.approx(size / 2))


def test_the_pixel_size_of_a_stack_is_that_of_its_first_frame(tmp_path):
    frames = [Image.fromarray(frame) for frame in STACK]
    for number, frame in enumerate(frames[1:], 2):
        frame.encoderinfo = dict(tiffinfo=TiffImagePlugin.ImageFileDirectory_v2())
        frame.encoderinfo["tiffinfo"][270], frame.encoderinfo["tiffinfo"][282] = "ImageJ=1.54f\nunit=nm\n", 1 / number
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[282] = "ImageJ=1.54f\nunit=nm\n", 2.0
    frames[0].save(tmp_path / "a.tif", tiffinfo=tags, save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "a.tif").pixel_size == pytest.approx(5)


def test_a_pixel_that_is_no_square_has_no_size(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[282], tags[283] = "ImageJ=1.54f\nunit=nm\n", 2.0, 1.0
    Image.fromarray(IMAGE).save(tmp_path / "a.tif", tiffinfo=tags)
    assert open_image(tmp_path / "a.tif").pixel_size is None


def test_signed_bytes_keep_their_sign(tmp_path):
    values = np.random.default_rng(0).integers(-128, 128, (20, 30)).astype(np.int8)
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert np.corrcoef(open_image(tmp_path / "a.tif").image.ravel(), values.ravel())[0, 1] > 0.999


def test_a_stack_of_imagejs_has_as_many_frames_as_it_says_or_is_refused(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", STACK.astype(np.float32), imagej=True)
    whole = (tmp_path / "a.tif").read_bytes()
    assert len(open_image(tmp_path / "a.tif")) == len(STACK)
    (tmp_path / "b.tif").write_bytes(whole.replace(b"=%d" % len(STACK), b"=%d" % (len(STACK) + 4)))
    with pytest.raises(ValueError, match=f"promises {len(STACK) + 4} frames and holds {len(STACK)}|not a whole"):
        open_image(tmp_path / "b.tif")


def test_a_tif_without_the_mark_of_a_microscope_has_no_pixel_size(tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.tif", dpi=(300, 300))
    assert open_image(tmp_path / "a.tif").pixel_size is None


def test_gatans_own_tags_in_a_tif_are_read(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[65003], tags[65009] = "nm", 0.02
    tags.tagtype[65003], tags.tagtype[65009] = 2, 12
    Image.fromarray(IMAGE).save(tmp_path / "a.tif", tiffinfo=tags)
    assert open_image(tmp_path / "a.tif").pixel_size == pytest.approx(0.2)


@pytest.mark.parametrize("mode", ["L", "I;16", "F", "1", "LA", "RGB", "P"])
def test_grey_pictures_of_every_mode_are_read(tmp_path, mode):
    values = (IMAGE % 256).astype(np.uint8)
    picture = Image.fromarray(IMAGE) if mode == "I;16" else Image.fromarray(values).convert(mode)
    picture.save(tmp_path / "a.tif")
    assert open_image(tmp_path / "a.tif").frames.shape == (1, 20, 30)


def test_one_of_several_is_chosen_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", haadf=IMAGE, bf=STACK)
    assert len(open_image(tmp_path / "a.npz", dataset="bf")) == 3
    for dataset in (None, "df"):
        with pytest.raises(ValueError, match="dataset must be one of .*'haadf', 'bf'"):
            open_image(tmp_path / "a.npz", dataset=dataset)


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is empty: 0 bytes"):
        open_image(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_refused(tmp_path, suffix, share):
    image = np.tile(IMAGE, (5, 5))
    path = write(tmp_path / f"a.{suffix}", (image % 256).astype(np.uint8) if suffix in OF_EIGHT_BITS else image)
    content = path.read_bytes()
    path.write_bytes(content[:max(1, int(share * len(content)))])
    with pytest.raises(ValueError, match=r"a\.\w+ (is not|is truncated|must|holds)"):
        open_image(path)


@pytest.mark.parametrize("content", [b"<html>please log in</html>" * 40, bytes(range(256)) * 40,
                                     b"\x89PNG\r\n\x1a\n" + bytes(500), b"II*\x00" + bytes(500),
                                     b"PK\x03\x04" + bytes(500), b"\x93NUMPY\x01\x00" + bytes(500)])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_something_else_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.\w+ (is not|is truncated|must|holds)"):
        open_image(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.pickle", "a"])
def test_an_unknown_format_is_refused_with_the_cure(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(ValueError, match=r"must be a picture \(tif, png, jpg\), an array .* dm3, .*: save its values with nu"):
        open_image(tmp_path / name)


def test_a_picture_that_was_compressed_with_a_loss_is_read(tmp_path):
    image = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8) * 4
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95)
    assert np.allclose(open_image(tmp_path / "a.jpg").image, grey(image), atol=0.03)


def test_a_tif_of_other_numbers_than_pillow_reads_is_opened_or_needs_a_package(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    path.write_bytes(foreign_files.tif_of_64_bits(IMAGE.astype(float)))
    for name in [name for name in sys.modules if name.startswith("rsciio.tiff")]:
        monkeypatch.delitem(sys.modules, name)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tifffile", None)
        with pytest.raises(ImportError, match=r"a.tif: what .* needs .*tifffile.*: pip install \"cardslib\[files\]\""):
            open_image(path)
    pytest.importorskip("tifffile")
    assert np.allclose(open_image(path).image, grey(IMAGE))


@pytest.mark.parametrize("unit", [b"\xb5m", "µm".encode()])
def test_a_micrometre_in_either_encoding_is_one(tmp_path, unit):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[65003], tags[65009] = unit, 0.02
    tags.tagtype[65003], tags.tagtype[65009] = 7, 12                                    # bytes; a double
    Image.fromarray(IMAGE).save(tmp_path / "a.tif", tiffinfo=tags)
    assert open_image(tmp_path / "a.tif").pixel_size == pytest.approx(200)


@pytest.mark.parametrize("suffix", ["tif", "png", "npy"])
def test_colour_is_refused(tmp_path, suffix):
    colour = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    path = tmp_path / f"a.{suffix}"
    np.save(path, colour) if suffix == "npy" else Image.fromarray(colour).save(path)
    with pytest.raises(ValueError, match="must be grey; got a colour"):
        open_image(path)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickled_objects_are_refused_and_never_unpacked(tmp_path, suffix):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / f"a.{suffix}"
    with open(path, "wb") as file:
        (np.save if suffix == "npy" else np.savez)(file, np.array([Trap(), None], object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds pickled Python objects, which are never opened"):
        open_image(path)
    assert not (tmp_path / "sprung").exists()


def test_a_promise_of_too_many_pixels_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, dict(shape=(10**6, 10**6), fortran_order=False, descr="<f8"))
    (tmp_path / "a.npy").write_bytes(header.getvalue() + bytes(100))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("image.npy", header.getvalue())
    for suffix in ("npy", "npz"):
        with pytest.raises(ValueError, match="holds 1,000,000,000,000 pixels, .* at most 268,435,456 are opened: crop or bin"):
            open_image(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("suffix", ["tif", "png", "hspy", "dm4", "mrc", "ser"])
def test_the_size_is_looked_at_before_the_pixels_in_every_format(tmp_path, suffix, monkeypatch):
    path = write(tmp_path / f"a.{suffix}", IMAGE)
    monkeypatch.setattr(file_checks, "MOST_FILE_PIXELS", 500)
    monkeypatch.setattr(np, "stack", lambda *_: pytest.fail("pixels were read"))
    with pytest.raises(ValueError, match="holds 600 pixels"):
        open_image(path)


def test_spectra_are_no_image(tmp_path):
    path = write(tmp_path / "a.hspy", IMAGE)
    with h5py.File(path, "r+") as file:
        file["Experiments/HAADF/axis-0"].attrs["navigate"] = True
    with pytest.raises(ValueError, match=r"holds no image, only \(20, 30\): .*open_spectra opens spectra"):
        open_image(path)


@pytest.mark.parametrize("suffix", ["dm3", "dm4", "hspy", "emd"])
def test_without_the_reader_the_error_says_what_to_install(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"anything")
    for name in [name for name in sys.modules if name.startswith("rsciio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rsciio", None)
    with pytest.raises(ImportError, match=r'pip install "cardslib\[files\]"'):
        open_image(path)


def test_reading_ordinary_pictures_needs_no_optional_package():
    program = "import sys; from cardslib.microscopy import open_image; sys.exit(bool({'rsciio', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# ---------------------------------------------------------------------- measured files

@real
def test_a_measured_film_in_hyperspys_format():
    micrograph = open_image(REAL / "pto_sro_haadf.hspy")
    assert micrograph.frames.shape == (1, 224, 1312) and micrograph.pixel_size == pytest.approx(0.15, rel=0.01)


@real
def test_a_measured_grain_boundary_and_a_spectrum_line():
    assert open_image(REAL / "graphene_grain_boundary_4nm.npy").frames.shape == (1, 512, 512)
    with pytest.raises(ValueError, match="holds no image"):
        open_image(REAL / "lsmo_eels_linescan.hspy")
