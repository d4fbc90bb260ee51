"""What a built front end's index says it needs, and where in the dist folder that would be. Pure: no file is opened here.

Understood is what bundlers write (tests/wire/bundlers): scripts, styles, preloads, icons and the manifest, images with all their
candidates, media, drawings in another file, Astro's islands, an import map. No script is read: what one imports inline, bundlers preload
too; nor is a style sheet. A file that only a server makes up would be waited for without end, so what is fetched as data, frames, and
names without a dot, which no bundler gives, do not count. Nor does what is not shown while scripts are on (``markup.py``).
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote, urljoin, urlsplit

from kioskd.wire.markup import Tag, tags

_HERE = "http://index.invalid"  # stands for the origin that serves the index; whatever leaves it is not ours
_FETCHED = frozenset({"stylesheet", "modulepreload", "preload", "icon", "apple-touch-icon", "manifest"})
_LISTS = ("srcset", "imagesrcset")
_NAMING = {
    "script": ("src",),
    "link": ("href", "imagesrcset"),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "input": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "astro-island": ("component-url", "renderer-url", "before-hydration-url"),
}
_WANTED = frozenset({"rel", "as", "type", *(name for names in _NAMING.values() for name in names)})
_CANDIDATE = re.compile(r"[\t\n\f\r ,]*+([^\t\n\f\r ]*[^\t\n\f\r ,])[^,]*+")
_TAB_OR_NEWLINE = str.maketrans("", "", "\t\n\r")
_EDGE = "".join(map(chr, range(0x21)))  # C0 controls and space, which browsers strip from both ends of a URL
_DEEPEST = 8  # folders that a front end may be served under


def assets(html: str) -> tuple[str, ...]:
    """Return the URL paths of the local assets that the index names, decoded, each once, in order.

    External and ``data:`` URLs are left out, queries and fragments off; all is relative to ``<base>``, if there is one.
    """
    base = ""
    urls: list[str] = []
    for tag in tags(html, _WANTED):
        base = base or (tag.given.get("href", "") if tag.name == "base" else "")
        urls += _urls(tag)
    base = _join(_HERE + "/", base) or _HERE
    found = (_local(_join(base, url)) for url in urls)
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
    return tuple("/".join(parts[start:]) for start in range(min(len(parts), _DEEPEST + 1)))


def _urls(tag: Tag) -> Iterator[str]:
    """Return what the browser would fetch to show the page, as written."""
    given = tag.given
    if tag.name == "link":
        kinds = _FETCHED & set(given.get("rel", "").lower().split())
        if not kinds or (kinds == {"preload"} and given.get("as", "").lower() == "fetch"):
            return
    if tag.name == "script" and given.get("type", "").strip().lower() == "importmap":
        yield from _mapped(tag.text)
    for name in _NAMING.get(tag.name, ()):
        if name in _LISTS:
            yield from _candidates(given.get(name, ""))
        else:
            yield given.get(name, "")


def _candidates(srcset: str) -> Iterator[str]:
    at = 0
    while found := _CANDIDATE.match(srcset, at):
        yield found[1]
        at = found.end()


def _mapped(text: str) -> Iterator[str]:
    """Return the addresses of an import map; bare names are none."""
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        return
    imports = known.get("imports") if isinstance(known, dict) else None
    for url in imports.values() if isinstance(imports, dict) else ():
        if isinstance(url, str) and url.startswith(("/", "./", "../")):
            yield url


def _join(base: str, url: str) -> str:
    try:
        return urljoin(base, url.strip(_EDGE).translate(_TAB_OR_NEWLINE).replace("\\", "/"))
    except ValueError:  # "http://[": no browser fetches that either
        return ""


def _local(url: str) -> str:
    """Return the decoded path of a URL of the index's own origin, ``""`` for others and for what is no file of a build."""
    try:
        parts = urlsplit(url)
        path = unquote(parts.path, errors="surrogateescape")
        path.encode("utf-8", "surrogateescape")
    except ValueError:  # no URL, or no file name
        return ""
    ours = f"{parts.scheme}://{parts.netloc}" == _HERE
    return path if ours and "." in path.rpartition("/")[2] and "\0" not in path else ""
