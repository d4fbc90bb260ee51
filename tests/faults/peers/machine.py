"""The machine whose systemd keeps a Chromium, booted by root around what an ordinary user does.

::

    python3 -m tests.faults.peers.machine --root /var/cache/kioskd-test/bookworm --share FOLDER -- COMMAND …

The command finds its way by ``KIOSKD_PEERS_MACHINE``, a folder in FOLDER with a socket that takes the orders ``start UNIT`` and
``stop UNIT`` for the units ``kiosk@NAME``, a peer's, and ``kioskd@NAME``, kioskd's own; what they are to use must be in FOLDER, which
both see under the same name, as they do 127.0.0.1.
"""

import argparse
import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.system.machine import Machine, machine

KIOSK = """\
[Unit]
Description=Kiosk

[Service]
User=nobody
Group=nogroup
ExecStart=/bin/bash {folder}/%i/start
Restart=always
RestartSec=5
"""

KIOSKD = """\
[Unit]
Description=kioskd
StartLimitIntervalSec=0

[Service]
User=nobody
Group=nogroup
ExecStart=/bin/sh {folder}/%i/start
"""

SHIPPED = Path(__file__).parents[3] / "debian" / "kioskd.service"
AS_SHIPPED = re.compile(r"^(?:Type|NotifyAccess|Restart\w*|WatchdogSec|Timeout\w+|KillMode)=.*\n", re.MULTILINE)

ORDERS = """\
[Socket]
ListenStream={folder}/orders
SocketUser=nobody
SocketMode=0600
Accept=yes

[Install]
WantedBy=sockets.target
"""

ORDER = """\
[Service]
StandardInput=socket
StandardOutput=socket
ExecStart=/bin/sh /usr/local/lib/order
"""

CARRY_OUT = """\
read -r verb unit
name=${unit#*@}
case $unit in kiosk@"$name" | kioskd@"$name") ;; *) echo "not a unit: $unit"; exit ;; esac
case $name in "" | *[!0-9a-f]*) echo "not a name: $name"; exit ;; esac
case $verb in
    start) systemctl start "$unit" 2>&1 && echo done ;;
    stop)
        systemctl kill --signal=KILL "$unit" 2>/dev/null # one that does not end is given a minute and a half
        systemctl stop "$unit" 2>&1 && echo done
        systemctl reset-failed "$unit" 2>/dev/null # by that kill
        ;;
    *) echo "not an order: $verb" ;;
esac
"""


@contextlib.contextmanager
def booted(root: Path, share: Path) -> Iterator[tuple[Machine, Path]]:
    """A machine that takes orders, and the folder in ``share`` by which it does."""
    folder = share / "machine"
    folder.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    options = (f"--bind={share}",)  # and the network of this machine
    (folder / "network").write_text(os.readlink("/proc/self/ns/net"))
    try:
        with machine("kioskd-peers", [root], power=False, options=options) as it:
            # A new machine empties its /tmp, in which the shared folder may be.
            (it.seen_from_outside / "etc/tmpfiles.d").mkdir(exist_ok=True)
            it.write("/etc/tmpfiles.d/tmp.conf", "")
            kioskd = KIOSKD + "".join(AS_SHIPPED.findall(SHIPPED.read_text()))
            units = {"kiosk@.service": KIOSK, "kioskd@.service": kioskd, "orders.socket": ORDERS, "orders@.service": ORDER}
            for name, text in units.items():
                it.write(f"/etc/systemd/system/{name}", text.format(folder=folder))
            it.write("/usr/local/lib/order", CARRY_OUT)
            it.start()
            it.run("systemctl", "start", "orders.socket")
            yield it, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command with a machine beside it, and without where there can be none; return how it ended."""
    parser = argparse.ArgumentParser(prog="machine", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="a Debian with a systemd and Chromium (scripts/debian-root)")
    parser.add_argument("--share", type=Path, required=True, help="a folder of nobody's")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    lacks = None
    if os.geteuid() != 0:
        lacks = "no machine can be booted for it: that needs root"
    elif not options.root.exists():
        lacks = f"no machine can be booted for it: there is no {options.root}"
    elif shutil.which("systemd-nspawn") is None:
        lacks = "no machine can be booted for it: systemd-nspawn is not installed"
    if lacks:
        return carry_out(options.command, KIOSKD_PEERS_NO_MACHINE=lacks)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with booted(options.root, options.share) as (_, folder):
        return carry_out(options.command, KIOSKD_PEERS_MACHINE=str(folder))


def carry_out(command: Sequence[str], **environment: str) -> int:
    """Run a command to its end, and return how it ended: told to end it has browsers to put away, for which it is waited."""
    told, started = [], []

    def end(*_: Any) -> None:
        told.append(True)
        for process in started:
            process.terminate()

    # Before it begins, for it may say that it is there before its process is known here. A terminal tells both of an interrupt.
    handlers: dict[int, Any] = {signal.SIGTERM: end, signal.SIGINT: lambda *_: None}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        started.append(process := subprocess.Popen(command, env={**os.environ, **environment}))
        if told:
            process.terminate()
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
