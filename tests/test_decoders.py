"""Every picture in the wheels of scikit-image, imageio and matplotlib, compared with decoders that are not Pillow's.

For ``pytest -m stress``. KMEANS_FAST_PICTURES may name more folders, such as Pillow's own test pictures, which come
with its source distribution: ``pip download --no-deps --no-binary :all: pillow``.
"""

import importlib.util
import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import read_image

pytestmark = [pytest.mark.stress, pytest.mark.filterwarnings("ignore")]

PACKAGES = ("skimage", "imageio", "matplotlib")
DECODERS = {
    b"\x89PNG": imagecodecs.png_decode,
    b"GIF8": lambda data: imagecodecs.gif_decode(data, index=0),
    b"RIFF": lambda data: imagecodecs.webp_decode(data, index=0),
    b"BM": imagecodecs.bmp_decode,
    b"\xff\xd8\xff": imagecodecs.jpeg8_decode,
    b"\0\0\0\x0cjP": imagecodecs.jpeg2k_decode,
    b"\xff\x4f\xff\x51": imagecodecs.jpeg2k_decode,
}

# Where decoders may differ, and why.
KNOWN = {"test_extents.gif": "its frame is larger than its screen, to which one of them clips it"}


def pictures():
    found = [kf.sample_path()]
    folders = [Path(spec.origin).parent for spec in map(importlib.util.find_spec, PACKAGES) if spec is not None]
    folders += map(Path, filter(None, os.environ.get("KMEANS_FAST_PICTURES", "").split(os.pathsep)))
    suffixes = {".png", ".gif", ".webp", ".bmp", ".jpg", ".jpeg", ".jp2", ".j2k", ".jpx", ".tif", ".tiff"}
    for folder in folders:
        found += sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
    return found


def decoded_otherwise(path):
    """Decode a picture without Pillow; None if there is no other decoder for it, or that one gives up."""
    data = path.read_bytes()
    try:
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return tiff_decoded(path)
        decode = next((decode for start, decode in DECODERS.items() if data.startswith(start)), None)
        return None if decode is None else np.asarray(decode(data))
    except Exception:  # whatever a decoder has against a picture, it is not the one that is tested
        return None


def tiff_decoded(path):
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        values = page.asarray()
        if page.photometric in (4, 5, 6, 8) or len(set(np.atleast_1d(page.bitspersample))) > 1:
            return None  # a matter of conversion
        if 1 in (page.extrasamples or ()):
            return None  # premultiplied
        if page.photometric == 3:
            return (page.colormap[:, values] >> 8).astype(np.uint8).transpose(1, 2, 0)
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, 2)
        if values.dtype.kind not in "bu" or values.itemsize > 2:
            return None
        bits = page.bitspersample
        if page.photometric == 0:
            values = (2**bits - 1 - values.astype(int)).astype(values.dtype)
        return values if bits in (8, 16) else np.rint(values * (255 / (2**bits - 1))).astype(np.uint8)


def as_rgba(values):
    """Bring what a decoder gives to one form: RGBA, what is invisible all alike."""
    if values.dtype == bool:
        values = values * np.uint8(255)
    if values.dtype == np.uint16:
        values = np.rint(values / 257)
    values = values.astype(int)
    if values.ndim == 2:
        values = values[..., np.newaxis]
    values = {1: values[..., [0, 0, 0]], 2: values[..., [0, 0, 0, -1]]}.get(values.shape[2], values)
    if values.shape[2] == 3:
        values = np.concatenate([values, np.full_like(values[..., :1], 255)], axis=2)
    return np.where(values[..., 3:] == 0, 0, values)


def test_all_pictures_agree_with_another_decoder(record_property):
    agreed, different, uncompared, refused = [], [], [], []
    for path in pictures():
        try:
            image = read_image(path)
        except ValueError as error:
            refused.append(f"{path}: {error}")
            continue
        other = decoded_otherwise(path)
        if other is not None and other.dtype == np.uint16 and other.max() < 512:
            other = None  # the values of fewer bits, as they are
        with Image.open(path) as header:
            is_turned = header.getexif().get(0x0112, 1) != 1
            is_converted = header.mode == "CMYK"
        if (
            other is None
            or is_turned
            or is_converted
            or path.name in KNOWN
            or other.size > 10**8
            or other.ndim not in (2, 3)
            or (other.ndim == 3 and other.shape[2] > 4)
        ):
            uncompared.append(path)
            continue
        ours, theirs = as_rgba(image), as_rgba(other)
        if ours.shape != theirs.shape:
            different.append(f"{path}: {ours.shape} and {theirs.shape}")
            continue
        # The upper byte of 16 bits is one step off at most; JPEG allows decoders some.
        lossy = path.read_bytes()[:3] == b"\xff\xd8\xff"
        most = 4 if lossy else 1 if other.dtype == np.uint16 else 0
        largest = int(abs(ours - theirs).max())
        (agreed if largest <= most else different).append(f"{path}: {largest} steps, {image.shape} {other.dtype}")
    summary = f"{len(agreed)} agree, {len(uncompared)} not compared, {len(refused)} refused, {len(different)} differ"
    record_property("pictures", summary)
    assert len(agreed) > 25, summary
    assert not different, "\n".join([summary, *different])
