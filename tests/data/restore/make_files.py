# SPDX-License-Identifier: BSD-3-Clause
"""Measurements of two photographs and of a volume, made and written by NumPy, SciPy, scikit-image, tifffile and Astropy, and how well
methods of scikit-image restore them: what tessera_restore is held against.

  pip install scikit-image tifffile astropy; python make_files.py FOLDER

"astronaut" (Eileen Collins) and "hubble_deep_field": NASA, public domain, as distributed with scikit-image.
"""
import os
import sys

import numpy as np
import tifffile
from astropy.io import fits
from scipy import ndimage
from skimage import data, io, restoration, transform

folder = sys.argv[1]
side, border, factor = 64, 16, 2
draw = np.random.default_rng(42)


def path(name):
    return os.path.join(folder, name)


def psnr(image, truth):
    return 10 * np.log10(1 / np.mean((np.clip(image, 0, 1) - truth) ** 2))


def inside(image):
    return image[border : border + side, border : border + side]


def convolved(image, psf):
    return np.stack([ndimage.convolve(c, psf, mode="mirror") for c in np.moveaxis(image, -1, 0)], -1)


def deconvolved(image, psf, iterations):
    padded = np.pad(image, ((border, border), (border, border), (0, 0)), mode="symmetric")
    channels = [inside(restoration.richardson_lucy(c, psf, iterations)) for c in np.moveaxis(padded, -1, 0)]
    return np.stack(channels, -1)


def best(name, truth, restored):
    quality = [psnr(each, truth) for each in restored]
    print(f"{name}: {max(quality):.2f} dB")


# A scene larger than the picture, so that what is beyond its borders is real.
scene = transform.downscale_local_mean(data.astronaut() / 255, (2, 2, 1))[16:112, 56:152]
truth = inside(scene)
io.imsave(path("truth.png"), np.round(255 * truth).astype(np.uint8), check_contrast=False)

# A point spread function as a microscope or a star would show it: turned, and on no simple scale.
y, x = np.mgrid[-4:5, -4:5]
psf = np.exp(-((0.8 * x + 0.6 * y) ** 2) / (2 * 1.6**2) - ((0.8 * y - 0.6 * x) ** 2) / (2 * 0.9**2))
psf /= psf.sum()
tifffile.imwrite(path("psf.tif"), (psf * 1000).astype(np.float32))

# One photograph, blurred, 8 bits.
photo = inside(convolved(scene, psf)) + draw.normal(0, 3 / 255, truth.shape)
photo = np.clip(np.round(255 * photo), 0, 255).astype(np.uint8)
io.imsave(path("photo.png"), photo, check_contrast=False)
print(f"photo: {psnr(photo / 255, truth):.2f} dB")
best("photo, Richardson-Lucy, best of 1 to 30", truth, [deconvolved(photo / 255, psf, n) for n in range(1, 31)])

