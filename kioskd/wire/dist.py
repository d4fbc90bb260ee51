"""What a built front end's index says it needs, and where in the dist folder that would be. Pure: no file is opened here."""

from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

_HERE = "http://index.invalid"  # stands for the origin that serves the index; whatever leaves it is not ours
_FETCHED = frozenset({"stylesheet", "modulepreload", "preload", "icon", "apple-touch-icon", "manifest"})
_TAB_OR_NEWLINE = str.maketrans("", "", "\t\n\r")
_EDGE = "".join(map(chr, range(0x21)))  # C0 controls and space, which browsers strip from both ends of a URL


def assets(html: str) -> tuple[str, ...]:
    """Return the URL paths of the local assets that the index names, decoded, each once, in order."""
    parser = _Index()
    # "<![…>" is a comment to browsers; the standard library raises on words it does not know there, or not, as its version is.
    parser.feed(html.replace("<![", "<!x["))
    parser.close()
    base = _join(_HERE + "/", parser.base)
    found = (_local(_join(base, url)) for url in parser.urls)
    return tuple(dict.fromkeys(path for path in found if path))


def local_paths(asset: str) -> tuple[str, ...]:
    """Return where in the dist folder the asset may be, likeliest first, relative and never outside it; empty: nowhere.

    A front end built for ``/app/`` names ``/app/assets/x.js`` and keeps it in ``dist/assets/x.js``; what it is served
    under is not written in its dist, so leading folders are left off one by one.
    """
    parts: list[str] = []
    for part in asset.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return tuple("/".join(parts[start:]) for start in range(len(parts)))


class _Index(HTMLParser):
    """Collects what the browser would fetch to show the page, as written."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, str] = {}
        for name, value in attrs:
            given.setdefault(name, value or "")  # of a doubled attribute the first counts
        match tag:
            case "base":
                self.base = self.base or given.get("href", "")
            case "script" | "img":
                self.urls.append(given.get("src", ""))
            case "link" if _FETCHED & set(given.get("rel", "").lower().split()):
                self.urls.append(given.get("href", ""))


def _join(base: str, url: str) -> str:
    try:
        return urljoin(base, url.strip(_EDGE).translate(_TAB_OR_NEWLINE).replace("\\", "/"))
    except ValueError:  # "http://[": no browser fetches that either
        return ""


def _local(url: str) -> str:
    """Return the decoded path of a URL of the index's own origin, ``""`` for others and for folders."""
    try:
        parts = urlsplit(url)
        path = unquote(parts.path, errors="surrogateescape")
        path.encode("utf-8", "surrogateescape")
    except ValueError:  # no URL, or no file name
        return ""
    ours = f"{parts.scheme}://{parts.netloc}" == _HERE
    return path if ours and not path.endswith("/") and "\0" not in path else ""
