"""The doctor, before machines that lack one thing each: it names that, says how to mend it, and calls nothing else bad."""

from pathlib import Path
from typing import Any

import pytest

from kioskd import doctor
from kioskd.machine import Finding, Machine, State
from kioskd.wire.flags import POLICY

WELL: dict[str, Any] = {
    "verdict": "HEALTHY", "why": "the page is as it should be", "problems": {}, "configuration": {"mistakes": []},
    "display": {"state": "up"}, "versions": {"missing": []},
}  # fmt: skip


class Pi(Machine):
    """A Raspberry Pi on which all is well, until a test takes something away."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root), dict(WELL), {"url": "http://wall/", "command": "auto", "display": "auto", "state": "/var/lib/kioskd"})
        self.commands = {
            "chromium": "Chromium 156.0", "cage": "", "Xwayland": "", "vcgencmd get_throttled": "throttled=0x0",
            "systemctl is-active seatd": "active", "timedatectl": "yes",
            "systemctl show kioskd --property=SupplementaryGroups": "video input systemd-journal",
            "systemctl show": "LoadState=loaded\nUnitFileState=enabled\nDropInPaths=",
        }  # fmt: skip
        self.members: set[str] | None = {"kioskd", "render"}  # the unit lends it the others
        self.answer: int | OSError = 200
        self.write(POLICY, "{}")
        self.write("/dev/dri/card0", "")
        self.write("/dev/dri/renderD128", "")
        self.write("/sys/class/drm/card0-HDMI-A-1/status", "connected\n")
        self.write("/sys/class/thermal/thermal_zone0/temp", "48312\n")
        self.write("/sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n")
        self.write("/proc/sys/fs/inotify/max_user_watches", "65536\n")
        self.write("/proc/sys/fs/inotify/max_user_instances", "128\n")
        self.write("/proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        (root / "var/lib/kioskd").mkdir(parents=True)

    def write(self, name: str, text: str) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name: str) -> None:
        self.path(name).unlink()

    def throttle(self, bits: str) -> None:
        self.commands["vcgencmd get_throttled"] = f"throttled={bits}"

    def run(self, *command: str) -> str | None:
        said = " ".join(command)
        return next((text for begin, text in self.commands.items() if said.startswith(begin)), None)

    def which(self, name: str) -> str | None:
        return name if name in self.commands else None

    def open(self, url: str) -> int:
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    def groups(self, user: str) -> set[str] | None:
        return self.members


def found(machine: Machine, *states: State) -> list[Finding]:
    return [each for each in doctor.findings(machine) if each.state in states]


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def test_a_machine_on_which_all_is_well_is_called_well(pi: Pi) -> None:
    assert found(pi, State.BAD, State.UNKNOWN) == []
    assert len(found(pi, State.GOOD)) >= 10
    assert [each for each in doctor.findings(pi) if each.state is State.GOOD and each.advice] == [], "nothing is to be done"


def trouble(name: str, broken: Any, state: State, says: str, advice: str = "") -> Any:
    return pytest.param(broken, state, says, advice, id=name)


TROUBLES = [
    trouble("kioskd does not answer", lambda pi: setattr(pi, "status", None), State.BAD, "does not answer", "systemctl status"),
    trouble("it lacks something", lambda pi: pi.status.update(problems={"state": "read-only"}), State.BAD, "read-only"),
    trouble("a bad configuration", lambda pi: pi.status.update(configuration={"mistakes": ["x:1: no"]}), State.BAD, "x:1: no", "mend"),
    trouble("no browser", lambda pi: pi.commands.pop("chromium"), State.BAD, "not there", "apt install chromium"),
    trouble("no compositor", lambda pi: pi.commands.pop("cage"), State.BAD, "cage is not there", "apt install cage"),
    trouble("no Xwayland", lambda pi: pi.commands.pop("Xwayland"), State.BAD, "Xwayland", "xwayland"),
    trouble("no card", lambda pi: pi.remove("/dev/dri/card0"), State.BAD, "no graphics card", "vc4-kms"),
    trouble("no cable", lambda pi: pi.write("/sys/class/drm/card0-HDMI-A-1/status", "disconnected"), State.BAD, "plugged in", "cable"),
    trouble("no GPU", lambda pi: pi.remove("/dev/dri/renderD128"), State.HINT, "render node", "driver"),
    trouble("not in its groups", lambda pi: pi.members.discard("render"), State.BAD, "render", "usermod -aG render"),
    trouble("no seatd", lambda pi: (pi.commands.pop("systemctl is-active seatd"), pi.status["display"].update(state="none")), State.BAD,
            "seatd", "enable --now seatd"),
    trouble("no memory controller", lambda pi: pi.write("/sys/fs/cgroup/cgroup.controllers", "cpu"), State.HINT, "count", "cgroup_enable"),
    trouble("few watches", lambda pi: pi.write("/proc/sys/fs/inotify/max_user_watches", "8"), State.HINT, "max_user_watches = 8", "sysctl"),
    trouble("under-voltage", lambda pi: pi.throttle("0x50005"), State.BAD, "under-voltage", "supply"),
    trouble("was under-voltage", lambda pi: pi.throttle("0x50000"), State.HINT, "since", "supply"),
    trouble("hot", lambda pi: pi.write("/sys/class/thermal/thermal_zone0/temp", "84000"), State.HINT, "84", "air"),
    trouble("wrong clock", lambda pi: pi.commands.update({"timedatectl": "no"}), State.HINT, "not in sync", "set-ntp"),
    trouble("no server", lambda pi: setattr(pi, "answer", OSError("refused")), State.BAD, "does not answer from here: refused", "network"),
    trouble("a server that fails", lambda pi: setattr(pi, "answer", 502), State.BAD, "502"),
    trouble("a server that wants a sign-in", lambda pi: setattr(pi, "answer", 401), State.HINT, "401", ""),
    trouble("no policy", lambda pi: pi.remove(POLICY), State.HINT, "gets further", "confmiss"),
    trouble("no sandbox", lambda pi: pi.configuration.update(flags=("--no-sandbox=1",)), State.BAD, "--no-sandbox", "browser.flags"),
    trouble("no url", lambda pi: pi.configuration.update(url=None), State.HINT, "no url", "url:"),
    trouble("not enabled", lambda pi: pi.commands.update({"systemctl show": "LoadState=loaded\nUnitFileState=disabled\nDropInPaths="}),
            State.HINT, "by itself", "enable"),
    trouble("a changed unit", lambda pi: pi.commands.update(
        {"systemctl show": "LoadState=loaded\nUnitFileState=enabled\nDropInPaths=/etc/systemd/system/kioskd.service.d/x.conf"}),
            State.HINT, "x.conf", "take that away"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "state", "says", "advice"), TROUBLES)
def test_what_is_wrong_is_named_with_the_way_out(pi: Pi, broken: Any, state: State, says: str, advice: str) -> None:
    pi.status["display"] = {"state": "up"}
    assert not [each for each in doctor.findings(pi) if says in each.says and each.state is state], "the test cannot fail"
    broken(pi)
    named = [each for each in doctor.findings(pi) if says in each.says and each.state is state]
    assert len(named) == 1 and advice in named[0].advice
    assert [each for each in found(pi, State.BAD) if each not in named] == []


def test_whether_a_build_can_be_read_only_the_service_knows(pi: Pi, tmp_path: Path) -> None:
    index = tmp_path / "dist/index.html"  # who asks could not read it
    pi.configuration["index"] = str(index)
    assert any("can be read, and the build is complete" in each.says for each in found(pi, State.GOOD))
    pi.status = {**WELL, "versions": {"missing": [f"Cannot read {index}: Permission denied"]}}
    assert [(each.about, "setfacl" in each.advice) for each in found(pi, State.BAD)] == [("deploy", True)]
    pi.status = {**WELL, "versions": {"missing": ["/app.js"]}}
    assert [(each.about, each.advice) for each in found(pi, State.BAD)] == [("deploy", "")]
    pi.status = None
    assert [each.about for each in found(pi, State.UNKNOWN)] == ["deploy"]


def test_a_disk_is_told_of_once_and_a_folder_that_may_not_be_looked_into_is_no_riddle(pi: Pi) -> None:
    pi.configuration["profile"] = "/var/lib/kioskd/profile"
    assert len([each for each in doctor.findings(pi) if each.about == "disk"]) == 1
    pi.configuration["profile"] = "volatile"
    assert len([each for each in doctor.findings(pi) if each.about == "disk"]) == 1
    pi.path("/var/lib/kioskd").chmod(0)
    pi.configuration["state"] = "/var/lib/kioskd/below"
    assert [each.state for each in doctor.findings(pi) if each.about == "disk"] == [State.GOOD]
    pi.path("/var/lib/kioskd").chmod(0o700)


def test_of_a_configuration_that_cannot_be_read_nothing_is_made_up(pi: Pi) -> None:
    pi.configuration.clear()
    assert [each for each in doctor.findings(pi) if each.about == "page"] == []


def test_a_machine_that_is_to_have_no_screen_lacks_none(pi: Pi) -> None:
    pi.configuration["display"] = "headless"
    pi.remove("/dev/dri/card0")
    pi.commands.pop("cage")
    assert found(pi, State.BAD) == []


def test_a_check_that_breaks_takes_no_other_along(pi: Pi) -> None:
    pi.status = {}
    assert [each.about for each in found(pi, State.UNKNOWN)] == ["running"]
    assert len(found(pi, State.GOOD)) >= 8


def test_in_a_desktop_session_the_units_are_that_sessions(pi: Pi) -> None:
    pi.systemctl = ("systemctl", "--user")
    pi.commands["systemctl --user show kioskd"] = "LoadState=loaded\nUnitFileState=disabled\nDropInPaths="
    assert "systemctl --user enable kioskd" in [each.advice for each in found(pi, State.HINT)]
    pi.status = None
    assert "systemctl --user status kioskd says why" in [each.advice for each in found(pi, State.BAD)]


def test_the_report_has_model_findings_status_and_incidents(pi: Pi) -> None:
    text = doctor.report(pi, "0.1", [{"id": 7}])
    assert text.startswith("kioskd 0.1\nmodel: Raspberry Pi 4 Model B Rev 1.4\n")
    for part in ("good     GPU: 1 render node", '"verdict": "HEALTHY"', '"id": 7', "== journal"):
        assert part in text


def test_a_report_says_what_it_could_not_have(pi: Pi) -> None:
    pi.commands["journalctl"] = "-- No entries --"
    text = doctor.report(pi, "0.1", None)
    assert "== incidents\ncould not be read: if kioskd runs, do this once more with sudo\n" in text
    assert "== journal\ncould not be read: if kioskd runs, do this once more with sudo\n" in text
