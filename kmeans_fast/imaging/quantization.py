"""An image in K colours: `quantize`, `palette` for the colours alone, and `apply_palette` for colours that are given.

The road: what is asked is checked (`requests`), and the picture (`pixels`); its colours are counted
(`picture_colors`); a palette is found (`finding`); every pixel gets its colour's entry, or is dithered (`mapping`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from numpy.typing import ArrayLike

from kmeans_fast.imaging.finding import find_palette
from kmeans_fast.imaging.mapping import picture_in
from kmeans_fast.imaging.palettes import QuantizedImage, QuantizedPalette
from kmeans_fast.imaging.picture_colors import count_colors
from kmeans_fast.imaging.pixels import checked_pixels, checked_pixels_or_colors
from kmeans_fast.imaging.requests import checked_request
from kmeans_fast.options import Asked


def quantize(
    image: Any,
    n_colors: int | None = None,
    *,
    quality: float | None = None,
    max_error: float | None = None,
    sort: str = "none",
    space: str = "srgb",
    lightness: float = 1.0,
    dither: str = "none",
    strength: float = 1.0,
    palette: Any = None,
    fixed: Any = None,
    min_region: int = 1,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    keep_hidden_color: bool = False,
    **options: Unpack[Asked],
) -> QuantizedImage:
    """Reduce an image to `n_colors` colours by k-means on all its pixels.

    The centroids are rounded to the picture's depth, 8 or 16 bits, before the last assignment. So every pixel gets its
    nearest palette entry, the entries are distinct, each is used, and quantizing the result again changes nothing.

    Parameters
    ----------
    image : array_like of uint8 or uint16, or of floats from 0 to 1
        Of shape (H, W) or (H, W, 1) grey, (H, W, 3) RGB, or (H, W, 4) RGBA with straight alpha: an array, or what
        ``np.asarray`` makes one of, such as Pillow's images of modes L, RGB, RGBA and I;16. Floats are taken for
        the 8-bit or 16-bit integers that, divided by 255 or 65535, they are; if not all are such, each for the nearest
        of 16 bits. Not changed. Or frames of one size, which share the palette: a list of such pictures, an array
        (F, H, W, C), or what `read_frames` gives. In a masked array, pixels of which a channel is masked are left out.
    n_colors : int, optional
        The number of colours, at least 1; 8 by default. A picture that has no more than these keeps them exactly.
    quality : float, optional
        Instead of `n_colors`: the least `psnr` in dB. Searches for few colours that reach it, up to 256, by bisection:
        as the error mostly, but not always, falls with each further colour, a few less may reach it too. If even
        256 don't, they are the result, and its `quality_met` is False.
    max_error : float, optional
        Instead of `n_colors`, or with `quality` as well: how much any colour that is seen may change, where `quality`
        is about the mean. So few colours are searched for that the largest difference is at most this, by CIEDE2000,
        where about 1 begins to be seen: with 5 a few blue links on a page stay blue. A colour is seen if it and
        what is like it (8-bit values that differ in the lowest 3 bits) have a ten-thousandth of the pixels; its
        difference is the mean of these pixels'. Photographs have 7 to 10 with 256 colours.
    sort : {"none", "count", "luma", "hue"}
        Order of the palette: as it comes, with an entry that is fully transparent first; most frequent first; dark to
        light, where what isn't opaque comes before the rest; or by hue, after the greys.
    space : {"srgb", "linear", "oklab", "lab"}
        Where colours are compared, for an RGB picture without transparency:

        - ``"srgb"``: by the values as they are, where the error that is reported is the least;
        - ``"linear"``: by light, of which sRGB's values are about the square root;
        - ``"oklab"``: by how different they look, in Oklab (Ottosson 2020);
        - ``"lab"``: by how different they look, in CIELAB (CIE 15:2018) for D65.

        See the notes.
    lightness : float
        How much the axis of lightness counts in ``"oklab"`` and ``"lab"``, from 0.1 to 10. Below 1 the palette has
        more hues and fewer shades.
    dither : {"none", "floyd-steinberg", "atkinson", "bayer", "blue-noise"}
        Spread the error so that areas keep their mean colour, at the price of grain, and of larger files:

        - ``"floyd-steinberg"`` passes each pixel's error on to its neighbours, row by row, to and fro; all of it in
          smooth areas, and less where a pixel differs from the next ones, which would be grain without use;
        - ``"atkinson"`` does so with three quarters of it: more contrast, and lights and shadows without grain;
        - ``"bayer"`` mixes colours in a regular pattern, which compresses better, and doesn't flicker in animations;
        - ``"blue-noise"`` does so in an irregular pattern, without structure that the eye would see.

        Colours that are in the palette stay as they are. Only opaque entries are dithered: transparency is as without.
        Errors are those in sRGB, whatever the space. For pictures of 8 bits.
    strength : float
        Of dithering, from 0 to 1: how much of the error is spread, in steps of 1/64.
    palette : optional
        Instead of `n_colors`: the palette, kept as it is, in its order, also what is not used, or there twice, of which
        the first is taken. An array (K, 1), (K, 3) or (K, 4) of the picture's depth, or of uint8 for any; colours such
        as ``"#ff8000"``, ``"#ff800080"``, ``"#f80"`` or ``"orange"``; a `Palette`, or what `quantize` returned; or the
        name of a file that `read_palette` reads. Each pixel gets the entry that is nearest in the space asked for.
        What would be ignored can't be given with it.
    fixed : optional
        Colours, in any of these forms, that have to be in the palette, and are counted by `n_colors`: they stay as they
        are, first in the palette unless it is sorted, whether they are used or not, and k-means finds the others
        beside them. All different, and fewer than `n_colors`; one that is fully transparent has no colour. An array as
        `init` has a row for each of the others.
    min_region : int
        The least pixels of a region: of pixels of one entry each of which can be reached from each other by steps to
        one of four neighbours. Smaller ones are specks, which an embroiderer or a painter can't make: their pixels get
        the entry that they have the longest border with, the smallest first. 1 keeps all. Not with dithering.
    mask : array_like of bool, shape (H, W), (F, H, W) of frames, or flat, optional
        True for each pixel that takes part, as for `kmeans_fast.kmeans`: the others, which may be NaN, count for
        nothing, and their labels are masked, 0 below the mask. Neither with dithering nor with `min_region`.
    channel_axis : int or None
        Where the channels are, of each picture if it is a list of frames: 0 for a raster of bands (C, H, W). A picture
        (H, W) has none, nor have grey frames (F, H, W) with None.
    keep_hidden_color : bool
        Whether the colours of fully transparent pixels matter, as in textures whose alpha is masked or blended later.
        Then colours are compared as they are, in all four channels, and what is fully transparent gets entries of its
        own. In sRGB and without dithering.
    init : {"auto", "variance", "cubes", "k-means++", "random"} or array_like, shape (K, C)
        As for `kmeans_fast.kmeans`. ``"auto"`` is ``"cubes"`` for up to 16 colours and ``"variance"`` for more, or
        ``"k-means++"`` for several runs. With many colours, as transparency and noise make them (524,288, and some
        4,000 an entry), it goes by every so-manieth pixel in the order of their colours, 1,024 an entry: it is where up
        to 28 iterations on these end. An array has one row of values of the picture's depth for each colour, whose
        number it also is; it is not possible for a picture with transparency. Rows are sRGB whatever the space, in
        other spaces than sRGB in whole numbers from 0 to 255 or 65535.
    max_iter, tol, relaxation, momentum
        As for `kmeans_fast.kmeans`, on all pixels, as are `n_iter` and what a callback sees. `max_iter` is 18, or 2
        where ``"auto"`` went by a part of the pixels, which ends as low. The defaults stop within 0.5 % of the error of
        the fixed point, mostly, in a fraction of its time; ``max_iter=10**6, tol=0, relaxation=1, momentum=0`` goes all
        the way.
    effort : {0, 1, 2, 3}
        As for `kmeans_fast.kmeans`. With 0, ``"auto"`` is ``"variance"`` for any number of colours. With 2 and 3 the
        rounded palette is improved as well, and the error is never above that of a lower effort, for as many colours;
        each number of colours that `quality` tries is searched for.
    n_init, seed, engine, n_threads, callback
        As for `kmeans_fast.kmeans`.

    Returns
    -------
    QuantizedImage
        Palette, counts, error and labels, (H, W) or, of frames, (F, H, W).

    Raises
    ------
    TypeError
        If `image` is no array or of another dtype, a list with masked arrays in it, or a picture in a mode of Pillow's
        that isn't L, RGB, RGBA or I;16, or `n_colors` is no integer.
    ValueError
        If `image` has another shape or no pixels, or floats outside 0 to 1; if `n_colors` is below 1, or 1 (beside
        what is fixed) for a picture that is transparent in one place and visible in another, or given together with
        `quality` or `max_error`; if a palette is given together with what it would leave nothing to do for, or can't
        be read; if what is fixed isn't as said above; if a space other than sRGB is asked for and `image` is grey or
        has transparency; if `lightness` isn't 1 in a space without that axis; if `min_region` isn't 1 with
        dithering, or either is asked for with a mask; if the mask leaves out all pixels or is of another shape; and
        whatever `kmeans_fast.kmeans` says of the other options.

    Notes
    -----
    A picture whose pixels are all opaque gives the same result with an alpha channel as without. Otherwise colours are
    compared premultiplied with alpha, all fully transparent pixels share the entry (0, 0, 0, 0), and their hidden
    colours pull on no centroid. Opaque pixels stay opaque: each gets the nearest of the opaque entries, any other pixel
    the nearest of all. How many are opaque is found by splitting both kinds of colours where it lowers the error most.
    With `keep_hidden_color` what is fully transparent is such a kind as well, and stays so; `mse` and `psnr` are then
    of the four channels as they are.

    Premultiplied colours of 8 bits are exact. Those of 16 are rounded to 16 bits, by which they move by at most 1/514
    of an 8-bit step a channel: faint colours that become the same by that are one colour, of which the palette has the
    first. With `keep_hidden_color` nothing is rounded.

    In all spaces distinct colours are clustered as points of whole numbers, made without a machine's own powers and
    roots, so that the result is the same on every machine: light in steps of 1/65,535, Oklab in steps of 1/65,280,
    CIELAB in steps of 1/255, each rounded to the nearest. So a point is at most 1.4e-5 from its place in Oklab, and
    0.0034 in CIELAB, where people begin to see a difference at about 0.02 and 1 to 2.3; all 16,777,216 of 8 bits have
    points of their own. A weight of lightness below 1 makes the steps of that axis coarser, one above 1 those of the
    others, so that colours less than a step apart may be taken for one. So may colours of 16 bits be, which have the
    same steps: of light up to 13 values near black have one, of Oklab and CIELAB up to 65 that differ in a channel
    beside a bright one, a quarter of an 8-bit step. A palette has a picture's own colour where it has its point, the
    first of several. Palettes are of sRGB, in the picture's depth, and every pixel has the entry that is nearest in the
    space asked for. `mse`, `psnr` and `quality` are of sRGB values in every space, so that they can be compared; `tol`,
    and what a callback sees, are in 1/255 of a unit (Oklab, light) or of 100 units (CIELAB).

    Of specks that are equally small that goes first which begins first, row by row; of borders that are equally long
    that with the first entry counts. A speck becomes one region with all those of its new entry that it touches.
    Entries that lose all their pixels are dropped, unless a palette, or a part of it, is given. As with dithering,
    `counts`, `mse` and `psnr` are of the picture as it is returned, and `quality` goes by the picture without.

    With dithering the palette is the same as without. `counts`, `mse` and `psnr` are of the picture as it is returned,
    whose pixels are farther from their colours one by one than without dithering; `quality`, `quality_met` and
    ``sort="count"`` go by the picture without.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> image = kf.read_image(kf.sample_path())
    >>> result = kf.quantize(image, 8)
    >>> result.palette.shape, result.labels.shape, result.n_colors
    ((8, 3), (300, 451), 8)
    >>> kf.quantize(image, quality=30)
    <QuantizedImage: 451×300 pixels, 13 colors, mse 189.08, psnr 30.14 dB>
    >>> kf.quantize(image, 3, space="oklab", sort="count").hex_colors
    ['#8c6549', '#af8e79', '#583620']

    A raster whose bands come first, in which 0 stands for no data:

    >>> import numpy as np
    >>> bands = np.array([[[0, 9, 11]], [[0, 80, 84]], [[0, 200, 200]]], np.uint8)
    >>> masked = kf.quantize(bands, 1, channel_axis=0, mask=(bands > 0).all(axis=0))
    >>> masked.hex_colors, masked.labels.tolist(), masked.filled("black").hex_colors
    (['#0a52c8'], [[None, 0, 0]], ['#0a52c8', '#000000'])
    """
    request = checked_request(
        n_colors,
        quality,
        sort,
        space,
        lightness,
        options,
        dither,
        strength,
        palette,
        fixed,
        min_region=min_region,
        max_error=max_error,
        mask=mask,
        channel_axis=channel_axis,
        keep_hidden_color=keep_hidden_color,
    )
    pixels = checked_pixels(image, request)
    with request.machine(pixels.size) as machine:
        colors = count_colors(pixels, machine, as_points=request.is_of_points)
        return picture_in(pixels, colors, find_palette(colors, request), request)


def palette(
    image: Any,
    n_colors: int | None = None,
    *,
    quality: float | None = None,
    max_error: float | None = None,
    sort: str = "none",
    space: str = "srgb",
    lightness: float = 1.0,
    fixed: Any = None,
    ignore: str | Sequence[str] = (),
    merge: float = 0.0,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    keep_hidden_color: bool = False,
    **options: Unpack[Asked],
) -> QuantizedPalette:
    """Return the palette that `quantize` finds, without labels.

    Parameters
    ----------
    image : array_like or ColorHistogram
        As for `quantize`, or the colours of pictures: ``sum(map(ColorHistogram.from_image, frames))`` are those of an
        animation.
    n_colors, quality, max_error, sort, space, lightness, fixed, mask, channel_axis, keep_hidden_color, **options
        As for `quantize`.
    ignore : str or sequence of str
        Colours whose pixels are left out: exactly these, such as ``"white"``, ``"#ff8000"`` or ``"#ff800080"``, and not
        what is near to them. ``"transparent"`` leaves out pixels with an alpha of 0; then alpha says no more than that:
        other pixels count by their colours, however faint, so that any space can be asked for, and all entries are
        opaque. Counts, shares and errors are those of the pixels that are left.
    merge : float
        Opaque entries that are no farther than this from each other in Oklab, where black and white are 1 apart and
        people begin to see a difference at about 0.02, become one, the nearest first: their mean by pixels, with the
        pixels of both. So there may be fewer than `n_colors`. 0 merges none.

    Returns
    -------
    QuantizedPalette
        Palette, counts and error; an array for NumPy, iterable, with ``hex`` and ``share``. See `Palette`.

    Raises
    ------
    TypeError, ValueError
        As for `quantize`; if something to be ignored is no colour, nothing is left, or something translucent is fixed
        where what is transparent is ignored; or if `merge` is given together
        with `quality`, `max_error` or `fixed`.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.palette(kf.read_image(kf.sample_path()), 3, sort="count").hex_colors
    ['#926b4e', '#b19180', '#633e25']

    The colours of a logo that was cut out of its background:

    >>> import numpy as np
    >>> logo = np.zeros((9, 9, 4), np.uint8)
    >>> logo[2:7, 2:7] = 250, 128, 0, 255
    >>> logo[4, 4] = 255
    >>> kf.palette(logo, 1, ignore=("white", "transparent")).hex
    ['#fa8000']
    """
    request = checked_request(
        n_colors,
        quality,
        sort,
        space,
        lightness,
        options,
        fixed=fixed,
        ignore=ignore,
        merge=merge,
        max_error=max_error,
        mask=mask,
        channel_axis=channel_axis,
        keep_hidden_color=keep_hidden_color,
    )
    pixels = checked_pixels_or_colors(image, request)
    with request.machine(pixels.size) as machine:
        colors = count_colors(pixels, machine, request.ignored, as_points=request.is_of_points)
        return find_palette(colors, request).shown


def apply_palette(
    image: Any,
    palette: Any,
    *,
    space: str = "srgb",
    lightness: float = 1.0,
    dither: str = "none",
    strength: float = 1.0,
    mask: ArrayLike | None = None,
    channel_axis: int | None = -1,
    keep_hidden_color: bool = False,
    engine: str = "auto",
    n_threads: int | None = None,
) -> QuantizedImage:
    """Give each pixel of an image its nearest entry of a palette, or dither with it.

    Parameters
    ----------
    image : array_like
        As for `quantize`.
    palette
        As for `quantize`. A flat sequence of integers is grey.
    space, lightness, dither, strength, mask, channel_axis, keep_hidden_color
        As for `quantize`.
    engine, n_threads
        As for `kmeans_fast.kmeans`.

    Returns
    -------
    QuantizedImage
        What ``quantize(image, palette=palette)`` returns: with this palette, as RGB if the image or the palette is, and
        with alpha if an entry isn't opaque. Entries that are not used have a count of 0.

    Raises
    ------
    TypeError
        If `image` or `palette` is of another type.
    ValueError
        If either is of another shape or empty, a string is no colour, or an option isn't allowed.

    Examples
    --------
    >>> import numpy as np
    >>> import kmeans_fast as kf
    >>> grey = np.full((4, 4), 127, np.uint8)
    >>> kf.apply_palette(grey, [0, 255], dither="bayer").labels
    array([[0, 1, 0, 1],
           [1, 0, 1, 0],
           [0, 1, 0, 1],
           [1, 0, 1, 0]], dtype=uint8)
    """
    return quantize(
        image,
        palette=palette,
        space=space,
        lightness=lightness,
        dither=dither,
        strength=strength,
        mask=mask,
        channel_axis=channel_axis,
        keep_hidden_color=keep_hidden_color,
        engine=engine,
        n_threads=n_threads,
    )
