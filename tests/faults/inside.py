"""A network and mounts of a case's own: what is broken there is broken for nobody else. Any user may make them, root need not.

The whole case is played in there, by a process of its own: ``python3 -m tests.faults.inside`` reads what to play, and prints the outcome.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import psutil

HERE = "KIOSKD_CASE_INSIDE"

#: With a cable that leads nowhere: where there is none Chromium holds itself for offline, and tries no error page again by itself.
#: It has all its addresses at once: when one comes later, as IPv6 gives them, Chromium lets go of every connection.
NETWORK = """\
ip link set lo up
ip link add cable type veth peer name wall
ip link set cable addrgenmode none
ip link set wall addrgenmode none
ip address add 192.0.2.1/24 dev cable
ip link set wall up
ip link set cable up
"""


def here() -> bool:
    """Whether this process is in there."""
    return HERE in os.environ


async def run(*what: Any) -> dict[str, Any]:
    """Play it in there; return the outcome's fields."""
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--map-current-user", "--keep-caps", "--net", "--mount", "--kill-child"),
        *("sh", "-ec", NETWORK + 'exec "$@"', "sh", sys.executable, "-m", "tests.faults.inside"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={**os.environ, HERE: "1"},
    )  # fmt: skip
    try:
        said, _ = await process.communicate(json.dumps(what).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, "the case was not played to its end"
    outcome: dict[str, Any] = json.loads(said)
    return outcome


async def _command(*words: object) -> None:
    process = await asyncio.create_subprocess_exec(*map(str, words))
    assert await process.wait() == 0, f"{words} failed"


async def half_open(port: int) -> None:
    """Drop all packets of the connections that a TCP port has now, as a router does that has forgotten them; new ones are let through."""
    there = [each for each in psutil.net_connections("tcp4") if each.status == psutil.CONN_ESTABLISHED and each.raddr]
    clients = {each.laddr.port for each in there if each.raddr.port == port}
    assert clients, "there is a connection"
    for end in ("sport", "dport"):
        await _drop(f"tcp {end} {{ {', '.join(map(str, clients))} }}")


async def cut(port: int) -> None:
    """Lose all packets from and to a TCP port."""
    for end in ("sport", "dport"):
        await _drop(f"tcp {end} {port}")


async def lose(port: int, percent: int) -> None:
    """Lose so many of the packets from and to a TCP port, of all its connections."""
    for end in ("sport", "dport"):
        await _drop(f"tcp {end} {port} numgen random mod 100 < {percent}")


async def admit_nobody(port: int) -> None:
    """Drop what would open a connection to a TCP port; those that there are live on."""
    await _drop(f"tcp dport {port} tcp flags & (syn | ack) == syn")


async def reject(port: int, how: str = "with tcp reset") -> None:
    """Refuse all packets to a TCP port, as a firewall does; ``how``: see nft(8)."""
    await _rule(f"tcp dport {port} reject {how}")


async def _drop(which: str) -> None:
    await _rule(f"{which} drop")


async def _rule(rule: str) -> None:
    await _command("nft", "add table inet case; add chain inet case in { type filter hook input priority 0; }")
    await _command("nft", f"add rule inet case in {rule}")


async def mend() -> None:
    """Let all packets through again."""
    await _command("nft", "delete table inet case")


async def small_disk(folder: Path, size: str) -> None:
    """Let a folder be a file system of its own, of so many bytes (``1m``)."""
    await _command("mkdir", "-p", folder)
    await _command("mount", "-t", "tmpfs", "-o", f"size={size}", "case", folder)


async def replace(file: str, content: str, folder: Path) -> None:
    """Let a file of the system have another content; ``folder``: where that is kept."""
    (folder / "replaced").write_text(content)
    await _command("mount", "--bind", folder / "replaced", file)


async def read_only(folder: Path) -> None:
    """Let nobody write into a folder any more."""
    await _command("mount", "--bind", folder, folder)
    await _command("mount", "-o", "remount,bind,ro", folder)


def fill(folder: Path) -> Path:
    """Fill a folder's file system to the last byte; return the file that does."""
    with contextlib.suppress(OSError), (folder / "full").open("ab", buffering=0) as file:
        for size in (1 << 16, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    return folder / "full"


async def hide(folder: Path) -> None:
    """Let a folder of the system be an empty one, where there is one."""
    await _command("sh", "-c", '[ ! -d "$0" ] || mount -t tmpfs case "$0"', folder)


async def journal() -> socket.socket:
    """Let there be a journal's socket that nobody reads from."""
    await _command("mount", "-t", "tmpfs", "case", "/run")
    await _command("mkdir", "-p", "/run/systemd/journal")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind("/run/systemd/journal/socket")
    return made


def inotify(what: str, most: int) -> None:
    """Let there be so many ``watches`` or ``instances`` of inotify at most, with those that there are."""
    Path(f"/proc/sys/user/max_inotify_{what}").write_text(str(most))


def main() -> None:
    """Play what standard input says."""
    import tests.faults.cases  # noqa: F401, PLC0415 - enters them
    from tests.faults.case import CASES, Times  # noqa: PLC0415 - they know this module
    from tests.faults.play import play  # noqa: PLC0415 - they know this module

    name, who, folder, times, seed, waits = json.load(sys.stdin)
    outcome = asyncio.run(play(CASES[name], who, Path(folder), Times(**times), seed, waits))
    print(json.dumps(dataclasses.asdict(outcome)))


if __name__ == "__main__":
    main()
