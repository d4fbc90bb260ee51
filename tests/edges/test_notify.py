import os
import socket
import subprocess
import sys
import uuid

import pytest

from kioskd.edges import notify
from kioskd.edges.notify import Notify, NullNotify

NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Systemd:
    """The other end of sd_notify: a real datagram socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(5)

    def heard(self) -> list[str]:
        """Everything sent so far."""
        messages = []
        self.socket.setblocking(False)
        try:
            while True:
                messages.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return messages


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """systemd listens, and the environment says where."""
    address = f"@kioskd-{uuid.uuid4()}" if request.param == "abstract" else str(tmp_path / "notify")
    kept = {name: os.environ.pop(name, None) for name in NAMES}
    os.environ["NOTIFY_SOCKET"] = address
    systemd = Systemd(address)
    yield systemd
    systemd.socket.close()
    for name in NAMES:
        os.environ.pop(name, None)
        if kept[name] is not None:
            os.environ[name] = kept[name]


def close(edge):
    edge._notifier.socket.close()


def test_every_message_as_systemd_wants_it(systemd):
    edge = notify.take()
    edge.ready()
    edge.status("läser … om\nCANNOT=1")
    edge.status("läser … om CANNOT=1")
    edge.reloading()
    edge.stopping()
    ready, status, reloading, stopping = systemd.heard()
    assert (ready, status, stopping) == ("READY=1", "STATUS=läser … om CANNOT=1", "STOPPING=1")
    first, second = reloading.split("\n")
    assert first == "RELOADING=1" and int(second.removeprefix("MONOTONIC_USEC=")) > 0
    close(edge)


def test_children_inherit_nothing(systemd):
    os.environ |= {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())}
    edge = notify.take()
    assert edge.watchdog_period_s == 1.0
    child = "import os, sys; sys.exit(any(name.startswith(('NOTIFY', 'WATCHDOG')) for name in os.environ))"
    assert subprocess.run([sys.executable, "-c", child]).returncode == 0
    assert not os.get_inheritable(edge._notifier.socket.fileno())
    close(edge)


@pytest.mark.parametrize(
    ("usec", "pid", "period_s"),
    [("3000000", "", 3.0), ("3000000", "1", None), ("0", "", None), ("soon", "", None), ("-5", "", None)],
)
def test_the_watchdog_is_meant_for_this_process_and_a_number(systemd, usec, pid, period_s):
    os.environ |= {"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    edge = notify.take()
    assert edge.watchdog_period_s == period_s
    edge.watchdog()
    assert systemd.heard() == ([] if period_s is None else ["WATCHDOG=1"])
    close(edge)


def test_pings_three_times_a_period_however_often_the_loop_turns(systemd):
    clock = Clock()
    taken = notify.take()
    edge = Notify(taken._notifier, 3.0, clock)
    for _ in range(90):
        edge.watchdog()
        clock.now += 0.1
    assert systemd.heard().count("WATCHDOG=1") == 9
    close(edge)


def test_a_status_that_was_not_heard_is_said_again(systemd):
    edge = notify.take()
    edge._notifier.socket.settimeout(0.01)
    sent = 0
    while not edge._deaf:  # nobody reads: the queue runs full
        sent += 1
        edge.status(f"line {sent}")
    systemd.heard()
    edge.status(f"line {sent}")
    assert systemd.heard() == [f"STATUS=line {sent}"]
    close(edge)


def test_nobody_listens(tmp_path):
    assert type(notify.take()) is NullNotify
    os.environ["NOTIFY_SOCKET"] = str(tmp_path / "nothing")
    edge = notify.take()
    assert "NOTIFY_SOCKET" not in os.environ
    assert type(edge) is NullNotify and edge.watchdog_period_s is None
    for verb in (edge.ready, edge.reloading, edge.stopping, edge.watchdog):
        verb()
    edge.status("unheard")
