"""Small files of the formats that microscopes write, made for tests of what opens them."""
import json
import struct
import zipfile
from importlib import import_module

import h5py
import numpy as np


def write_signal(path, values, axes, title="HAADF", **options):
    """`values` as a hspy, emd or msa file, by RosettaSciIO.

    axes  (offset, scale, unit, whether it was scanned) of each axis of the values
    """
    axes = [dict(size=length, index_in_array=number, name="vtyx"[number - values.ndim], offset=float(offset),
                 scale=float(scale), units=unit, navigate=scanned, _type="UniformDataAxis", is_binned=False)
            for number, (length, (offset, scale, unit, scanned)) in enumerate(zip(values.shape, axes))]
    signal = dict(data=values, axes=axes, metadata=dict(General=dict(title=title), Signal=dict(signal_type="")),
                  attributes=dict(_lazy=False, ragged=False), original_metadata={}, learning_results={}, package_info={},
                  models={}, tmp_parameters={})
    import_module(f"rsciio.{path.suffix[1:]}").file_writer(str(path), signal, **options)
    return path


def in_one_piece(path, values=None, shape=None):
    """The same hspy file with its image not in chunks; of values that nobody wrote where a shape is given."""
    with h5py.File(path, "r+") as file:
        del file["Experiments/HAADF/data"]
        file.create_dataset("Experiments/HAADF/data", shape, "u2", values)
    return path


def gatan(values, version, axes):
    """The bytes of a small DM3 or DM4 file: a tree of tags, the way rsciio.digitalmicrograph reads it.

    values  whole numbers of 16 bits, floats of 32, or four bytes a pixel of the fields R, G, B, A
    axes    (offset, scale, unit) of each axis of the values
    """
    count, big = ("I", ">") if version == 3 else ("Q", ">")
    word = lambda number: struct.pack(big + count, number)                              # noqa: E731
    colours = np.dtype([(name, "u1") for name in "RGBA"])
    codes = {np.dtype("u2"): (4, 10), np.dtype("f4"): (6, 2), colours: (5, 23)}         # of a tag's type; of the image's

    def entry(name, body, sort):
        size = word(len(body)) if version == 4 else b""
        return bytes([sort]) + struct.pack(">H", len(name)) + name.encode() + size + body

    def simple(name, code, form, value):
        return entry(name, b"%%%%" + word(1) + word(code) + struct.pack("<" + form, value), 21)

    def array(name, code, numbers):
        return entry(name, b"%%%%" + word(3) + word(20) + word(code) + word(numbers.size) + numbers.tobytes(), 21)

    def group(name, *entries):
        return entry(name, b"\x01\x00" + word(len(entries)) + b"".join(entries), 20)

    code, of_image = codes[values.dtype]

    def text(letters):
        return np.array([ord(letter) for letter in letters], "<u2")

    dimensions = [group("", simple("Origin", 6, "f", -offset / scale), simple("Scale", 6, "f", scale),
                        array("Units", 4, text(unit))) for offset, scale, unit in axes[::-1]]
    calibration = group("Calibrations", group("Brightness", simple("Origin", 6, "f", 0), simple("Scale", 6, "f", 1)),
                        group("Dimension", *dimensions))
    data = group("ImageData", calibration, array("Data", code, values), simple("DataType", 5, "I", of_image),
                 group("Dimensions", *[simple("", 5, "I", length) for length in values.shape[::-1]]),
                 simple("PixelDepth", 5, "I", values.itemsize))
    image = group("", data, array("Name", 4, text("HAADF")), group("ImageTags"), group("UniqueID"))
    entries = [group("DocumentObjectList"), group("ImageList", image), group("ImageSourceList")]
    root = b"\x01\x00" + word(len(entries)) + b"".join(entries)
    return struct.pack(">I", version) + word(len(root) + 8) + struct.pack(">I", 1) + root + bytes(8)


def mrc(values, angstrom):
    """The bytes of a MRC file of an image or stack (MRC2014; Cheng et al., J. Struct. Biol. 192, 146, 2015)."""
    stack = values if values.ndim == 3 else values[None]
    mode = {np.dtype("i2"): 1, np.dtype("f4"): 2, np.dtype("u2"): 6}[values.dtype]
    header = np.zeros(256, "<i4")
    header[0:3] = header[7:10] = stack.shape[::-1]                                      # columns, rows, sections; samples
    header[3] = mode
    header.view("<f4")[10:13] = angstrom * np.array(stack.shape[::-1])                  # edges of the cell
    return header.tobytes() + stack.tobytes()


