"""Strangers: another user of the machine, another machine on its network, and what the browser could give away."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.system.machine import Machine, until
from tests.system.screen import CONFIG, PAGE, STATE, back, document, lacks, main_pid, says, status

pytestmark = pytest.mark.system

API = "http://127.0.0.1:8137"
POLICY = "/etc/chromium/policies/managed/kioskd.json"
ORDERS, GUARDED = ("reload", "restart", "pause", "resume", "pair"), ("screenshot", "incidents", "story")
NOT_FOR_BROWSERS = ("NOTIFY_SOCKET", "WATCHDOG", "LISTEN", "CREDENTIALS", "TOKEN")


def chromium(it: Machine) -> str:
    """The browser's main process."""
    return it.run("pgrep", "--oldest", "--exact", "chromium").strip()


def restarted(it: Machine) -> None:
    """Start kioskd anew, and wait for its page."""
    before = document(it)
    it.run("systemctl", "restart", "kioskd")
    back(it, other_than=before)


def token(it: Machine) -> str:
    """The secret; it is made at the first need."""
    it.run("kioskctl", "pair")
    return it.run("cat", f"{STATE}/token").strip()


# --- on the same machine --------------------------------------------------------------------------


def refused(it: Machine, command: str, why: str = "") -> None:
    """Assert that a user of the machine who is nobody to kioskd fails at this."""
    *said, code = it.run("su", "--login", "stranger", "--command", f"{{ {command}; }} 2>&1; code=$?; echo; echo $code").splitlines()
    assert code != "0" and why in "\n".join(said), (command, said)


def test_another_user_may_look_but_not_steer_read_or_end_anything(kiosk: Machine) -> None:
    kiosk.run("useradd", "--create-home", "stranger")
    secret, before, pid = token(kiosk), main_pid(kiosk), chromium(kiosk)
    refused(kiosk, f"curl --silent --unix-socket /run/kioskd/control.sock {API}/api/status")
    for path in ORDERS:
        refused(kiosk, f"curl --silent --show-error --fail --json '{{}}' {API}/api/{path}", "401")
    for path in GUARDED:
        refused(kiosk, f"curl --silent --show-error --fail {API}/api/{path}", "401")
    for file in (f"{STATE}/token", f"{STATE}/incidents.jsonl", f"/proc/{before}/environ", f"/proc/{pid}/environ", f"/proc/{pid}/mem"):
        refused(kiosk, f"cat {file}", "ermission denied")
    for folder in (STATE, f"{STATE}/profile", "/run/kioskd", f"/proc/{pid}/fd"):
        refused(kiosk, f"ls {folder}", "ermission denied")
    for command in (f"kill {before}", f"kill {pid}", f"echo url: x >>{CONFIG}", f"echo >{POLICY}"):
        refused(kiosk, command, "ermi")  # Permission denied, Operation not permitted
    refused(kiosk, "systemctl --no-ask-password stop kioskd")
    assert secret not in kiosk.run("su", "--login", "stranger", "--command", "cat /proc/*/cmdline 2>/dev/null; true")
    assert main_pid(kiosk) == before and chromium(kiosk) == pid and status(kiosk)["verdict"] == "HEALTHY"


def test_the_browser_has_no_secret_no_port_and_a_profile_of_its_own(kiosk: Machine) -> None:
    # Chromium writes its title over what /proc/PID/environ shows: so its command tells what it was given.
    kiosk.write("/opt/told", '#!/bin/sh\nenv >/run/kioskd/environment\nexec chromium "$@"\n')
    kiosk.shell(f"chmod 755 /opt/told; sed -i 's|^  command: auto |  command: /opt/told |' {CONFIG}")
    restarted(kiosk)
    secret = token(kiosk)
    environment = kiosk.run("cat", "/run/kioskd/environment")
    kiosk.shell(f"sed -i 's|^  command: /opt/told |  command: auto |' {CONFIG}")
    restarted(kiosk)
    pid = chromium(kiosk)
    assert "KIOSKD_BROWSER=" in environment and secret not in environment
    assert not [line for line in environment.splitlines() if line.startswith(NOT_FOR_BROWSERS)]
    opened = [path for path in kiosk.shell(f"readlink /proc/{pid}/fd/*; true").splitlines() if path.startswith(STATE)]
    assert opened and all(path.startswith(f"{STATE}/profile/") for path in opened)
    assert kiosk.run("stat", "--format=%a %U", f"{STATE}/profile").split() == ["700", "kioskd"]
    listening = kiosk.shell("awk -v user=$(id -u kioskd) '$4 == \"0A\" && $8 == user {print $2}' /proc/net/tcp /proc/net/tcp6").split()
    assert [int(each.rpartition(":")[2], 16) for each in listening] == [8137], "DevTools is on the pipe only"


