"""Tensors of a safetensors file as flat lists, for tests that run without NumPy."""
import json
import pathlib
import struct

CODES = {"F16": "e", "F32": "f", "F64": "d", "I64": "q"}


def load(path):
    data = pathlib.Path(path).read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = struct.iter_unpack("<" + CODES[entry["dtype"]], data[8 + size + begin:8 + size + end])
        tensors[name] = [value for value, in values]
    return tensors
