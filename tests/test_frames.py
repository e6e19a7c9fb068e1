"""Several pictures with one palette: animations, pages and lists, in and out, each frame's pixels as they are seen."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

import kmeans_fast as kf
from kmeans_fast.imaging.encoding import FORMATS

ANIMATED = [name for name, format_ in FORMATS.items() if format_.sequence == "animation"]
COLORS = np.random.default_rng(0).permutation(256)[:60].reshape(20, 3).astype(np.uint8)


def moving(n_frames=5, alpha=False, height=24, width=31):
    """A disc that moves over stripes, of 20 colours at most; with alpha, over nothing."""
    rows, columns = np.mgrid[:height, :width]
    frames = []
    for number in range(n_frames):
        labels = rows // 3 % 7
        inside = (rows - 12) ** 2 + (columns - 4 - 5 * number) ** 2 < 50
        labels[inside] = 8 + number
        colors = COLORS[labels]
        if alpha:
            colors = np.dstack([colors, np.where(inside, 255, 0)])
            colors[~inside] = 0
        frames.append(colors.astype(np.uint8))
    return np.stack(frames)


def saved(frames, format_, duration=80, loop=0, **options):
    first, *others = map(Image.fromarray, frames)
    options = {"lossless": True, "exact": True} if format_ == "webp" else options
    if format_ == "gif" and frames.shape[-1] == 4:
        options["disposal"] = 2
    file = io.BytesIO()
    first.save(
        file, format=FORMATS[format_].name, save_all=True, append_images=others, duration=duration, loop=loop, **options
    )
    return file.getvalue()


def read_by_pillow(data):
    """Frames as Pillow shows them, in RGBA, with durations."""
    frames, durations = [], []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGBA")))
            durations.append(image.info.get("duration"))
        return np.stack(frames), durations, image.info.get("loop")


def in_rgba(pixels):
    return pixels if pixels.shape[-1] == 4 else np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=-1)


# ---------------------------------------------------------------------------------------------------- in memory


@pytest.mark.parametrize("as_", ["array", "list of arrays", "list of pictures", "Frames"])
def test_frames_share_a_palette(as_):
    frames = moving()
    given = {
        "array": frames,
        "list of arrays": list(frames),
        "list of pictures": [Image.fromarray(frame) for frame in frames],
        "Frames": kf.Frames(frames, (0,) * 5),
    }[as_]
    result = kf.quantize(given, 6)
    tall = kf.quantize(frames.reshape(-1, *frames.shape[2:]), 6)
    assert result.labels.shape == frames.shape[:3]
    np.testing.assert_array_equal(result.palette, tall.palette)
    np.testing.assert_array_equal(result.labels.reshape(tall.labels.shape), tall.labels)
    assert (result.mse, result.counts.tolist()) == (tall.mse, tall.counts.tolist())
    np.testing.assert_array_equal(result.to_array(), result.palette[result.labels])
    assert kf.palette(given, 6).hex_colors == result.hex_colors


def test_a_colour_has_the_same_entry_in_all_frames_whatever_their_order(engine):
    frames = moving(alpha=True)
    result = kf.quantize(frames, 4, engine=engine)
    backwards = kf.quantize(frames[::-1], 4, engine=engine)
    np.testing.assert_array_equal(backwards.to_array()[::-1], result.to_array())
    colors = frames.reshape(-1, 4)
    for color in np.unique(colors, axis=0):
        assert len(np.unique(result.labels.reshape(-1)[(colors == color).all(axis=1)])) == 1


@pytest.mark.parametrize("dither", ["floyd-steinberg", "bayer", "blue-noise"])
def test_each_frame_is_dithered_by_itself(dither):
    """What doesn't move doesn't flicker, either."""
    ramp = np.tile(np.linspace(0, 255, 50).astype(np.uint8), (30, 1))
    frames = np.stack([ramp, ramp, 255 - ramp, ramp])[..., np.newaxis]
    result = kf.quantize(frames, 3, dither=dither)
    np.testing.assert_array_equal(result.labels[0], result.labels[1])
    np.testing.assert_array_equal(result.labels[0], result.labels[3])
    alone = kf.apply_palette(ramp, result.palette, dither=dither)
    np.testing.assert_array_equal(result.labels[0], alone.labels)
    assert result.counts.sum() == frames.size
    assert result.mse == pytest.approx(np.mean((result.to_array().astype(float) - frames[..., 0]) ** 2))


def test_a_given_palette_is_for_frames_too():
    frames = moving()
    result = kf.apply_palette(frames, COLORS[:5])
    for labels, frame in zip(result.labels, frames, strict=True):
        np.testing.assert_array_equal(labels, kf.apply_palette(frame, COLORS[:5]).labels)


def test_lists_of_grey_and_colour_and_transparency():
    grey, colored, clear = (np.zeros((4, 5, n), np.uint8) for n in (1, 3, 4))
    grey[:], colored[:] = 50, [200, 0, 0]
    result = kf.quantize([grey[..., 0], colored, clear], 3)
    assert result.mse == 0
    assert result.to_array()[:, 0, 0].tolist() == [[50, 50, 50, 255], [200, 0, 0, 255], [0, 0, 0, 0]]


def test_frames_that_differ_are_refused():
    with pytest.raises(ValueError, match="image must be of one size as it is a list of frames, got 5 x 4 and 4 x 5"):
        kf.quantize([np.zeros((4, 5), np.uint8), np.zeros((5, 4), np.uint8)], 2)
    with pytest.raises(ValueError, match="image must be of one depth as it is a list of frames, got uint8 and uint16"):
        kf.quantize([np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint16)], 2)
    with pytest.raises(ValueError, match=r"image must have shape .* or be frames, got"):
        kf.quantize(np.zeros((3, 4, 5, 2), np.uint8), 2)


def test_histograms_of_frames_add_up():
    frames = moving()
    total = sum(kf.ColorHistogram.from_image(frame) for frame in frames)
    assert total == kf.ColorHistogram.from_image(frames)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("options", [{}, {"ignore": "transparent", "space": "oklab"}, {"sort": "hue", "n_colors": 3}])
def test_the_palette_of_a_histogram_is_that_of_its_pictures(alpha, options):
    frames = moving(alpha=alpha)
    counted = sum(kf.ColorHistogram.from_image(frame) for frame in frames)
    options = {"n_colors": 6, **options}
    expected, actual = kf.palette(frames, **options), kf.palette(counted, **options)
    np.testing.assert_array_equal(actual.palette, expected.palette)
    assert (actual.counts.tolist(), actual.mse) == (expected.counts.tolist(), expected.mse)


def test_other_histograms():
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16) * 200
    wide = kf.ColorHistogram.from_image(grey, channel_axis=None)
    np.testing.assert_array_equal(kf.palette(wide, 5).palette, kf.palette(grey, 5).palette)
    opaque = in_rgba(moving()[0])
    assert kf.palette(kf.ColorHistogram.from_image(opaque), 5).hex_colors == kf.palette(opaque, 5).hex_colors
    with pytest.raises(TypeError, match="image must have its pixels, got a ColorHistogram; palette takes that"):
        kf.quantize(wide, 5)
    with pytest.raises(ValueError, match="must have shape"):
        kf.palette(kf.ColorHistogram.from_image(opaque[..., :2]), 5)


def test_one_frame_as_a_picture_of_pillows():
    result = kf.quantize(moving(), 6)
    assert repr(result).startswith("<QuantizedImage: 5 frames of 31×24 pixels, 6 colors")
    np.testing.assert_array_equal(np.asarray(result.to_pil(3)), result.labels[3])
    np.testing.assert_array_equal(kf.read_image(result._repr_png_()), result.to_array()[0])
    with pytest.raises(ValueError, match="there are 5 frames, got None"):
        result.to_pil()
    with pytest.raises(ValueError, match="there are no frames, got 0"):
        kf.quantize(moving()[0], 6).to_pil(0)


# ---------------------------------------------------------------------------------------------------- out


@pytest.mark.parametrize("format_", ANIMATED)
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("n_colors", [5, 13, 20])
def test_frames_come_back(format_, alpha, n_colors):
    result = kf.quantize(moving(alpha=alpha), n_colors)
    file = io.BytesIO()
    size = result.save(file, format=format_, duration=[50, 60, 70, 80, 90], loop=3)
    assert size == len(file.getvalue())
    frames, durations, _ = read_by_pillow(file.getvalue())
    np.testing.assert_array_equal(frames, in_rgba(result.to_array()))
    assert durations == [50, 60, 70, 80, 90]


@pytest.mark.parametrize("format_", ANIMATED)
@pytest.mark.parametrize("n_colors", [2, 200, 256])
def test_frames_of_noise_with_transparent_pixels(format_, n_colors):
    """All entries are in use, and pixels become transparent and opaque again."""
    draws = np.random.default_rng(n_colors)
    palette = np.column_stack([draws.permutation(256)[:n_colors]] * 3 + [np.full(n_colors, 255)]).astype(np.uint8)
    palette[n_colors // 2] = 0
    frames = palette[draws.integers(0, n_colors, (6, 13, 17))]
    result = kf.quantize(frames, 256)
    assert result.mse == 0
    file = io.BytesIO()
    result.save(file, format=format_)
    np.testing.assert_array_equal(read_by_pillow(file.getvalue())[0], in_rgba(frames))
    np.testing.assert_array_equal(kf.read_frames(file.getvalue()).pixels, frames)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format_", ["png", "gif"])
def test_other_decoders_see_the_same_frames(format_, alpha):
    """Those of libpng and giflib."""
    decode = {"png": imagecodecs.apng_decode, "gif": imagecodecs.gif_decode}[format_]
    result = kf.quantize(moving(alpha=alpha), 13)
    file = io.BytesIO()
    result.save(file, format=format_)
    np.testing.assert_array_equal(decode(file.getvalue()), result.to_array())


@pytest.mark.parametrize("format_", ["png", "webp"])
def test_frames_of_translucent_and_of_many_colours(format_):
    draws = np.random.default_rng(1)
    few = draws.integers(0, 256, (9, 4), np.uint8)[draws.integers(0, 9, (4, 11, 12))]
    many = draws.integers(0, 256, (4, 11, 12, 4), np.uint8)
    for frames in (few, many):
        result = kf.quantize(frames, 400)
        file = io.BytesIO()
        result.save(file, format=format_)
        np.testing.assert_array_equal(kf.read_frames(file.getvalue()).pixels, result.to_array())


def test_a_gif_has_one_palette():
    file = io.BytesIO()
    kf.quantize(moving(), 13).save(file, format="gif")
    data = file.getvalue()
    position = 13 + 3 * (2 << (data[10] & 7))
    n_frames = 0
    while data[position] != 0x3B:
        if data[position] == 0x2C:
            assert data[position + 9] & 0x80 == 0, "a frame has a palette of its own"
            position, n_frames = position + 11, n_frames + 1
        else:
            position += 2
        while data[position]:
            position += data[position] + 1
        position += 1
    assert n_frames == 5


def test_frames_that_are_alike_are_shown_longer():
    frames = moving()[[0, 0, 1, 1, 1, 2]]
    for format_ in ANIMATED:
        file = io.BytesIO()
        kf.quantize(frames, 20).save(file, format=format_, duration=40)
        back = kf.read_frames(file.getvalue())
        times = np.repeat(np.arange(len(back)), np.array(back.duration, int) // 40)
        np.testing.assert_array_equal(back.pixels[times], frames)


@pytest.mark.parametrize("format_", ANIMATED)
@pytest.mark.parametrize("loop", [0, 1, 2, 7])
def test_how_often_it_is_played(format_, loop):
    file = io.BytesIO()
    kf.quantize(moving(), 4).save(file, format=format_, loop=loop)
    assert kf.read_frames(file.getvalue()).loop == loop
    stored = read_by_pillow(file.getvalue())[2]
    assert stored == ({0: 0, 1: None}.get(loop, loop - 1) if format_ == "gif" else loop)


def test_hundredths_of_a_second_in_a_gif():
    """Browsers show what takes a hundredth for ten."""
    file = io.BytesIO()
    kf.quantize(moving(), 4).save(file, format="gif", duration=[16.7, 33.3, 10, 1000, 46])
    assert kf.read_frames(file.getvalue()).duration == (20, 30, 10, 1000, 50)


def test_durations_that_cannot_be():
    result, still = kf.quantize(moving(), 4), kf.quantize(moving()[0], 4)
    for options, message in (
        ({"duration": [1, 2]}, "one for each of 5 frames, got 2"),
        ({"duration": 655_351}, "duration must be at most 655350 milliseconds, got 655351"),
        ({"duration": -1}, "duration must be at least 0"),
        ({"loop": -1}, "loop must be at least 0"),
        ({"loop": 65536}, "loop must be at most 65535"),
        ({"duration": 5, "format": "tiff"}, "left out for pages of a TIFF"),
    ):
        with pytest.raises(ValueError, match=message):
            result.save(io.BytesIO(), **{"format": "gif", **options})
    with pytest.raises(ValueError, match="must be left out for a single picture, got None and 0"):
        still.save(io.BytesIO(), loop=0)


# ---------------------------------------------------------------------------------------------------- in


@pytest.mark.parametrize("format_", ANIMATED)
@pytest.mark.parametrize("alpha", [False, True])
def test_reading_frames(format_, alpha):
    frames = moving(alpha=alpha)
    data = saved(frames, format_, duration=[20, 30, 40, 50, 60])
    read = kf.read_frames(data)
    np.testing.assert_array_equal(read.pixels, frames)
    assert (read.duration, read.loop, len(read)) == ((20, 30, 40, 50, 60), 0, 5)
    for number in (0, 2, 4):
        np.testing.assert_array_equal(in_rgba(kf.read_image(data, frame=number)), in_rgba(frames[number]))
    with pytest.raises(ValueError, match="has 5 pictures, so that frame must be from 0 to 4, got 5"):
        kf.read_image(data, frame=5)


def test_a_frame_of_a_still_picture():
    with pytest.raises(ValueError, match="has one picture, so that frame must be from 0 to 0, got 1"):
        kf.read_image(kf.sample_path(), frame=1)
    with pytest.raises(ValueError, match="frame must be at least 0, got -1"):
        kf.read_image(kf.sample_path(), frame=-1)
    assert kf.read_image(kf.sample_path(), frame=0).shape == (300, 451, 3)


def test_modes_of_frames():
    data = saved(moving(alpha=True), "png")
    assert kf.read_frames(data, mode="RGB").pixels.shape == (5, 24, 31, 3)
    assert kf.read_frames(saved(moving(), "gif"), mode="RGBA").pixels.shape == (5, 24, 31, 4)
    assert kf.read_frames(kf.sample_path(), mode="RGBA").pixels.shape == (1, 300, 451, 4)
    with pytest.raises(ValueError, match="mode must be one of 'RGB', 'RGBA', got 'L'"):
        kf.read_frames(data, mode="L")


def test_all_frames_together_are_limited():
    data = saved(moving(), "gif")
    n_pixels = 5 * 24 * 31
    with pytest.raises(ValueError, match=rf"has 5 pictures of 31 x 24 = {n_pixels} pixels; at most {n_pixels - 1} are"):
        kf.read_frames(data, max_pixels=n_pixels - 1)
    assert len(kf.read_frames(data, max_pixels=n_pixels)) == 5


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pages_of_a_tiff(depth):
    pages = [np.full((6, 7), value, depth) for value in (1000 % (np.iinfo(depth).max + 1), 0, 250)]
    first, *others = map(Image.fromarray, pages)
    file = io.BytesIO()
    first.save(file, format="TIFF", save_all=True, append_images=others)
    read = kf.read_frames(file.getvalue())
    for number, page in enumerate(pages):
        expected = kf.read_image(file.getvalue(), frame=number)
        assert expected[0, 0] == (round(int(page[0, 0]) / 257) if depth == np.uint16 else page[0, 0])
        np.testing.assert_array_equal(read[number], np.stack([expected] * 3, axis=2))


def test_pages_of_several_sizes_are_read_one_by_one():
    file = io.BytesIO()
    Image.new("RGB", (4, 5)).save(file, format="TIFF", save_all=True, append_images=[Image.new("RGB", (2, 2))])
    assert kf.read_image(file.getvalue(), frame=1).shape == (2, 2, 3)
    with pytest.raises(ValueError, match="are of several sizes, or no frames"):
        kf.read_frames(file.getvalue())


def test_a_picture_that_stands_in_for_an_animation_is_no_frame():
    frames = moving()
    data = saved(frames, "png", default_image=True)
    np.testing.assert_array_equal(kf.read_frames(data).pixels, frames[1:])


@pytest.mark.parametrize("format_", ANIMATED)
def test_an_animation_that_is_cut_short(format_):
    """It is an error, or the first frame with a note; never some of the frames in silence."""
    data = saved(moving(), format_)
    for n_bytes in (len(data) * 3 // 4, len(data) - 40):
        try:
            notes = kf.compress(data[:n_bytes], io.BytesIO(), 8, format=format_).notes
        except ValueError as error:
            notes = (str(error),)
        assert "damaged" in notes[0] or "pictures the first was read" in notes[0]


def test_a_frame_beyond_the_edges():
    data = bytearray(saved(moving(), "gif"))
    places = [place for place in range(len(data) - 10) if data[place : place + 5] == b",\0\0\0\0"]
    data[places[0] + 5 : places[0] + 9] = data[6:10]
    second = data.index(b"!\xf9\4", places[0]) + 8
    assert data[second] == ord(",")
    data[second + 5 : second + 9] = (200).to_bytes(2, "little") * 2
    with pytest.raises(ValueError, match="has frames beyond the edges of its first one"):
        kf.read_frames(bytes(data))


# ---------------------------------------------------------------------------------------------------- compress


@pytest.mark.parametrize("from_", ANIMATED)
@pytest.mark.parametrize("to", ANIMATED)
@pytest.mark.parametrize("alpha", [False, True])
def test_an_animation_stays_one(from_, to, alpha):
    frames = moving(alpha=alpha)
    file = io.BytesIO()
    report = kf.compress(saved(frames, from_, duration=[20, 30, 40, 50, 60], loop=2), file, 8, format=to)
    assert report.n_frames == 5
    assert "5 frames" in str(report)
    assert not any("first" in note for note in report.notes)
    expected = kf.quantize(frames, 8)
    read = kf.read_frames(file.getvalue())
    np.testing.assert_array_equal(read.pixels, expected.to_array())
    assert read.duration == (20, 30, 40, 50, 60)
    assert read.loop == (3 if from_ == "gif" else 2)  # Pillow writes two repetitions into a GIF
    assert (report.mse, report.width, report.height) == (expected.mse, 31, 24)


def test_pages_stay_pages():
    file, written = io.BytesIO(), io.BytesIO()
    first, *others = map(Image.fromarray, moving())
    first.save(file, format="TIFF", save_all=True, append_images=others, dpi=(300, 300))
    report = kf.compress(file.getvalue(), written, 8, format="tiff")
    assert report.n_frames == 5
    np.testing.assert_array_equal(kf.read_frames(written.getvalue()).pixels, kf.quantize(moving(), 8).to_array())
    with Image.open(written) as image:
        assert image.mode == "P"
        assert tuple(map(float, image.info["dpi"])) == (300, 300)


@pytest.mark.parametrize("to", ["bmp", "tiff"])
def test_where_there_is_no_place_for_frames_the_first_is_taken_and_a_note_says_so(to):
    report = kf.compress(saved(moving(), "gif"), io.BytesIO(), 8, format=to)
    assert report.n_frames == 1
    assert "of 5 pictures the first was read" in report.notes


def test_one_frame_that_is_asked_for():
    file = io.BytesIO()
    report = kf.compress(saved(moving(), "gif"), file, 8, frame=2)
    assert (report.n_frames, report.notes) == (1, ())
    np.testing.assert_array_equal(kf.read_image(file.getvalue()), kf.quantize(moving()[2], 8).to_array())


def test_metadata_of_animations():
    profile = bytes(16) + b"RGB " + bytes(108)
    for from_, to in (("png", "webp"), ("webp", "png")):
        file = io.BytesIO()
        first, *others = map(Image.fromarray, moving())
        first.save(file, format=from_, save_all=True, append_images=others, icc_profile=profile, lossless=True)
        written = io.BytesIO()
        kf.compress(file.getvalue(), written, 8, format=to)
        with Image.open(written) as image:
            assert image.info["icc_profile"] == profile
