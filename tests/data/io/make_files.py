# SPDX-License-Identifier: BSD-3-Clause
"""Writes the files in this folder: what other programs write and the readers must understand.

Needs numpy, torch and Pillow; the files are committed, so tests do not need it. Values follow formulas that
the tests know: sample (y, x, c) of an image is (29 y + 13 x + 71 c) mod 256, or (2099 y + 1237 x + 4001 c)
mod 65536 for 16 bits; element n of an array is n; tensors of weights count up from their own start.
"""

import io
import struct
import zlib
from collections import OrderedDict

import numpy as np
import torch
from PIL import Image

HEIGHT, WIDTH = 5, 7


def samples(channels, dtype=np.uint8, height=HEIGHT, width=WIDTH):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    wide = 2099 * y + 1237 * x + 4001 * c
    narrow = 29 * y + 13 * x + 71 * c
    return (wide % 65536 if dtype == np.uint16 else narrow % 256).astype(dtype)


def png(name, colour_type, data, bits, interlace=0, extra=b"", rows=None):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = data.shape[:2]
    if rows is None:
        big = data.astype(">u2") if data.dtype == np.uint16 else data
        rows = b"".join(b"\0" + big[y].tobytes() for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlace)
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
                   + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
    return chunk


def adam7(data):
    rows = b""
    for y0, x0, dy, dx in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]:
        part = data[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return rows


def write_pngs():
    png("grey8.png", 0, samples(1), 8)
    png("grey16.png", 0, samples(1, np.uint16), 16)
    png("grey_alpha8.png", 4, samples(2), 8)
    png("rgb8.png", 2, samples(3), 8)
    png("rgb16.png", 2, samples(3, np.uint16), 16)
    png("rgba16.png", 6, samples(4, np.uint16), 16)
    png("interlaced.png", 2, samples(3), 8, interlace=1, rows=adam7(samples(3)))
    # Palette: index n has the colour of pixel (0, n).
    colours = samples(3, height=1, width=16)[0]

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    index = np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))
    extra = chunk(b"PLTE", colours.tobytes()) + chunk(b"tRNS", bytes(range(16)))
    png("palette.png", 3, index, 8, extra=extra)
    bits = (np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) % 2).astype(np.uint8)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    png("grey1.png", 0, bits, 1, rows=rows)
    # 2^30 x 2^30 pixels declared in a hundred bytes.
    png("bomb.png", 2, samples(3), 8)
    data = bytearray(open("bomb.png", "rb").read())
    data[16:24] = struct.pack(">II", 2**30, 2**30)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    open("bomb.png", "wb").write(bytes(data))


