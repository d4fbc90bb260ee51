"""URLs as others may see them: without name and password, without query and fragment."""

import re

from kioskd.core.policy import path

#: One in a text, without the punctuation that follows it there.
URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]*[^\s\"'<>.,:;)]|data:[^\s\"'<>,]*,[^\s\"'<>]*[^\s\"'<>.,:;)]", re.IGNORECASE)


def public(url: str) -> str:
    """Return a URL without what may be secret or endless."""
    if url[:5].lower() == "data:":
        return re.split(";base64|,", url, maxsplit=1)[0]
    scheme, mark, rest = path(url).partition("://")
    return scheme + mark + rest.rpartition("@")[2] if "@" in rest.split("/", 1)[0] else path(url)


def without_secrets(text: str) -> str:
    """Return a text whose URLs are public."""
    return URL.sub(lambda found: public(found[0]), text)
