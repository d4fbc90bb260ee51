"""Where kioskd is asked: ``api.listen``, and the unix socket. What is answered there is not known here."""

import asyncio
import contextlib
import errno
import ipaddress
import os
import resource
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from kioskd.edges.access import open_to_group
from kioskd.edges.gate import Gates
from kioskd.errors import EdgeUnavailable
from kioskd.wire.values import is_loopback

QUEUE = 1024  # connections that the kernel keeps for us; a thousand screens that come back at the same moment are no storm
TAKEN = 50  # of these in one turn of the loop: asyncio takes as many as it asks the kernel to keep
CONTROL = 200  # connections at a time on the unix socket
FILES = 1000  # descriptors for everything else

Answerer = Callable[[], asyncio.Protocol]  # makes aiohttp's protocol of one connection


class Doors:
    """The two, each open or not. ``port``: of ``api.listen``, while it is open."""

    def __init__(self, control: str | None) -> None:
        """``control``: the path of the unix socket."""
        self.port: int | None = None
        self._control = control
        self._tcp: asyncio.Server | None = None
        self._unix: asyncio.Server | None = None

    async def open(self, listen: str, answerer: Answerer, most: int) -> None:
        """Open ``api.listen``, unless it is, to so many connections at a time; raises ``EdgeUnavailable``."""
        if self._tcp is not None:
            return
        host, port = address(listen)
        gates = Gates(answerer, _allow_files(most + FILES) - FILES)
        try:
            self._tcp = await asyncio.get_running_loop().create_server(gates, host, port, backlog=TAKEN)
            for end in self._tcp.sockets:
                with end.dup() as same:
                    same.listen(QUEUE)
        except OSError as error:
            raise EdgeUnavailable(_refusal(listen, error)) from error
        self.port = self._tcp.sockets[0].getsockname()[1]

    async def open_control(self, answerer: Answerer) -> None:
        """Open the unix socket, unless it is; raises ``EdgeUnavailable``."""
        if self._unix is not None:
            return
        if self._control is None:
            raise EdgeUnavailable("Cannot be asked by kioskctl: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR says where")
        try:
            os.makedirs(os.path.dirname(self._control), mode=0o750, exist_ok=True)
            self._unix = await asyncio.get_running_loop().create_unix_server(Gates(answerer, CONTROL), self._control)
            open_to_group(self._control)
        except (OSError, ValueError) as error:  # a path can be too long
            raise EdgeUnavailable(f"Cannot listen on {self._control}: {getattr(error, 'strerror', None) or error}") from error

    def leave(self) -> None:
        """Shut ``api.listen``."""
        tcp, self._tcp, self.port = self._tcp, None, None
        if tcp is not None:
            tcp.close()

    def close(self) -> None:
        """Shut both."""
        self.leave()
        unix, self._unix = self._unix, None
        if unix is not None:
            unix.close()
            with contextlib.suppress(OSError):
                os.unlink(self._control or "")


def address(listen: str) -> tuple[str, int]:
    """Take "host:port" apart; raises ``EdgeUnavailable``."""
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.netloc != listen or "@" in listen:
        raise EdgeUnavailable(f"Cannot listen on {listen}: api.listen is an address and a port, such as 127.0.0.1:8137")
    return host, port


def reached(listen: str, addresses: Iterable[str]) -> list[str]:
    """Return where one gets to by "host:port", ``http://host:port`` each; ``addresses``: of this machine, for one that means them all."""
    host, port = address(listen)
    hosts = [*addresses, "127.0.0.1"] if is_any(host) else [host]
    return [f"http://{f'[{each}]' if ':' in each else each}:{port}" for each in hosts]


def is_any(host: str) -> bool:
    """Tell whether an address stands for all of this machine's."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def serves(listening: str, asked: str) -> bool:
    """Tell whether a client may know by the name ``asked`` who listens on ``listening``.

    Any page can give a name of its own this machine's address (DNS rebinding); it can give it no other's name, and no number.
    """
    if is_loopback(asked):
        return True
    if is_loopback(listening):
        return False
    try:
        return not ipaddress.ip_address(asked).is_unspecified
    except ValueError:
        machine = socket.gethostname().lower()
        return asked.lower() in (machine, f"{machine}.local") or asked.lower() == listening.lower()


def _refusal(listen: str, error: OSError) -> str:
    advice = {
        errno.EADDRINUSE: "another program has this port; set api.listen to a free one",
        errno.EACCES: "this port needs root; set api.listen to one above 1023",
        errno.EADDRNOTAVAIL: "this machine has no such address; set api.listen to 127.0.0.1:8137",
    }
    return f"Cannot listen on {listen}: {advice.get(error.errno or 0, error.strerror or str(error))}"


def _allow_files(wanted: int) -> int:
    """Let this process have so many descriptors, as far as it may; return how many it has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
