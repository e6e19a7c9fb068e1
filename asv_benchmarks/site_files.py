"""A site's pictures by the command line, and kinds of pictures side by side, against other tools.

``python asv_benchmarks/site_files.py site PICTURES`` has `kmeans-fast compress` and `pngquant --speed 3` make 40 PNGs
smaller: photographs and thumbnails cut from the folder PICTURES, and drawn screenshots, logos with alpha and icons. It
prints seconds, the least of several times; bytes; and the mean of the files' mse, premultiplied with alpha.

``python asv_benchmarks/site_files.py sheet PICTURES --look FILE.png`` has each tool make a photograph, a screenshot, a
logo, pixel art, a gradient and a comic with 4, 16 and 256 colours: bytes, mse, SSIM and milliseconds, and a part of
each to look at. pngquant and ImageMagick are started, and given a PNG, which the others are not: 20 to 100 ms.

A tool that isn't there is left out and named. pngquant is looked for in PATH, or where ``--pngquant`` says. (Called
site.py this would stand in for Python's own module in what is run from here.)
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kmeans_fast as kf

THREADS = 2
COLORS = (4, 16, 256)
TILE = 200  # pixels, of what is looked at

# --------------------------------------------------------------------------------------------------- pictures


def font(size):
    return ImageFont.load_default(size)


def screenshot(seed, size=(1280, 800)):
    """Text in black and grey, links, buttons and a code block, smoothed at the edges."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], 48), fill=tuple(rng.integers(20, 90, 3).tolist()))
    draw.rectangle((40, size[1] // 2, size[0] - 40, size[1] * 3 // 4), fill=(246, 248, 250), outline=(208, 215, 222))
    for y in range(64, size[1] - 30, 22):
        x = 40
        while x < size[0] - 160:
            word = "".join(chr(letter) for letter in rng.integers(97, 123, rng.integers(2, 12)))
            color = (9, 105, 218) if rng.random() < 0.03 else (36, 41, 47) if rng.random() < 0.9 else (110, 119, 129)
            draw.text((x, y), word, fill=color, font=font(15))
            x += 10 + int(draw.textlength(word, font=font(15)))
    return image


def logo(seed, side=400):
    """A disc, a ring and a letter on nothing, smoothed at the edges, with a faint shadow."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGBA", (4 * side, 4 * side))
    draw = ImageDraw.Draw(image)
    colors = [(*rng.integers(0, 256, 3).tolist(), 255) for _ in range(3)]
    draw.ellipse((0.3 * side, 0.4 * side, 3.9 * side, 3.95 * side), fill=(0, 0, 0, 60))
    draw.ellipse((0.2 * side, 0.2 * side, 3.8 * side, 3.8 * side), fill=colors[0])
    draw.ellipse((0.7 * side, 0.7 * side, 3.3 * side, 3.3 * side), outline=colors[1], width=side // 4)
    draw.text((2 * side, 2 * side), chr(65 + seed % 26), fill=colors[2], font=font(2 * side), anchor="mm")
    return image.resize((side, side), Image.Resampling.BOX)


def pixel_art(seed, side=256):
    """A face of 16 × 16 squares, the same on both sides."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 256, (6, 3), np.uint8)
    half = rng.integers(0, 6, (16, 8))
    return Image.fromarray(colors[np.hstack([half, half[:, ::-1]])]).resize((side, side), Image.Resampling.NEAREST)


def gradient(size=(512, 512)):
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    return Image.fromarray(np.rint(np.dstack([60 + 150 * x, 90 + 100 * y, 220 - 120 * x * y])).astype(np.uint8))


def comic(size=(640, 480)):
    """Flat colours with black outlines, one shaded, smoothed at the edges."""
    rng = np.random.default_rng(5)
    image = Image.new("RGB", (2 * size[0], 2 * size[1]), (255, 240, 200))
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y, r = rng.integers(0, 2 * size[0]), rng.integers(0, 2 * size[1]), rng.integers(40, 200)
        draw.ellipse(
            (x - r, y - r, x + r, y + r), fill=tuple(rng.integers(60, 256, 3).tolist()), outline="black", width=8
        )
    return image.resize(size, Image.Resampling.BOX)


def photographs(folder):
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not paths:
        sys.exit(f"no pictures in {folder}")
    return [Image.open(path).convert("RGB") for path in paths]


def site(folder):
    """40 pictures: 12 photographs, 8 thumbnails, 6 screenshots, 6 logos and 8 icons."""
    photos = photographs(folder)
    rng = np.random.default_rng(0)

    def cut(n, size):
        photo = photos[n % len(photos)]
        width, height = (min(a, b) for a, b in zip(size, photo.size, strict=True))
        x, y = (int(rng.integers(0, a - b + 1)) for a, b in zip(photo.size, (width, height), strict=True))
        return photo.crop((x, y, x + width, y + height))

    yield from ((f"photo-{n}", cut(n, (1200, 800))) for n in range(12))
    yield from ((f"thumbnail-{n}", cut(n, (300, 200))) for n in range(8))
    yield from ((f"screenshot-{n}", screenshot(n)) for n in range(6))
    yield from ((f"logo-{n}", logo(n)) for n in range(6))
    yield from ((f"icon-{n}", logo(n + 9, 64) if n % 2 else pixel_art(n, 64)) for n in range(8))


def kinds(folder):
    photo = max(photographs(folder), key=lambda image: min(image.size))
    photo.thumbnail((1000, 1000))
    return {
        "photo": photo, "screenshot": screenshot(0), "logo": logo(0), "pixel art": pixel_art(0),
        "gradient": gradient(), "comic": comic(),
    }  # fmt: skip


# --------------------------------------------------------------------------------------------------- the site


def by_us(paths, target, *options):
    command = [sys.executable, "-m", "kmeans_fast", "compress", *paths, "-k", "256", "-O", target, "--quiet", *options]
    subprocess.run(command, check=True)


def by_pngquant(program, paths, target, *options):
    """As many processes as threads, each with half of the files: alone it keeps one busy mostly."""
    target.mkdir(exist_ok=True)

    def run(share):
        command = [program, "--speed", "3", "--ext", "-made.png", "--force", *options, "256", "--", *share]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, [paths[n::THREADS] for n in range(THREADS)]))
    for path in paths:
        path.with_name(f"{path.stem}-made.png").rename(target / path.name)