def smooth(height=40, width=56):
    """Sample (y, x, c) is 40 + 2 y + 1.5 x + 20 c: survives JPEG."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return (40 + 2 * y + 1.5 * x + 20 * c).astype(np.uint8)


def write_jpegs():
    image = Image.fromarray(smooth())
    image.save("smooth.jpg", quality=95, subsampling=0)
    image.save("progressive.jpg", quality=95, subsampling=2, progressive=True)
    image.convert("CMYK").save("cmyk.jpg")
    Image.fromarray(smooth()[:, :, 0]).save("grey.jpg", quality=95)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(f"orientation{orientation}.jpg", quality=95, subsampling=0, exif=exif)


def tiff(name, data, order="<", tile=None, planar=False, compression=1, rows_per_strip=2, tags=(), big=False,
         photometric=None):
    """A minimal TIFF writer: strips or tiles, chunky or planar, stored (1) or deflated (8)."""
    height, width, channels = data.shape
    data = data.astype(data.dtype.newbyteorder(order))
    planes = [data[:, :, c : c + 1] for c in range(channels)] if planar else [data]
    blocks = []
    for plane in planes:
        if tile is None:
            blocks += [plane[y : y + rows_per_strip] for y in range(0, height, rows_per_strip)]
        else:
            padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, plane.shape[2]), data.dtype)
            padded[:height, :width] = plane
            blocks += [padded[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]
    blocks = [block.tobytes() if compression == 1 else zlib.compress(block.tobytes()) for block in blocks]
    if photometric is None:
        photometric = 2 if channels >= 3 else 1
    kind = 3 if data.dtype.kind == "f" else 1
    entries = {256: (4, [width]), 257: (4, [height]), 258: (3, [8 * data.itemsize] * channels), 259: (3, [compression]),
               262: (3, [photometric]), 277: (3, [channels]), 284: (3, [2 if planar else 1]), 339: (3, [kind] * channels)}
    if channels in (2, 4):
        entries[338] = (3, [2])
    wide = 16 if big else 4
    offsets_tag, counts_tag = (324, 325) if tile else (273, 279)
    if tile:
        entries[322], entries[323] = (4, [tile]), (4, [tile])
    else:
        entries[278] = (4, [rows_per_strip])
    entries.update(dict(tags))
    position = 16 if big else 8
    offsets = []
    for block in blocks:
        offsets.append(position)
        position += len(block)
    entries[offsets_tag] = (wide, offsets)
    entries[counts_tag] = (wide, [len(block) for block in blocks])
    body = b"".join(blocks)
    codes = {3: "H", 4: "I", 16: "Q"}
    position += position % 2
    body = body.ljust(position - (16 if big else 8), b"\0")
    inline = 8 if big else 4
    entry_size = 20 if big else 12
    directory_size = (8 if big else 2) + entry_size * len(entries) + inline
    overflow, directory = b"", struct.pack(order + ("Q" if big else "H"), len(entries))
    for tag, (code, values) in sorted(entries.items()):
        packed = struct.pack(order + codes[code] * len(values), *values)
        directory += struct.pack(order + ("HHQ" if big else "HHI"), tag, code, len(values))
        if len(packed) <= inline:
            directory += packed.ljust(inline, b"\0")
        else:
            directory += struct.pack(order + ("Q" if big else "I"), position + directory_size + len(overflow))
            overflow += packed
    directory += bytes(inline)
    mark = b"II" if order == "<" else b"MM"
    if big:
        header = mark + struct.pack(order + "HHHQ", 43, 8, 0, position)
    else:
        header = mark + struct.pack(order + "HI", 42, position)
    with open(name, "wb") as file:
        file.write(header + body + directory + overflow)


def write_tiffs():
    tiff("strips8.tif", samples(3))
    tiff("strips16_big_endian.tif", samples(3, np.uint16), order=">")
    tiff("tiles8.tif", samples(3, height=20, width=37), tile=16, compression=8)
    tiff("tiles_planar16.tif", samples(3, np.uint16, height=20, width=37), tile=16, planar=True)
    tiff("planar_float.tif", samples(3, np.uint16).astype(np.float32) / 1000 - 7, planar=True, compression=8)
    tiff("grey_float.tif", samples(1, np.uint16).astype(np.float32) / 1000 - 7, rows_per_strip=100)
    tiff("rgba8.tif", samples(4))
    tiff("grey_alpha16.tif", samples(2, np.uint16))
    tiff("bigtiff8.tif", samples(3), big=True)
    tiff("white_is_zero.tif", samples(1), photometric=0)
    tiff("turned.tif", samples(3), tags=[(274, (3, [6]))])
    colours = samples(3, np.uint16, height=1, width=256)[0]
    index = np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1))[:, :, None]
    tiff("palette.tif", index, photometric=3, tags=[(320, (3, colours.T.ravel().tolist()))])
    Image.fromarray(samples(3)).save("lzw.tif", compression="tiff_lzw")
    Image.fromarray(samples(3)).save("packbits.tif", compression="packbits")
    Image.fromarray(smooth()).save("jpeg.tif", compression="jpeg", quality=95)


def write_arrays():
    for code in ["<f2", "<f4", ">f4", "<f8", "<c8", ">c16", "|u1", "|i1", "<i2", "<i4", "<i8", ">i8"]:
        order = {"<": "little", ">": "big", "|": "byte"}[code[0]]
        np.save(f"{code[1:]}_{order}.npy", np.arange(24).reshape(2, 3, 4).astype(code))
    np.save("b1_byte.npy", np.arange(24).reshape(2, 3, 4) % 3 == 1)
    np.save("fortran.npy", np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)))
    np.save("scalar.npy", np.array(3.5))
    np.save("empty.npy", np.zeros((2, 0, 3), np.float32))
    np.save("structured.npy", np.zeros(3, dtype=[("a", "<f4"), ("b", "<i4")]))
    np.save("objects.npy", np.array([{}, None], dtype=object), allow_pickle=True)
    for version in (2, 3):
        with open(f"version{version}.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(24.0).reshape(2, 3, 4), version=(version, 0))


def count(start, *shape, dtype=torch.float32):
    number = int(np.prod(shape))
    return torch.arange(start, start + number).to(dtype).reshape(shape)


def state_dict():
    base = count(40, 10, dtype=torch.float64)
    result = OrderedDict()
    result["layer.weight"] = count(1, 2, 3, 4)
    result["layer.bias"] = count(2, 6, dtype=torch.float16)
    result["steps"] = torch.tensor(7)
    result["mask"] = torch.tensor([True, False, True])
    result["brain"] = count(3, 4, dtype=torch.bfloat16)
    result["transposed"] = count(5, 3, 4).t()
    result["part"] = base[2:6]
    result["whole"] = base
    result._metadata = OrderedDict([("", {"version": 1})])
    return result


def write_weights():
    weights = state_dict()
    torch.save(weights, "zip.pth")
    torch.save(weights, "protocol4.pth", pickle_protocol=4)
    torch.save(weights, "legacy.pth", _use_new_zipfile_serialization=False)
    wrapped = {"state_dict": weights, "epoch": 3, "rate": 1e-3, "args": None, "ok": True,
               "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "groups": [1, (2, -3), 2**70]}}
    torch.save(wrapped, "wrapped.pth")
    torch.save({"params": {"w": count(1, 2)}, "params_ema": {"w": count(10, 2)}}, "two.pth")
    torch.save({"w": count(1, 2), "epoch": 3}, "mixed.pth")
    torch.save({"w": torch.nn.Parameter(count(1, 2))}, "parameter.pth")
    torch.save(torch.nn.Linear(3, 2), "module.pth")
    torch.save({"w": count(1, 1).expand(1000)}, "expanded.pth")

    class Evil:
        def __reduce__(self):
            import os
            return os.system, ("touch tessera_must_not_exist",)

    torch.save({"w": Evil()}, "evil.pth")


if __name__ == "__main__":
    write_pngs()
    write_jpegs()
    write_tiffs()
    write_arrays()
    write_weights()
