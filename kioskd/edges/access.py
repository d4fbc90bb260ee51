"""Who may do more than look: whoever reaches the unix socket and is let in there, and whoever has the token."""

import grp
import hashlib
import hmac
import os
import pwd
import secrets
import socket
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path

from kioskd.errors import EdgeUnavailable

GROUP = "kioskd"
COOKIE = "kioskd"
PAIR_S, PAIRS = 300.0, 5
LEAST = 16  # characters of a token: fewer can be guessed
_PEER = struct.Struct("3i")  # pid, uid, gid: unix(7)


def peer_may(peer: socket.socket) -> bool:
    """Tell whether the process at the other end is root's, ours, or of somebody in the group."""
    _, uid, gid = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if uid in (0, os.getuid()):
        return True
    try:
        group = grp.getgrnam(GROUP).gr_gid
        return group == gid or group in os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return False


def open_to_group(path: str) -> None:
    """Let the group use the socket at ``path``, where there is such a group and we may."""
    try:
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
    except (KeyError, OSError):
        os.chmod(path, 0o600)
    else:
        os.chmod(path, 0o660)


class Token:
    """The secret in a file. A file of ours is made at the first need; one that was configured has to be there."""

    def __init__(self, configured: str | None, state: str) -> None:
        self._state = state
        self.follow(configured)

    def follow(self, configured: str | None) -> None:
        """Take it from this file from now on; None: from our own."""
        self._path = Path(configured or f"{self._state}/token")
        self._ours = configured in (None, f"{self._state}/token")

    def make(self) -> None:
        """Make the file, unless it is there already; raises ``EdgeUnavailable``."""
        if not self._ours or self._path.exists():
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "x", opener=_secret) as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        except FileExistsError:
            pass
        except OSError as error:
            raise EdgeUnavailable(f"Cannot keep a token in {self._path}: {error.strerror}") from error

    def read(self) -> str:
        """Return the token; raises ``EdgeUnavailable`` where there is none, or none that is a secret."""
        try:
            with open(self._path, encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                token = file.read(1000).strip()
        except (OSError, ValueError) as error:
            raise EdgeUnavailable(f"Cannot read the token in {self._path}: {getattr(error, 'strerror', None) or error}") from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise EdgeUnavailable(f"The token in {self._path} is no secret: chmod 600 {self._path}")
        if len(token) < LEAST:
            raise EdgeUnavailable(f"The token in {self._path} is shorter than {LEAST} characters")
        return token

    def admits(self, authorization: str) -> bool:
        """Tell whether this is the header ``Authorization: Bearer TOKEN``; raises ``EdgeUnavailable``."""
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and _same(given.strip(), self.read())

    def cookie(self) -> str:
        """Return what a paired browser shows in its place: it tells nothing of the token, and ends with it. Raises ``EdgeUnavailable``."""
        return hmac.new(self.read().encode(), b"kioskd console", hashlib.sha256).hexdigest()

    def admits_cookie(self, given: str) -> bool:
        """Tell whether this is that; raises ``EdgeUnavailable``."""
        return _same(given, self.cookie())


class Pairing:
    """One-time links: whoever opens one within ``PAIR_S`` gets the cookie."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._codes: dict[str, float] = {}  # until when

    def code(self) -> str:
        """Make a code; of those not used yet the oldest are forgotten."""
        code = secrets.token_urlsafe(24)
        self._codes = dict([*self._codes.items(), (code, self._clock() + PAIR_S)][-PAIRS:])
        return code

    def redeem(self, given: str) -> bool:
        """Take a code back: true once, and in time."""
        found = [code for code in self._codes if _same(code, given)]
        return any(self._codes.pop(code) >= self._clock() for code in found)


def _same(a: str, b: str) -> bool:
    """Compare in constant time; what a stranger sent may be no UTF-8."""
    return hmac.compare_digest(a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass"))


def _secret(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