def print_site(folder, program, repeats):
    tools = {
        "kmeans_fast": by_us,
        "kmeans_fast, floyd-steinberg": lambda paths, target: by_us(paths, target, "--dither", "floyd-steinberg"),
    }
    if program:
        tools["pngquant --speed 3"] = partial(by_pngquant, program)
        tools["pngquant --speed 3 --nofs"] = lambda paths, target: by_pngquant(program, paths, target, "--nofs")
    with tempfile.TemporaryDirectory() as work:
        source = Path(work, "source")
        source.mkdir()
        images = dict(site(folder))
        for name, image in images.items():
            image.save(source / f"{name}.png")
        paths = sorted(source.iterdir())
        print(f"{len(paths)} files, {sum(path.stat().st_size for path in paths):,} bytes\n")
        print("| tool | seconds | bytes | mean mse |\n|---|---|---|---|")
        for name, make in tools.items():
            target = Path(work, name)
            seconds = []
            for _ in range(repeats):
                shutil.rmtree(target, ignore_errors=True)
                start = time.perf_counter()
                make(paths, target)
                seconds.append(time.perf_counter() - start)
            made = [target / path.name for path in paths]
            errors = [kf.compare(kf.read_image(a), kf.read_image(b)).mse for a, b in zip(paths, made, strict=True)]
            size = sum(path.stat().st_size for path in made)
            print(f"| {name} | {min(seconds):.2f} | {size:,} | {np.mean(errors):.2f} |", flush=True)