# A burst of four: blurred, moved by parts of a pixel, half the resolution, 16 bits.
shifts = [(0, 0), (0.5, 0.1), (-0.4, 0.45), (0.1, -0.5)]  # pixels of a frame: down, right
lens = np.exp(-(x**2 + y**2) / (2 * 0.8**2))
lens /= lens.sum()
frames = []
for i, shift in enumerate(shifts):
    moved = ndimage.shift(convolved(scene, lens), (*(factor * np.array(shift)), 0), order=5, mode="mirror")
    frame = transform.downscale_local_mean(inside(moved), (factor, factor, 1)) + draw.normal(0, 0.01, (side // 2, side // 2, 3))
    frames.append(np.clip(np.round(65535 * frame), 0, 65535).astype(np.uint16))
    tifffile.imwrite(path(f"frame{i}.tif"), frames[-1], photometric="rgb")


def enlarged(frame):
    return transform.resize(frame / 65535, (side, side), order=3, mode="reflect")


aligned = np.mean([ndimage.shift(enlarged(f), (*(-factor * np.array(s)), 0), order=3, mode="mirror")
                   for f, s in zip(frames, shifts)], 0)
best("frames, bicubic", truth, [enlarged(frames[0])])
best("frames, bicubic, aligned and averaged", truth, [aligned])
best("frames, the same and Richardson-Lucy, best of 1 to 30", truth, [deconvolved(aligned, lens, n) for n in range(1, 31)])

# Photons from galaxies, over a background; a camera that adds 2 to a value for each of them.
gain, background, white = 2, 20, 100  # photons
sky = data.hubble_deep_field()[380 : 380 + 96, 560 : 560 + 96].mean(-1, keepdims=True) / 255
galaxies = inside(sky)
expected = background + white * inside(convolved(sky, psf))[..., 0]
counts = (gain * draw.poisson(expected)).astype(np.int16)
fits.writeto(path("counts.fits"), counts, overwrite=True)
fits.writeto(path("sky.fits"), (gain * white * galaxies[..., 0]).astype(np.float32), overwrite=True)
seen = (counts / gain - background)[..., None] / white
print(f"counts: {psnr(seen, galaxies):.2f} dB")
best("counts, Richardson-Lucy, best of 1 to 30", galaxies, [deconvolved(np.clip(seen, 0, None), psf, n) for n in range(1, 31)])

# Bright cells of a volume, behind an objective that blurs more in depth: counts beyond 10,000 over a background.
depth, rows, columns, margin = 16, 32, 32, (4, 4, 4)
dense = np.random.default_rng(7)
room = [n + 2 * m for n, m in zip((depth, rows, columns), margin)]
z, y, x = np.mgrid[[slice(0, n) for n in room]]
cells = np.zeros(room)
for _ in range(60):
    centre, radius = dense.uniform(0, room), dense.uniform(1.5, 4)
    distance = np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)
    cells = np.maximum(cells, dense.uniform(0.3, 1) * (distance < radius))
z, y, x = np.mgrid[-4:5, -3:4, -3:4]
objective = np.exp(-(z**2) / (2 * 2**2) - (y**2 + x**2) / (2 * 1.0**2))
objective /= objective.sum()
peak, dark = 20000, 400


def cut(volume):
    return volume[tuple(slice(m, m + n) for m, n in zip(margin, (depth, rows, columns)))]


seen = dense.poisson(dark + peak * cut(ndimage.convolve(cells, objective, mode="mirror"))).astype(np.uint16)
tifffile.imwrite(path("cells.tif"), seen[:, None], imagej=True, resolution=(10, 10), compression="zlib",
                 metadata={"axes": "ZCYX", "spacing": 0.3, "unit": "um"})
tifffile.imwrite(path("objective.tif"), objective.astype(np.float32), compression="zlib")
np.save(path("cells.npy"), np.round(255 * cut(cells)).astype(np.uint8))
light = (seen.astype(float) - dark) / peak
padded = np.pad(np.clip(light, 0, None), [(m, m) for m in margin], mode="symmetric")
print(f"cells: {psnr(light, cut(cells)):.2f} dB")
best("cells, Richardson-Lucy, best of 10 to 200", cut(cells),
     [cut(restoration.richardson_lucy(padded, objective, n, clip=False)) for n in range(10, 201, 10)])

# A photograph through a lens that is sharp in the middle and blurs to the corners, by a grid of 3 x 3 kernels.
u, v = np.mgrid[-4:5, -4:5]
kernels = []
for row in (-1, 0, 1):
    for column in (-1, 0, 1):
        wide, turn = 0.6 + 0.9 * np.hypot(row, column), np.arctan2(row, column)
        along, across = np.cos(turn) * v + np.sin(turn) * u, np.cos(turn) * u - np.sin(turn) * v
        kernels.append(np.exp(-(along**2) / (2 * wide**2) - across**2 / (2 * 0.6**2)))
        kernels[-1] /= kernels[-1].sum()
larger = side + 8
around = scene[border - 4 : border + side + 4, border - 4 : border + side + 4]
where = np.clip((np.arange(larger) + 0.5) * 3 / larger - 0.5, 0, 2)
hats = np.clip(1 - np.abs(where[None] - np.arange(3)[:, None]), 0, None)
through = sum(convolved(around * (hats[k // 3][:, None] * hats[k % 3])[..., None], kernels[k]) for k in range(9))
through = through[4 : 4 + side, 4 : 4 + side] + draw.normal(0, 3 / 255, truth.shape)
through = np.clip(np.round(255 * through), 0, 255).astype(np.uint8)
io.imsave(path("corners.png"), through, check_contrast=False)
tifffile.imwrite(path("lens.tif"), np.array(kernels, np.float32), compression="zlib")
print(f"corners: {psnr(through / 255, truth):.2f} dB")
best("corners, Richardson-Lucy with the mean kernel, best of 1 to 30", truth,
     [deconvolved(through / 255, np.mean(kernels, 0), n) for n in range(1, 31)])
