# SPDX-License-Identifier: BSD-3-Clause
"""Writes the stacks, FITS images and HDF5 arrays of this folder: what other programs write and the readers must understand.

Needs numpy, tifffile, astropy and h5py; the files are committed, so tests do not need it. Element n of an array is n,
complex ones are n - 1i n, unless said otherwise.
"""

import sys

import numpy as np


def count(*shape, dtype=np.float64):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def write_stacks():
    import tifffile

    plain = {"metadata": None, "software": None}
    for code in ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]:
        tifffile.imwrite(f"stack_{code}.tif", count(3, 4, 5, dtype=code), photometric="minisblack", **plain)
    tifffile.imwrite("stack_big.tif", count(3, 4, 5, dtype=">u2"), bigtiff=True, byteorder=">", photometric="minisblack", **plain)
    tifffile.imwrite("stack_tiles.tif", count(2, 20, 37, dtype="u2"), tile=(16, 16), compression="deflate",
                     photometric="minisblack", **plain)
    # (planes, rows, columns, samples)
    tifffile.imwrite("stack_rgb.tif", count(2, 4, 5, 3, dtype="u1"), photometric="rgb", **plain)
    tifffile.imwrite("stack_planar.tif", count(2, 3, 4, 5, dtype="u1"), photometric="rgb", planarconfig="separate", **plain)
    # ImageJ has frames, planes, channels; values are those of (T, Z, C, Y, X).
    tifffile.imwrite("stack_imagej.tif", count(2, 3, 2, 4, 5, dtype="u2"), imagej=True, resolution=(4.0, 2.0),
                     metadata={"axes": "TZCYX", "spacing": 0.75, "unit": "um"}, software=None)
    size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 0.75}
    for axes, shape in [("TCZYX", (2, 2, 3, 4, 5)), ("CTZYX", (2, 2, 3, 4, 5)), ("ZCTYX", (3, 2, 2, 4, 5))]:
        tifffile.imwrite(f"stack_ome_{axes[:3].lower()}.tif", count(*shape, dtype="u2"), ome=True, photometric="minisblack",
                         metadata={"axes": axes, **size}, software=None)
    with tifffile.TiffWriter("stack_differs.tif") as file:
        for code in ["u1", "u1", "u2"]:
            file.write(count(4, 5, dtype=code), photometric="minisblack", **plain)


def write_fits():
    from astropy.io import fits

    for code in ["u1", "i2", "i4", "i8", "f4", "f8"]:
        fits.PrimaryHDU(count(3, 4, dtype=code)).writeto(f"image_{code}.fits", overwrite=True)
    fits.PrimaryHDU(count(2, 3, 4, dtype="u2")).writeto("image_u2.fits", overwrite=True)  # with BZERO
    # Stored 0 to 11, 5 is blank; values 10 + 0.5 n.
    scaled = fits.PrimaryHDU(count(3, 4, dtype="i2"), do_not_scale_image_data=True)
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.5, 10.0, 5
    scaled.writeto("image_scaled.fits", overwrite=True)
    header = fits.Header()
    header["BUNIT"] = "Jy/beam"
    header["CTYPE1"], header["CRVAL1"], header["CRPIX1"], header["CDELT1"] = "RA---SIN", 83.6, 2.0, -0.001
    header["HISTORY"] = "made by hand"
    nothing = fits.PrimaryHDU()
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.arange(3.0))])
    image = fits.ImageHDU(count(2, 1, 3, 4, dtype="f4"), header=header)
    fits.HDUList([nothing, fits.ImageHDU(), image, table]).writeto("image_extension.fits", overwrite=True)
    fits.HDUList([nothing, table]).writeto("no_image.fits", overwrite=True)
    fits.HDUList([nothing, fits.CompImageHDU(count(8, 8, dtype="i2"))]).writeto("compressed.fits", overwrite=True)


def write_hdf5():
    import h5py

    with h5py.File("arrays.h5", "w") as file:
        for code in ["f2", "f4", ">f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
            file[code.replace(">", "big_")] = count(2, 3, 4, dtype=code)
        file["c8"] = (count(2, 3, 4) * (1 - 1j)).astype("c8")
        file["c16"] = count(2, 3, 4) * (1 - 1j)
        image = np.zeros((2, 3, 4), [("real", "f4"), ("imag", "f4")])
        image["real"], image["imag"] = count(2, 3, 4), -count(2, 3, 4)
        file["group/inner/ismrmrd"] = image
        file["bool"] = count(2, 3, 4) % 3 == 1
        file["scalar"] = 3.5
        file["empty"] = np.zeros((2, 0, 3), "f4")
        file["text"] = "words"
        file["pairs"] = np.zeros(3, [("a", "f4"), ("b", "i4")])
        file["soft"] = h5py.SoftLink("/f4")
        file["outside"] = h5py.ExternalLink("fastmri.h5", "kspace")
        file.create_dataset("packed", data=count(2, 30, 40, dtype="i2"), chunks=(1, 7, 16), compression="gzip", shuffle=True)
        file.create_dataset("raw", (2, 3), "f4", external=[("make_arrays.py", 0, 24)])
        layout = h5py.VirtualLayout((2, 3, 4), "f4")
        layout[:] = h5py.VirtualSource("arrays.h5", "f4", (2, 3, 4))
        file.create_virtual_dataset("virtual", layout)
    with h5py.File("fastmri.h5", "w", libver=("v108", "v110")) as file:
        file["kspace"] = (count(2, 3, 4, 5) * (1 - 1j)).astype("c8")
        file["reconstruction_rss"] = count(2, 4, 4, dtype="f4")
        file["ismrmrd_header"] = "<ismrmrdHeader/>"
    with h5py.File("singlecoil.h5", "w", libver=("v108", "v110")) as file:
        file["kspace"] = (count(2, 4, 5) * (1 - 1j)).astype("c8")
        file["reconstruction_esc"] = count(2, 4, 4, dtype="f4")
    with h5py.File("cycle.h5", "w", libver=("v108", "v110")) as file:
        group = file.create_group("a")
        group["a"] = group


if __name__ == "__main__":
    for name in sys.argv[1:] or ["stacks", "fits", "hdf5"]:
        globals()[f"write_{name}"]()
