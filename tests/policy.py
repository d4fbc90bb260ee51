"""A Chromium that follows a managed policy, beside others on the same machine that do not: it has an /etc/chromium of its own."""

import shutil
from collections.abc import Sequence
from pathlib import Path

ETC = Path("/etc/chromium")
SHIPPED = Path(__file__).parents[1] / "etc/chromium/policies/managed/kioskd.json"


def following(folder: Path, policy: str, flags: Sequence[str] = ()) -> str:
    """Return a browser command whose Chromium finds this policy where kioskd's is installed."""
    own = folder / "etc-chromium"
    shutil.copytree(ETC, own, symlinks=True)
    managed = own / "policies/managed"
    managed.mkdir(parents=True, exist_ok=True)
    (managed / SHIPPED.name).write_text(policy)
    command = folder / "chromium-with-policy"
    inside = f'mount --bind "$0" {ETC}; exec chromium {" ".join(flags)} "$@"'
    command.write_text(f"#!/bin/sh\nexec unshare --map-current-user --keep-caps --mount sh -ec '{inside}' '{own}' \"$@\"\n")
    command.chmod(0o755)
    return str(command)
