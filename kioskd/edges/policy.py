"""Chromium's managed policy: why a browser does not follow kioskd's."""

import json
from pathlib import Path

from kioskd.wire.flags import POLICY


def stamp(file: Path = Path(POLICY)) -> tuple[int, ...]:
    """Return what is another when the policy is; empty where there is none. Blocks."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


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
