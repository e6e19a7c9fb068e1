"""Files of palettes: each format there and back, as others read and write it, and what is damaged."""

import io
import json
import struct

import numpy as np
import pytest
from PIL import GimpPaletteFile, Image

import kmeans_fast as kf

COLORS = ["#ff8000", "#000080", "#ffffff", "#000080", "#010203"]  # one is there twice
WITH_ALPHA = ["#ff800080", "#00000000", "#ffffffff"]
FORMATS = {"hex": ".hex", "gpl": ".gpl", "act": ".act", "ase": ".ase", "jasc": ".pal", "riff": ".pal"}
FORMATS |= {"json": ".json", "png": ".png"}


def as_file(tmp_path, suffix, data):
    path = tmp_path / f"palette{suffix}"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def written(colors, name):
    file = io.BytesIO()
    assert kf.Palette(colors).save(file, format=name) == len(file.getvalue())
    return file.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_there_and_back(tmp_path, name):
    path = tmp_path / f"Five{FORMATS[name].upper()}"
    kf.Palette(COLORS).save(path, format=name)
    assert kf.read_palette(path).hex == COLORS
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing else is left


@pytest.mark.parametrize("name", FORMATS)
def test_as_many_entries_as_a_format_holds(tmp_path, name):
    n_entries = {"act": 256, "png": 256, "riff": 2**16 - 1}.get(name, 2**16)
    entries = np.arange(n_entries, dtype=np.uint32).view(np.uint8).reshape(-1, 4)[:, :3]
    path = tmp_path / f"many{FORMATS[name]}"
    kf.Palette(entries).save(path, format=name)
    np.testing.assert_array_equal(kf.read_palette(path).palette, entries)
    with pytest.raises(ValueError, match=f"palette must have at most {n_entries} entries as {name}"):
        kf.Palette(np.vstack([entries, entries[:1]])).save(path, format=name)


@pytest.mark.parametrize("name", ["hex", "gpl", "json", "png"])
def test_alpha(tmp_path, name):
    path = as_file(tmp_path, FORMATS[name], written(WITH_ALPHA, name))
    assert kf.read_palette(path).hex == WITH_ALPHA


@pytest.mark.parametrize("name", ["ase", "jasc", "riff", "act"])
def test_alpha_is_never_dropped(name):
    with pytest.raises(ValueError, match=f"palette must be opaque as {name}, got 2 entries that aren't; 'hex', 'gpl'"):
        written(WITH_ALPHA, name)


def test_the_transparent_entry_of_a_color_table(tmp_path):
    path = as_file(tmp_path, ".act", written(["#ff8000ff", "#00000000"], "act"))
    assert kf.read_palette(path).hex == ["#ff8000ff", "#00000000"]


def test_16_bits_are_rounded():
    assert written(np.array([[65535, 128, 129]], np.uint16), "hex") == b"ff0001\n"


def test_grey_is_written_as_rgb():
    assert written([0, 171], "hex") == b"000000\nababab\n"


def test_pillow_reads_gimps_palette():
    data, mode = GimpPaletteFile.GimpPaletteFile(io.BytesIO(written(COLORS, "gpl"))).getpalette()
    assert mode == "RGB"
    assert [f"#{data[i : i + 3].hex()}" for i in range(0, len(data), 3)] == COLORS


def test_bytes_of_a_swatch_exchange():
    """As Illustrator has them: each colour a block, of its name with its end, model, three floats and a kind."""
    name = "#ff8000\0".encode("utf-16-be")
    color = struct.pack(">H", 8) + name + b"RGB " + struct.pack(">fffH", 1, 128 / 255, 0, 2)
    assert written(["#ff8000"], "ase") == b"ASEF\0\1\0\0\0\0\0\1" + struct.pack(">HI", 1, len(color)) + color


def test_swatches_in_groups_and_grey(tmp_path):
    group = struct.pack(">HIH", 0xC001, 6, 2) + "a\0".encode("utf-16-be")
    grey = struct.pack(">HH", 1, 0) + b"Gray" + struct.pack(">fH", 0.2, 0)
    blocks = group + struct.pack(">HI", 1, len(grey)) + grey + struct.pack(">HI", 0xC002, 0)
    path = as_file(tmp_path, ".ase", b"ASEF\0\1\0\0\0\0\0\3" + blocks)
    assert kf.read_palette(path).hex == ["#333333"]


def test_bytes_of_microsofts_palette():
    data = written(["#ff8000", "#010203"], "riff")
    assert data == b"RIFF\x18\0\0\0PAL data\x0c\0\0\0\0\x03\2\0\xff\x80\0\0\1\2\3\0"


def test_a_chunk_before_the_colours_is_passed_over(tmp_path):
    data = b"RIFF\x22\0\0\0PAL LIST\1\0\0\0x\0data\x08\0\0\0\0\x03\1\0\xff\x80\0\0"
    assert kf.read_palette(as_file(tmp_path, ".pal", data)).hex == ["#ff8000"]


def test_a_color_table_without_an_end_has_256(tmp_path):
    assert kf.read_palette(as_file(tmp_path, ".act", bytes(768))).n_colors == 256