# --- the policy -----------------------------------------------------------------------------------


def test_the_policy_is_followed_and_a_spoilt_one_is_named(kiosk: Machine) -> None:
    good = kiosk.run("cat", POLICY)
    assert "policy" not in status(kiosk)["problems"]
    for content, problem in ((good[:-20], f"Chromium does not follow {POLICY}: it is no JSON"), (good, "")):
        kiosk.write(POLICY, content)
        restarted(kiosk)
        lacks(kiosk, "policy", problem)


# --- on the network -------------------------------------------------------------------------------

HERE, THERE = "198.51.100.1", "198.51.100.2"  # TEST-NET-2 (RFC 5737)


class Elsewhere:
    """Another machine, on a cable to the kiosk's."""

    def __init__(self, kiosk: Machine) -> None:
        self._process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        here, there = str(kiosk.leader), str(self._process.pid)
        own = os.readlink("/proc/self/ns/net")
        until(lambda: os.readlink(f"/proc/{there}/ns/net") != own, 10, "there is no other network")
        self._inside = ("nsenter", "--target", there, "--net")
        self._run("ip", "link", "add", "there", "netns", there, "type", "veth", "peer", "name", "here", "netns", here)
        for inside, address, name in ((self._inside, THERE, "there"), (("nsenter", "--target", here, "--net"), HERE, "here")):
            self._run(*inside, "ip", "address", "add", f"{address}/24", "dev", name)
            self._run(*inside, "ip", "link", "set", name, "up")

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True)

    def asks(self, path: str, *options: str, at: str = HERE) -> str:
        """The status of what it gets; "000" for nothing."""
        ask = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "5", "--noproxy", "*")
        command = [*self._inside, *ask, *options, f"http://{at}:8137{path}"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def goes(self) -> None:
        """Pull the cable."""
        self._process.kill()
        self._process.wait()


@pytest.fixture
def elsewhere(kiosk: Machine) -> Iterator[Elsewhere]:
    it = Elsewhere(kiosk)
    yield it
    it.goes()


def test_on_the_network_nobody_is_answered_or_only_who_has_the_token_steers(kiosk: Machine, elsewhere: Elsewhere) -> None:
    assert elsewhere.asks("/api/status") == "000", "the loopback is for this machine"
    good, open_to_all = kiosk.run("cat", CONFIG), f"url: {PAGE}\napi: {{listen: 0.0.0.0:8137}}\n"
    kiosk.write(CONFIG, open_to_all)
    says(kiosk, "token_file is missing")
    assert elsewhere.asks("/api/status") == "000"
    kiosk.write(CONFIG, open_to_all.replace("}", f", token_file: {STATE}/token}}"))
    until(lambda: elsewhere.asks("/api/status") == "200", 20, "it does not listen to others")
    json, bearer = ("--json", "{}"), f"Authorization: Bearer {token(kiosk)}"
    before = chromium(kiosk)
    for path in ORDERS:
        assert elsewhere.asks(f"/api/{path}", *json) == "401", path
        assert elsewhere.asks(f"/api/{path}", *json, "--header", "Authorization: Bearer x") == "401", path
        assert elsewhere.asks(f"/api/{path}", *json, "--header", bearer, "--header", "Origin: http://evil.example") == "403", path
    for path in GUARDED:
        assert elsewhere.asks(f"/api/{path}") == "401", path
    assert elsewhere.asks("/api/status", "--header", "Host: rebound.example:8137") == "403"
    assert elsewhere.asks("/api/status", "--header", "Sec-Fetch-Site: cross-site") == "403"
    assert chromium(kiosk) == before and status(kiosk)["verdict"] == "HEALTHY"
    assert elsewhere.asks("/api/pause", *json, "--header", bearer) == "202"
    assert elsewhere.asks("/api/resume", *json, "--header", bearer) == "202"
    kiosk.write(CONFIG, good)
    until(lambda: elsewhere.asks("/api/status") == "000", 20, "it still listens to others")