# --------------------------------------------------------------------------------------------------- the sheet


def saved(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def ours(dither, image, n_colors):
    buffer = io.BytesIO()
    kf.quantize(image, n_colors, sort="luma", dither=dither).save(buffer)
    return buffer.getvalue()


def pillow(image, n_colors):
    method = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
    return saved(image.quantize(n_colors, method, dither=Image.Dither.NONE))


def libimagequant(level, image, n_colors):
    import imagequant

    return saved(imagequant.quantize_pil_image(image, dithering_level=level, max_colors=n_colors))


def pngquant(program, image, n_colors):
    command = [program, "--speed", "3", str(n_colors), "-"]
    return subprocess.run(command, input=saved(image), capture_output=True, check=True).stdout


def imagemagick(image, n_colors):
    command = ["convert", "png:-", "+dither", "-colors", str(n_colors), "png8:-"]
    return subprocess.run(command, input=saved(image), capture_output=True, check=True).stdout


def is_imagemagick(program):
    """Tell it from others of its name, such as Windows' own."""
    if shutil.which(program) is None:
        return False
    return b"ImageMagick" in subprocess.run([program, "-version"], capture_output=True, check=False).stdout


def sheet_tools(program):
    tools = {
        "kmeans_fast": partial(ours, "none"), "kmeans_fast, dithered": partial(ours, "floyd-steinberg"),
        "kmeans_fast, blue noise": partial(ours, "blue-noise"), "Pillow": pillow,
        "libimagequant": partial(libimagequant, 0.0), "libimagequant, dithered": partial(libimagequant, 1.0),
    }  # fmt: skip
    if program:
        tools["pngquant"] = partial(pngquant, program)
    if is_imagemagick("convert"):
        tools["ImageMagick"] = imagemagick
    return tools


def print_sheet(folder, program, look):
    images, tools = kinds(folder), sheet_tools(program)
    canvas = Image.new("RGB", ((len(tools) + 1) * TILE, len(images) * len(COLORS) * TILE), (128, 128, 128))
    print("| picture | K | tool | bytes | mse | SSIM | ms |\n|---|---|---|---|---|---|---|")
    for row, (kind, n_colors) in enumerate((kind, n_colors) for kind in images for n_colors in COLORS):
        image = images[kind]
        paste(canvas, image, 0, row)
        for column, (name, make) in enumerate(tools.items(), 1):
            try:
                make(image, n_colors)
                start = time.perf_counter()
                data = make(image, n_colors)
                seconds = time.perf_counter() - start
            except (ImportError, ValueError, RuntimeError, subprocess.CalledProcessError) as error:
                print(f"| {kind} | {n_colors} | {name} | {type(error).__name__} | | | |")
                continue
            result = kf.compare(image, kf.read_image(data))
            figures = f"{result.mse:.1f} | {result.ssim:.4f} | {seconds * 1000:.0f}"
            print(f"| {kind} | {n_colors} | {name} | {len(data):,} | {figures} |", flush=True)
            paste(canvas, Image.open(io.BytesIO(data)).convert("RGBA"), column, row)
    if look:
        canvas.save(look)


def paste(canvas, image, column, row):
    """Show the middle of a picture, as it is."""
    x, y = ((side - TILE) // 2 for side in image.size)
    part = image.crop((x, y, x + TILE, y + TILE)).convert("RGBA")
    canvas.paste(part, (column * TILE, row * TILE), part)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("site", "sheet"))
    parser.add_argument("pictures", help="a folder")
    parser.add_argument("--pngquant", default=shutil.which("pngquant"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--look", help="where to write what there is to look at")
    options = parser.parse_args()
    if not options.pngquant:
        print("pngquant isn't installed, and is left out\n")
    if options.what == "site":
        print_site(options.pictures, options.pngquant, options.repeats)
    else:
        print_sheet(options.pictures, options.pngquant, options.look)


if __name__ == "__main__":
    main()