@pytest.mark.parametrize(
    "content",
    [["#ff8000", "navy"], {"name": "x", "colors": ["FF8000", "000080"]}, {"colors": [{"hex": "#ff8000"}, "#000080"]}],
    ids=str,
)
def test_json_of_others(tmp_path, content):
    assert kf.read_palette(as_file(tmp_path, ".json", json.dumps(content))).hex == ["#ff8000", "#000080"]


def test_text_of_others(tmp_path):
    gimp = "GIMP Palette\r\nName: \u00c4\r\n#\r\n\r\n255 128   0\tOrange peel\r\n  0   0 128\r\n"
    assert kf.read_palette(as_file(tmp_path, ".gpl", gimp)).hex == ["#ff8000", "#000080"]
    assert kf.read_palette(as_file(tmp_path, ".hex", "\ufeff#FF8000\r\n\r\n000080")).hex == ["#ff8000", "#000080"]


def test_a_pictures_colours_in_the_order_of_their_appearance(tmp_path):
    Image.fromarray(np.array([[[9, 9, 9], [1, 1, 1]], [[9, 9, 9], [5, 0, 5]]], np.uint8)).save(tmp_path / "a.bmp")
    assert kf.read_palette(tmp_path / "a.bmp").hex == ["#090909", "#010101", "#050005"]


def test_an_indexed_pictures_palette_used_or_not(tmp_path, small_cat):
    kf.apply_palette(small_cat, ["#ff00ff", "#604020", "#c0a080"]).save(tmp_path / "a.png")
    assert kf.read_palette(tmp_path / "a.png").hex == ["#ff00ff", "#604020", "#c0a080"]


def test_a_picture_with_more_colours(tmp_path, cat):
    Image.fromarray(cat).save(tmp_path / "cat.png")
    with pytest.raises(ValueError, match="must have at most 256 colours to be a palette, got 32,584"):
        kf.read_palette(tmp_path / "cat.png")


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".hex", b"ff80\nff800\n"),
        (".hex", b"\xff\xfe"),
        (".hex", b"\n"),
        (".gpl", b"GIMP\n1 2 3"),
        (".gpl", b"GIMP Palette\n1 2"),
        (".gpl", b"GIMP Palette\n1 2 256"),
        (".gpl", b"GIMP Palette\n1 -2 3"),
        (".gpl", b"GIMP Palette\n"),
        (".act", bytes(767)),
        (".act", bytes(768) + b"\x02\0\0\0"),
        (".ase", b"ASEX" + bytes(8)),
        (".ase", b"ASEF\0\1\0\0\0\0\0\0"),
        (".ase", b"ASEF\0\1\0\0\0\0\0\2\xc0\2\0\0\0\0"),
        (".ase", b"ASEF\0\1\0\0\0\0\0\1\0\1\0\0\0\2\0\0"),
        (".ase", b"ASEF\0\1\0\0\0\0\0\1\0\1\0\0\0\6\0\0CMYK"),
        (".ase", b"ASEF\0\1\0\0\0\0\0\1\0\1\0\0\0\x0a\0\0Gray\x7f\xc0\0\0"),
        (".pal", b"JASC-PAL\n0100\n2\n1 2 3\n"),
        (".pal", b"JASC-PAL\n0100\nx\n"),
        (".pal", b"RIFF\0\0\0\0WAVE"),
        (".pal", b"RIFF\0\0\0\0PAL data\0\0\0\0\0\3\2\0\1\2\3"),
        (".pal", b"RIFF\0\0\0\0PAL "),
        (".json", b"{"),
        (".json", b"3"),
        (".json", b"[]"),
        (".json", b'["#ff"]'),
        (".json", b'{"colors": [[1, 2, 3]]}'),
        (".json", b"[" * 100_000),
        (".png", b"\x89PNG\r\n"),
    ],
    ids=str,
)
def test_damaged_files(tmp_path, suffix, data):
    with pytest.raises(ValueError, match="palette"):
        kf.read_palette(as_file(tmp_path, suffix, data))


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("hex", "png")])
def test_files_cut_short(tmp_path, name):
    """At each byte: refused, or, where lines of text end the file, with the entries so far."""
    whole = written(COLORS, name)
    for end in range(1, len(whole), 1 + len(whole) // 200):
        path = as_file(tmp_path, FORMATS[name], whole[:end])
        try:
            found = kf.read_palette(path).hex
        except ValueError:
            continue
        assert name in ("gpl", "jasc", "act", "json")
        assert found[:-1] == COLORS[: len(found) - 1] or name == "act"


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        kf.read_palette(tmp_path / "none.gpl")
    with pytest.raises(IsADirectoryError):
        kf.read_palette(tmp_path)


def test_names_and_formats(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.act, \.ase, \.gpl, \.hex, \.json, \.pal, \.png"):
        kf.Palette(COLORS).save(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="format must be given for a file object"):
        kf.Palette(COLORS).save(io.BytesIO())
    with pytest.raises(ValueError, match="format must be one of 'hex', 'gpl'"):
        kf.Palette(COLORS).save(tmp_path / "a.hex", format="css")


def test_a_failure_leaves_the_old_file(tmp_path):
    path = as_file(tmp_path, ".ase", "old")
    with pytest.raises(ValueError, match="opaque"):
        kf.Palette(WITH_ALPHA).save(path)
    assert path.read_text() == "old"
