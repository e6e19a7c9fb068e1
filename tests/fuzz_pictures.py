"""Damage pictures in many ways, and see that reading them never does anything but succeed or raise ValueError.

    python tests/fuzz_pictures.py --seconds 3600 --seed 1 --keep FOLDER

Mutants are made from small samples in every format and mode that Pillow writes. Each one is given by the seed and its
number, so a finding can be made again. They are read in a process of its own with little memory, which a crash or a
hang may end. Exit status: 0 nothing found, 1 something was, and the mutants are in FOLDER.
"""

import argparse
import collections
import contextlib
import faulthandler
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

import kmeans_fast as kf
from kmeans_fast import cli

MAX_PIXELS = 1_000_000
MAX_SECONDS = 10  # for one mutant; then it counts as a hang
MAX_MEMORY = 2 * 10**9  # of the process that reads, so that a bomb shows as MemoryError
BATCH = 2000  # mutants that one process reads
CLI_EVERY = 100  # this many mutants, one goes through the command line too
KEPT_OF_A_KIND = 5
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "I;16B", "F")
TIFF_MODES = {"jpeg": ("L", "RGB", "YCbCr", "CMYK"), "group4": ("1",)}
OPTIONS = {  # ways to write a format in which its reader takes other turns
    "GIF": ({"interlace": 0},),
    "ICO": ({"bitmap_format": "bmp"}, {"sizes": [(16, 16)]}),
    "JPEG": ({"progressive": True}, {"subsampling": 2, "optimize": True}),
    "JPEG2000": ({"no_jp2": True}, {"irreversible": True}),
    "PNG": ({"bits": 4}, {"compress_level": 0}),
    "TGA": ({"compression": "tga_rle"},),
    "TIFF": tuple(
        {"compression": name} for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "zstd")
    ),
    "WEBP": ({"lossless": True},),
    "DDS": ({"pixel_format": "DXT1"}, {"pixel_format": "DXT5"}, {"pixel_format": "BC5"}),
}
INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 32, 64, 100, 127, 128, 254, 255, 256, 1000, 4096, 32767, 32768, 65535)
INTERESTING += (65536, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


# ---------------------------------------------------------------------------------------------------- samples


def make_samples():
    """Write a small picture in every format, mode and variant that Pillow can; returns name to bytes."""
    Image.init()
    with Image.open(kf.sample_path()) as cat:
        pictures = {"small": cat.convert("RGB").resize((45, 30)), "tiny": cat.convert("RGB").resize((13, 7))}
    pictures["tiny"].putpixel((0, 0), (1, 2, 3))
    samples = {}
    for name, picture in pictures.items():
        for mode in MODES:
            for format_ in sorted(set(Image.SAVE) - {"ICNS"}):  # that would be of up to 1024 x 1024 pixels
                for number, options in enumerate(({}, *OPTIONS.get(format_, ()), *_metadata(format_))):
                    data = _saved(picture, mode, format_, options)
                    if data is not None and len(data) < 20_000:
                        samples[f"{format_} {mode} {name} {number}"] = data
    return samples | _animations(pictures["tiny"]) | _icons(pictures["small"]) | _by_hand()


def _saved(picture, mode, format_, options):
    if mode not in TIFF_MODES.get(options.get("compression"), MODES):
        return None  # libtiff would complain on stderr
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.convert("L" if mode.startswith("I;") else mode).convert(mode).save(file, format_, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SystemError):
        return None  # Pillow has no such mode in this format
    return file.getvalue()


def _metadata(format_):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    if format_ in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF"):
        yield {"exif": exif.tobytes(), "icc_profile": b"\0" * 16 + b"RGB " + b"\0" * 108}
    if format_ in ("PNG", "GIF"):
        yield {"transparency": 3}


def _animations(picture):
    frames = [picture, picture.rotate(180), picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    samples = {}
    for format_ in ("GIF", "PNG", "TIFF", "WEBP", "AVIF", "MPO"):
        file = io.BytesIO()
        if format_ in Image.SAVE_ALL:
            frames[0].save(file, format_, save_all=True, append_images=frames[1:])
            samples[f"{format_} animated"] = file.getvalue()
    return samples


def _icons(picture):
    """Icons of two parts, as small as there are."""
    samples = {}
    for mode in ("P", "RGB", "RGBA"):
        parts = b""
        for name, side in ((b"icp4", 16), (b"icp5", 32)):
            data = _saved(picture.resize((side, side)), mode, "PNG", {})
            parts += name + (8 + len(data)).to_bytes(4, "big") + data
        samples[f"ICNS {mode}"] = b"icns" + (8 + len(parts)).to_bytes(4, "big") + parts
    return samples


def _by_hand():
    """Formats that Pillow reads and cannot write."""
    ramp = bytes(range(105))
    psd = b"8BPS\0\1" + bytes(6) + bytes.fromhex("0003 00000005 00000007 0008 0003") + bytes(12) + b"\0\0" + ramp
    cards = ("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 7", "NAXIS2  = 5", "END")
    fits = "".join(f"{card:<80}" for card in cards).encode().ljust(2880) + ramp[:35]
    xpm = b'/* XPM */\nstatic char *a[] = {\n"2 2 2 1",\n"a c #ff0000",\n"b c #00ff00",\n"ab",\n"ba"\n};\n'
    sun = bytes.fromhex("59a66a95 00000005 00000007 00000018 00000069 00000001 00000000 00000000") + ramp + ramp[:7]
    fli = bytes.fromhex("00000000 11af 0100 0500 0700 0800 0000 00000000").ljust(128, b"\0")
    fli += bytes.fromhex("28000000 faf1 0100").ljust(16, b"\0") + bytes.fromhex("29000000 1000") + ramp[:35]
    return {"PSD": psd, "FITS": fits, "XPM": xpm, "SUN": sun, "FLI": fli}


# ---------------------------------------------------------------------------------------------------- mutants


def mutant(samples, seed, number):
    """Return the bytes of one mutant, and which sample it was."""
    rng = np.random.default_rng([seed, number])
    names = sorted(samples)
    formats = sorted({name.split()[0] for name in names})
    format_ = formats[rng.integers(len(formats))]  # a format first: some have a hundred samples and some have one
    names = [name for name in names if name.split()[0] == format_]
    name = names[rng.integers(len(names))]
    data = bytearray(samples[name])
    for _ in range(rng.choice([1, 1, 2, 3, 5, 9])):
        change = MUTATIONS[rng.integers(len(MUTATIONS))]
        data = change(data, rng, samples)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = repair_crcs(data)
    return bytes(data), name


def _position(data, rng):
    """Choose a place, half of the time in the header."""
    end = min(len(data), 200) if rng.random() < 0.5 else len(data)
    return int(rng.integers(end)) if end else 0


def flip_bits(data, rng, _samples):
    for _ in range(rng.choice([1, 2, 8]) if data else 0):
        data[_position(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def change_byte(data, rng, _samples):
    if data:
        data[_position(data, rng)] = INTERESTING[rng.integers(16)]
    return data


def change_number(data, rng, _samples):
    size, order = int(rng.choice([2, 4])), str(rng.choice(["big", "little"]))
    position = _position(data, rng)
    old = int.from_bytes(data[position : position + size], order)
    new = [INTERESTING[rng.integers(len(INTERESTING))], old + 1, old - 1, old * 2, len(data), int(rng.integers(2**32))]
    data[position : position + size] = (new[rng.integers(6)] % 256**size).to_bytes(size, order)
    return data


def cut(data, rng, _samples):
    return data[: _position(data, rng)] if rng.random() < 0.5 else data[: -int(rng.integers(1, 20))]


def _block(data, rng):
    start = _position(data, rng)
    return start, start + int(rng.choice([1, 2, 4, 8, 12, 16, 64, 500]))


def duplicate_block(data, rng, _samples):
    start, end = _block(data, rng)
    return data[:end] + data[start:end] * int(rng.choice([1, 2, 30])) + data[end:]


def remove_block(data, rng, _samples):
    start, end = _block(data, rng)
    return data[:start] + data[end:]


def swap_blocks(data, rng, _samples):
    (start, end), (other, _) = _block(data, rng), _block(data, rng)
    start, end, other = sorted((start, min(end, len(data)), other))
    return data[:start] + data[end:other] + data[start:end] + data[other:]


def splice(data, rng, samples):
    other = samples[sorted(samples)[rng.integers(len(samples))]]
    return data[: _position(data, rng)] + other[_position(other, rng) :]


def fill_block(data, rng, _samples):
    start, end = _block(data, rng)
    data[start:end] = bytes([INTERESTING[rng.integers(16)]]) * (end - start)
    return data


MUTATIONS = (
    flip_bits,
    change_byte,
    change_number,
    change_number,
    cut,
    duplicate_block,
    remove_block,
    swap_blocks,
    splice,
    fill_block,
)


def repair_crcs(data):
    """Give each chunk of a PNG the checksum that fits it, so that its content is looked at."""
    position = 8
    while position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        data[end : end + 4] = zlib.crc32(data[position + 4 : end]).to_bytes(4, "big") if end + 4 <= len(data) else b""
        position = end + 4
    return data


# ---------------------------------------------------------------------------------------------------- verdicts


def read(path):
    """Read a mutant; returns what came of it, which is a finding if it begins with ``!``."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            image = kf.read_image(path, max_pixels=MAX_PIXELS)
        except ValueError as error:
            outcome = _of_error(str(error), path)
        except Exception as error:  # a finding is whatever should not have come
            return f"!{type(error).__name__}: {error}"
        else:
            outcome = _of_image(image)
    for warning in caught:
        # Pillow warns of damaged metadata and of formats that it will drop, and reads the picture: news for the user.
        from_pillow = "PIL" in Path(warning.filename).parts
        if not from_pillow or warning.category not in (UserWarning, DeprecationWarning):
            return f"!{warning.category.__name__}: {warning.message}"
    return f"{outcome}, with a warning of Pillow's" if caught else outcome


def _of_error(message, path):
    if not message.startswith(repr(str(path))):
        return f"!ValueError of someone else: {message}"
    reasons = ("empty", "not a picture", "cannot be decoded", "not read", "pixels; at most", "has pixels", "has grey")
    return next((f"refused: {reason}" for reason in reasons if reason in message), f"!unknown reason: {message}")


def _of_image(image):
    good = image.dtype == np.uint8 and image.size > 0 and image.flags.c_contiguous and image.flags.writeable
    good = good and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4)))
    good = good and image.shape[0] * image.shape[1] <= MAX_PIXELS
    return "read" if good else f"!array of {image.shape}, {image.dtype}"


def compress(path):
    """Put a mutant through the command line; returns a finding or nothing."""
    output = path.with_name("output.png")
    out, err = io.StringIO(), io.StringIO()
    command = ["compress", str(path), "-o", str(output), "-k", "4", "--max-iter", "3", "--engine", "numpy"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main([*command, "--max-pixels", str(MAX_PIXELS)])
    lines = [line for line in err.getvalue().splitlines() if not line.startswith("kmeans-fast: warning: ")]
    files = {file.name for file in path.parent.iterdir()} - {path.name}
    if status == 0 and not lines and files == {"output.png"}:
        kf.read_image(output)
        output.unlink()
        return ""
    right = status == 1 and len(lines) == 1 and lines[0].startswith("kmeans-fast: error: ") and not files
    return "" if right and "memory" not in lines[0] else f"!command line: {status}, {sorted(files)}, {err.getvalue()}"


# ---------------------------------------------------------------------------------------------------- processes


def child(samples, seed, start, stop):
    """Read the mutants from `start` to `stop`, and print what came of each."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mutant.png")
        for number in range(start, stop):
            path.write_bytes(mutant(samples, seed, number)[0])
            faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
            outcome = read(path)
            if number % CLI_EVERY == 0 and not outcome.startswith("!"):
                outcome = compress(path) or outcome
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.write(json.dumps([number, outcome]) + "\n")
            sys.stdout.flush()


class Fuzzer:
    """Starts processes that read mutants, and keeps the book."""

    def __init__(self, seed, keep):
        self.seed, self.keep = seed, keep
        self.outcomes = collections.Counter()
        self.of_a_kind = collections.Counter()
        self.n_mutants = 0
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz-pictures-"))
        self.samples = make_samples()
        (self.folder / "samples.json").write_text(json.dumps({name: data.hex() for name, data in self.samples.items()}))

    def run(self, seconds, n_mutants):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.n_mutants < n_mutants:
            self._batch(min(self.n_mutants + BATCH, n_mutants), end)

    def _batch(self, stop, end):
        """Read mutants until `stop`, or until one ends the process."""
        numbers = [str(number) for number in (self.seed, self.n_mutants, stop)]
        command = [sys.executable, __file__, "--child", str(self.folder / "samples.json"), *numbers]
        errors = self.folder / "stderr"
        with errors.open("wb") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as process:
            for line in process.stdout:
                number, outcome = json.loads(line)
                self._count(number, outcome)
                if time.monotonic() > end:
                    process.kill()
                    return
        if self.n_mutants < stop:
            last_words = errors.read_bytes()[-3000:].decode(errors="replace")
            kind = "hang" if "Timeout (" in last_words else "crash"
            self._count(self.n_mutants, f"!{kind}, exit status {process.returncode}: {last_words}")

    def _count(self, number, outcome):
        self.n_mutants = number + 1
        if outcome.startswith("!"):
            kind = outcome[:40]
            self.of_a_kind[kind] += 1
            if self.of_a_kind[kind] <= KEPT_OF_A_KIND:
                self._save(number, outcome)
            outcome = f"FOUND: {kind[1:]}"
        self.outcomes[outcome] += 1

    def _save(self, number, outcome):
        data, name = mutant(self.samples, self.seed, number)
        self.keep.mkdir(parents=True, exist_ok=True)
        path = self.keep / f"seed-{self.seed}-mutant-{number}.bin"
        path.write_bytes(data)
        say(f"found: {path} ({len(data)} bytes, of {name}): {outcome[1:]}")


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after that time")
    parser.add_argument("--mutants", type=int, metavar="N", help="stop after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", default=Path("fuzz-findings"))
    parser.add_argument("--child", nargs=4, metavar=("SAMPLES", "SEED", "START", "STOP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        samples = {name: bytes.fromhex(data) for name, data in json.loads(Path(options.child[0]).read_text()).items()}
        child(samples, *map(int, options.child[1:]))
        return 0
    if options.seconds is None and options.mutants is None:
        parser.error("say when to stop: --seconds or --mutants")
    start = time.monotonic()
    fuzzer = Fuzzer(options.seed, options.keep)
    say(f"{len(fuzzer.samples)} samples, made in {time.monotonic() - start:.1f} s")
    start = time.monotonic()
    fuzzer.run(options.seconds or math.inf, options.mutants or sys.maxsize)
    seconds = time.monotonic() - start
    for outcome, count in fuzzer.outcomes.most_common():
        say(f"{count:10,}  {outcome}")
    n_found = sum(fuzzer.of_a_kind.values())
    speed = fuzzer.n_mutants / seconds
    say(f"{fuzzer.n_mutants:,} mutants in {seconds:.0f} s, {speed:.0f} a second; {n_found} findings")
    return 1 if n_found else 0


if __name__ == "__main__":
    sys.exit(main())
