"""The version, in a place that anything can import."""

__version__ = "0.1.0"
