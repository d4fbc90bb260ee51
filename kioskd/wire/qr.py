"""A text as a QR code, for a wall and for a terminal. The library is imported where one is drawn: whoever has a page never needs it."""

import io

QUIET = 2  # modules around it: our pages and a terminal are no busy surroundings


def svg(text: str) -> str:
    """Return it as an inline SVG."""
    import segno

    return str(segno.make(text, micro=False).svg_inline(dark="#0b0f14", light="#e9eff6", border=QUIET, omitsize=True))


def terminal(text: str) -> str:
    """Return it in half blocks."""
    import segno

    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(drawn, border=QUIET, compact=True)
    return drawn.getvalue()
