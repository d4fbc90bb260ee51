"""The pages kioskd itself puts on the screen, as templates that ``wire/pages.py`` fills in, and the script for pages of others."""

from functools import cache
from importlib import resources


@cache  # so that a broken disk later does no harm
def template(name: str) -> str:
    """Return the text of a page: ``holding``, ``welcome`` or ``mistake``."""
    return (resources.files(__name__) / f"{name}.html").read_text(encoding="utf-8")


@cache
def script(name: str) -> str:
    """Return the text of a file: ``kioskd.js``, ``console.css`` …"""
    return (resources.files(__name__) / name).read_text(encoding="utf-8")
