"""Small files of the formats that microscopes write, made for tests of what opens them."""
import struct
from importlib import import_module

import numpy as np


def write_signal(path, values, axes, title="HAADF", **options):
    """`values` as a hspy, emd or msa file, by RosettaSciIO.

    axes  (offset, scale, unit, whether it was scanned) of each axis of the values
    """
    axes = [dict(size=length, index_in_array=number, name="tyx"[number - values.ndim], offset=float(offset), scale=float(scale),
                 units=unit, navigate=scanned, _type="UniformDataAxis", is_binned=False)
            for number, (length, (offset, scale, unit, scanned)) in enumerate(zip(values.shape, axes))]
    signal = dict(data=values, axes=axes, metadata=dict(General=dict(title=title), Signal=dict(signal_type="")),
                  attributes=dict(_lazy=False, ragged=False), original_metadata={}, learning_results={}, package_info={},
                  models={}, tmp_parameters={})
    import_module(f"rsciio.{path.suffix[1:]}").file_writer(str(path), signal, **options)
    return path


def gatan(values, version, axes):
    """The bytes of a small DM3 or DM4 file: a tree of tags, the way rsciio.digitalmicrograph reads it.

    axes  (offset, scale, unit) of each axis of the values
    """
    count, big = ("I", ">") if version == 3 else ("Q", ">")
    word = lambda number: struct.pack(big + count, number)                              # noqa: E731
    codes = {np.dtype("u2"): (4, 10), np.dtype("f4"): (6, 2)}                           # of a tag's type; of the image's

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
