"""The pages kioskd itself puts on the screen, as templates: ``wire/pages.py`` fills them in."""

from functools import cache
from importlib import resources


@cache
def template(name: str) -> str:
    """Return the text of a page: ``holding``, ``welcome``, ``mistake`` or ``start``. Read once, so that a full or broken disk later does no harm."""
    return (resources.files(__name__) / f"{name}.html").read_text(encoding="utf-8")
