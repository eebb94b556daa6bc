"""Prints every tensor of a safetensors file as `name dtype [shape] sha256`, in the order of the names.

    python3 hash_safetensors.py FILE.safetensors > FILE.txt
"""
import hashlib
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    for name in sorted(header):
        tensor = header[name]
        begin, end = tensor["data_offsets"]
        file.seek(8 + length + begin)
        digest = hashlib.sha256(file.read(end - begin)).hexdigest()
        shape = ", ".join(str(size) for size in tensor["shape"])
        print(f"{name} {tensor['dtype']} [{shape}] {digest}")
