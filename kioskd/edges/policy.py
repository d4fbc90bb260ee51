"""Chromium's managed policy: why a browser does not follow kioskd's."""

import json
import os
from pathlib import Path

from kioskd.wire.flags import POLICY


def stamp(browser: str, folder: Path = Path(POLICY).parent) -> tuple[object, ...]:
    """Return what is another when a managed policy is, or the browser (its command); empty where there is no policy. Blocks."""
    try:
        found = [(each.name, each.stat()) for each in os.scandir(folder)]
        return tuple(sorted((name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in [*found, (browser, os.stat(browser))] if found))
    except OSError:
        return ()


def trouble(file: Path = Path(POLICY)) -> str | None:
    """Return why a browser does not follow the policy, which it was seen not to do; None where it is not installed. Blocks."""
    try:
        json.loads(file.read_bytes())
        why = "this Chromium does not read it there"
    except FileNotFoundError:
        return None
    except OSError as error:
        why = f"it cannot be read ({error.strerror})"
    except ValueError as error:
        why = f"it is no JSON ({error})"
    return f"Chromium does not follow {file}: {why}"
