"""The sample picture that comes with the package."""

from pathlib import Path


def sample_path() -> Path:
    """Return the path of the sample: the head of a cat, 451×300 pixels, 32,584 colours, PNG.

    "Chelsea" by Stéfan van der Walt, CC0.

    Examples
    --------
    >>> import kmeans_fast as kf
    >>> kf.sample_path().name
    'cat.png'
    """
    return Path(__file__).with_name("cat.png")
