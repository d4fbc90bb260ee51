"""The pages kioskd itself puts on the screen, as templates: ``wire/pages.py`` fills them in."""

from functools import cache
from importlib import resources


@cache  # so that a broken disk later does no harm
def template(name: str) -> str:
    """Return the text of a page: ``holding``, ``welcome``, ``mistake`` or ``start``."""
    return (resources.files(__name__) / f"{name}.html").read_text(encoding="utf-8")
