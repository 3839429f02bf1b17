#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""convert_flax_dncnn.py IN.mpk OUT.safetensors: a DnCNN saved by flax (SCICO's dncnn17M.mpk, ...) as tessera's DnCNN.

Shows how foreign weights come in: name the layers as the target does, put the axes in its order, fold away what it does
not have. Here batch normalisation becomes a part of the kernels, and x - net(x) becomes x + net(x). Needs Python with
msgpack and numpy.

The network was trained with images that continue periodically; tessera's pads with zeros, so pixels near the border differ.
"""

import json
import struct
import sys

import msgpack
import numpy as np

EPSILON = 1e-5  # of flax's BatchNorm as SCICO sets it


def read(path):
    """Flax writes nested dictionaries; an array is an extension of type 1: (shape, dtype, bytes)."""

    def array(code, data):
        if code != 1:
            raise ValueError(f"{path}: extension {code} is not an array")
        shape, dtype, raw = msgpack.unpackb(data, raw=False)
        return np.frombuffer(raw, dtype=dtype).reshape(shape)

    with open(path, "rb") as file:
        return msgpack.unpackb(file.read(), ext_hook=array, raw=False)


def convert(stored):
    """Kernels (H, W, in, out) become (out, in, H, W); a normalisation scales its kernel and adds a bias."""
    parameters, statistics = stored["params"], stored["batch_stats"]
    weights = {}

    def add(name, kernel, bias):
        weights[name + ".weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), dtype="<f4")
        weights[name + ".bias"] = np.ascontiguousarray(bias, dtype="<f4")

    start = parameters["conv_start"]["kernel"]
    add("in_conv", start, np.zeros(start.shape[3]))
    blocks = sum(name.startswith("ConvBNBlock_") for name in parameters)
    for index in range(blocks):
        block, seen = parameters[f"ConvBNBlock_{index}"], statistics[f"ConvBNBlock_{index}"]["BatchNorm_0"]
        scale = block["BatchNorm_0"]["scale"] / np.sqrt(seen["var"] + EPSILON)
        add(f"conv_list.{index}", block["Conv_0"]["kernel"] * scale, block["BatchNorm_0"]["bias"] - seen["mean"] * scale)
    end = -parameters["conv_end"]["kernel"]
    add("out_conv", end, np.zeros(end.shape[3]))
    return weights


def write(path, weights):
    """A .safetensors file: the length of a JSON header, the header, the bytes of the tensors."""
    header, offset = {}, 0
    for name, array in weights.items():
        end = offset + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in weights.values():
            file.write(array.tobytes())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write(sys.argv[2], convert(read(sys.argv[1])))