def tif_of_64_bits(values):
    """The bytes of a TIFF file of floats of 64 bits, in one strip (TIFF 6.0, section 2)."""
    height, width = values.shape
    tags = {256: width, 257: height, 258: 64, 259: 1, 262: 1, 273: 8 + 2 + 10 * 12 + 4, 277: 1, 278: height,
            279: values.nbytes, 339: 3}                                                 # 273: where the strip starts; 3: floats
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + values.astype("<f8").tobytes()


def ser(values, metres):
    """The bytes of a SER file of FEI's TIA, of an image or stack of 16 bits: elements, each with its own calibration."""
    stack = values if values.ndim == 3 else values[None]
    count, (height, width) = len(stack), stack.shape[1:]
    dimension = struct.pack("<IddIII", count, 0, 1, 0, 0, 0)                            # size, offset, step, element, no names
    start = 30 + len(dimension)
    first = start + 8 * count                                                           # after the places of data and tags
    calibration = struct.pack("<ddI", 0, metres, 0)
    elements = [2 * calibration + struct.pack("<HII", 2, width, height) + frame[::-1].tobytes() for frame in stack]   # 2: u2
    places = first + len(elements[0]) * np.arange(count)
    header = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, count, count, start, 1)
    ends = np.full(count, places[-1] + len(elements[-1]))
    tags = count * struct.pack("<HHI", 0x4152, 0, 0)
    return header + dimension + places.astype("<u4").tobytes() + ends.astype("<u4").tobytes() + b"".join(elements) + tags


def write_zspy(path, values, nanometres, title="HAADF", filters=None):
    """An image as HyperSpy's zspy: a folder of zarr's second format, one chunk an array, not compressed."""
    signal = path / "Experiments" / title
    axes = {f"axis-{number}": dict(_type="UniformDataAxis", name=name, scale=nanometres, offset=0.0, size=length, units="nm",
                                   navigate=False, is_binned=False)
            for number, (name, length) in enumerate(zip("yx", values.shape))}
    groups = {path: dict(file_format="ZSpy", file_format_version="3.4"), path / "Experiments": {},
              signal: dict(package="hyperspy", package_version="2"), signal / "metadata": {},
              signal / "metadata" / "General": dict(title=title), signal / "original_metadata": {},
              **{signal / name: axis for name, axis in axes.items()}}
    for folder, attributes in groups.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    data = signal / "data"
    data.mkdir()
    (data / ".zarray").write_text(json.dumps(dict(
        zarr_format=2, shape=values.shape, chunks=values.shape, dtype=values.dtype.str, compressor=None, fill_value=0,
        order="C", filters=filters)))
    (data / ".".join("0" * values.ndim)).write_bytes(values.tobytes())
    return path


def zipped(folder):
    """A folder as a zip file of the same ending beside it."""
    path = folder.with_stem(f"{folder.stem}_zipped")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    return path


def write_velox(path, images, metres):
    """Images by name as an EMD file of FEI's Velox, with the groups of X-ray spectra beside them, which are left empty."""
    def text(content):
        return np.array([json.dumps(content).encode()])

    with h5py.File(path, "w") as file:
        file["Version"] = text(dict(format="Velox", version="10"))
        for number, (name, values) in enumerate(images.items()):
            place = f"Data/Image/{number:032x}"
            file.create_dataset(f"{place}/Data", data=values[..., None], chunks=(*values.shape, 1))
            told = dict(BinaryResult=dict(Detector=name, PixelSize=dict(width=metres, height=metres), PixelUnitX="m"), Scan={},
                        Acquisition={}, CustomProperties={}, Detectors={})
            file[f"{place}/Metadata"] = np.frombuffer(json.dumps(told).encode().ljust(1000, b"\0"), "u1")[:, None]
            file[f"Presentation/Displays/ImageDisplay/{number}"] = text(dict(dataPath=f"/{place}", display=dict(label=name)))
        for group in ("Operations/ImageQuantificationOperation", "Data/SpectrumImage/0", "Data/SpectrumStream/0"):
            file.create_group(group)
    return path
