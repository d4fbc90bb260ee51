"""How the running kioskd is asked from outside: HTTP over its unix socket, or what the loopback tells everybody."""

import http.client
import json
import os
import socket
import urllib.request
from typing import Any

from kioskd.wire.values import printable

ASK_S = 10.0
API = "http://127.0.0.1:8137"
CONTROL = "/run/kioskd/control.sock"


class Refused(Exception):
    """It could not be done; the text is for a person."""


def control() -> str:
    """Return the socket of the system's kioskd, or of the one in this desktop session where there is no other."""
    session = _session()  # its folder outlives it, as long as the session: who has ended it is told how to look for it there
    return session if not os.path.exists(os.path.dirname(CONTROL)) and os.path.exists(os.path.dirname(session)) else CONTROL


def in_session(at: str) -> bool:
    """Tell whether this is the socket of the kioskd in this desktop session."""
    return at == _session()


def systemctl(at: str, order: str) -> str:
    """Return the command that gives the systemd behind this socket an order about kioskd."""
    return f"systemctl {'--user ' if in_session(at) else ''}{order} kioskd"


def _session() -> str:
    return f"{os.environ.get('XDG_RUNTIME_DIR')}/kioskd/control.sock"


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("kioskd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(at: str, path: str, body: dict[str, str] | None = None, timeout: float = ASK_S) -> bytes:
    """GET a path of the kioskd ``at`` this unix socket, or POST to it where there is a body; raises ``Refused``."""
    connection = _Connection(at, timeout)
    try:
        text = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, text, {"Content-Type": "application/json"} if text else {})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"Cannot ask kioskd at {at}: {_said(error, at)}") from error
    finally:
        connection.close()
    if answer.status >= 300:
        try:
            why = json.loads(content)["error"]
        except (ValueError, KeyError, TypeError):
            why = f"{answer.status} {answer.reason}"
        raise Refused(f"kioskd refused: {why}")
    return content


def known(at: str, path: str, body: dict[str, str] | None = None, timeout: float = ASK_S) -> dict[str, Any]:
    """Return what a path has as JSON; raises ``Refused``."""
    try:
        content = printable(json.loads(ask(at, path, body, timeout)))
    except ValueError as error:
        raise Refused(f"Cannot ask kioskd at {at}: its answer is no JSON") from error
    assert isinstance(content, dict)
    return content


def _said(error: Exception, at: str) -> str:
    if isinstance(error, PermissionError):
        return f"only root and the group kioskd may (sudo usermod -aG kioskd {os.environ.get('USER', 'USER')}, then log in again)"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"it is not running here ({systemctl(at, 'status')})"
    return str(error)


def current(at: str, api: str | None = None) -> dict[str, Any]:
    """Return the status: over the unix socket ``at`` or, for those who may not use that, from the loopback. Raises ``Refused``."""
    if api is None:
        try:
            return known(at, "/api/status")
        except Refused as refused:
            if not isinstance(refused.__cause__, PermissionError):
                raise
        api = API
    try:
        with urllib.request.urlopen(f"{api}/api/status", timeout=ASK_S) as answer:  # noqa: S310 - the operator's own URL
            content = printable(json.load(answer))  # of whoever has that port
    except (OSError, ValueError) as error:
        raise Refused(f"Cannot ask kioskd at {api}: {error}. Is it running? ({systemctl(at, 'status')})") from error
    assert isinstance(content, dict)
    return content
