"""kioskd keeps one wall screen right, with nobody near it."""

__version__ = "0.1.0"
