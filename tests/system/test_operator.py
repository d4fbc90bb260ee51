"""What a person does and reads: README's own commands on a machine that has never seen kioskd, then those that tell, help and stop."""

import argparse
import itertools
import json
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kioskd import cli, ctl
from tests.system.machine import Machine, until
from tests.system.screen import CONFIG, DASHBOARD, PACKAGE, PAGE, back, document, journal, status

pytestmark = pytest.mark.system

README = (Path(__file__).parents[2] / "README.md").read_text()
ELSEWHERE = ("scripts/build-deb", "kioskd run")  # scripts/test-system has built it; kioskd.service runs it
PAUSED_S = 8.0  # a browser that is gone is started within 5 s
PERSON, VISITOR = "person", "visitor"


def readme() -> list[str]:
    """The indented lines for the machine of a screen, without what they say of themselves."""
    there = README.partition("On the machine of a screen")[2].partition("## How it is built")[0]
    return [line.split(" # ")[0].strip() for line in there.splitlines() if line.startswith("    ")]


def as_user(it: Machine, user: str, command: str, check: bool = True) -> str:
    """Run a command as somebody who has just logged in; where it need not go well, the last line of all it says is its exit code."""
    return it.run("su", "--login", user, "--command", command if check else f"{command} 2>&1; echo $?", check=check)


def ends(it: Machine, command: str) -> tuple[int, str]:
    """Run a command as root; return its exit code, and what it says."""
    *said, code = it.run("sh", "-c", f"{{ {command}; }} 2>&1; code=$?; echo; echo $code").splitlines()
    return int(code), "\n".join(said).strip()


@pytest.fixture(scope="module")
def said(bare: Machine) -> dict[str, str]:
    """What README's commands say, each as it stands there, to somebody who may use sudo. The dashboard is theirs."""
    bare.write("/etc/systemd/system/dashboard.service", DASHBOARD)
    bare.shell(
        f"echo 127.0.1.1 $(hostname) >>/etc/hosts; useradd --create-home --shell /bin/bash {PERSON}\n"
        f"echo '{PERSON} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{PERSON}; cp {PACKAGE} /home/{PERSON}/kioskd_0_all.deb"
    )
    told = {}
    for command in readme():
        if command.startswith("url:"):
            bare.shell("systemctl start dashboard; until curl --silent --output /dev/null http://localhost:3001/; do sleep .1; done")
            bare.shell(f"sed -i 's|^# url: .*|{command}|' {CONFIG}")
            back(bare)
        elif not command.startswith(ELSEWHERE):
            told[command] = as_user(bare, PERSON, command)
    return told


@pytest.fixture
def kiosk(bare: Machine, said: dict[str, str]) -> Iterator[Machine]:
    """The machine after that."""
    back(bare)
    yield bare


def test_the_commands_of_the_readme_bring_the_own_page_to_the_screen(bare: Machine, said: dict[str, str]) -> None:
    install, check, *rest = said
    assert install == "sudo apt install ./kioskd_*_all.deb"
    assert said[check] == f"{CONFIG}: good; the page is {PAGE}\n"
    systemctl, glance, incidents, pair, curl, replay = rest
    assert "active (running)" in said[systemctl] and "HEALTHY" in said[systemctl]
    assert said[glance].startswith("● HEALTHY") and PAGE in said[glance]
    assert said[incidents] == "No incident yet: nothing has ever been wrong.\n"
    assert re.search(r"^http://127\.0\.0\.1:8137/pair\?code=\S+$", said[pair], re.MULTILINE)
    assert json.loads(said[curl])["page"]["url"] == PAGE
    assert re.search(r"^The same \d+ decisions again\.$", said[replay], re.MULTILINE)
    assert document(bare), "by the dashboard's own word"
    assert bare.run("systemctl", "--failed", "--no-legend").strip() == ""


PROGRAMS = {"kioskd": cli, "kioskctl": ctl}


def commands(program: str) -> list[str]:
    """The commands of a program."""
    actions = PROGRAMS[program]._parser()._actions
    return list(itertools.chain.from_iterable(each.choices for each in actions if isinstance(each, argparse._SubParsersAction)))


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_manual_and_completion_are_there(kiosk: Machine, program: str) -> None:
    assert len(commands(program)) >= 5
    for each in ("", *commands(program)):
        assert kiosk.run(program, *each.split(), "--help").startswith(f"usage: {program}")
    completed = (
        f"source /usr/share/bash-completion/bash_completion; _completion_loader {program}\n"
        f"COMP_WORDS=({program} '') COMP_CWORD=1 COMP_LINE='{program} ' COMP_POINT=$((${{#COMP_LINE}}))\n_{program}; echo ${{COMPREPLY[@]}}"
    )
    assert set(commands(program)) <= set(kiosk.run("bash", "-c", completed).split())
    assert kiosk.shell(f"man --warnings {program} 2>&1 >/dev/null") == ""
    page = kiosk.shell(f"MANWIDTH=120 man {program}")
    for each in commands(program):
        assert re.search(rf"^ {{7}}{each}( |$)", page, re.MULTILINE), each


def test_options_stand_beside_their_command_in_the_manuals(kiosk: Machine) -> None:
    page = kiosk.shell("MANWIDTH=120 man kioskctl")
    assert "\n       show [--json] [--picture NAME] [-o|--output FILE] ID\n" in page
    assert "\n       doctor [--json] [--report FILE] [--config FILE]\n" in page
    assert "\n       run [--config FILE] [--strict] [--session]\n" in kiosk.shell("MANWIDTH=120 man kioskd")
    assert "NAME\n       kioskd.yaml" in kiosk.shell("man --warnings 5 kioskd.yaml 2>&1")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("kioskctl status", 0, "● HEALTHY"),
        ("kioskctl incidents", 0, "No incident yet"),
        ("kioskctl", 2, "required: COMMAND"),
        ("kioskctl nonsense", 2, "invalid choice"),
        ("kioskctl status --nonsense", 2, "unrecognized arguments: --nonsense"),
        ("kioskctl show 4711", 1, "There is no incident 4711"),
        ("kioskctl pause 2x", 1, '"2x" is not a duration'),
        ("kioskctl incidents --socket /nowhere", 1, "it is not running here (systemctl status kioskd)"),
        ("kioskctl screenshot -o /nowhere/now.png", 1, "Cannot write /nowhere/now.png: No such file or directory"),
        ("kioskctl version", 0, "kioskctl "),
        ("kioskd check-config", 0, f"{CONFIG}: good; the page is {PAGE}"),
        ("kioskd check-config /nowhere", 78, "/nowhere"),
    ],
)
def test_exit_codes_are_those_of_the_manual(kiosk: Machine, command: str, code: int, says: str) -> None:
    ended = ends(kiosk, command)
    assert ended[0] == code and says in ended[1]


def test_who_is_not_in_the_group_is_told_the_way_in_and_then_let_in(kiosk: Machine) -> None:
    kiosk.shell(f"useradd --create-home {VISITOR}")
    for command in ("incidents", "pause", "screenshot", "reload", "pair"):
        refused, code = as_user(kiosk, VISITOR, f"kioskctl {command}", check=False).splitlines()
        assert code == "1", refused
    assert status(kiosk)["verdict"] == "HEALTHY"
    assert as_user(kiosk, VISITOR, "kioskctl status").startswith("● HEALTHY"), "that is for everybody"
    said = as_user(kiosk, VISITOR, "kioskctl incidents", check=False)
    assert "Cannot ask kioskd at /run/kioskd/control.sock: only root and the group kioskd may" in said
    advice = re.search(r"\(sudo (.*), then log in again\)", said)
    assert advice is not None and VISITOR in advice[1]
    kiosk.shell(advice[1])
    assert "No incident yet" in as_user(kiosk, VISITOR, "kioskctl incidents")


def doctor(it: Machine) -> dict[str, tuple[str, str]]:
    code, said = ends(it, "kioskctl doctor --json 2>/dev/null")
    found = {each["about"]: (each["state"], each["advice"]) for each in json.loads(said)}
    assert code == (1 if "bad" in {state for state, _ in found.values()} else 0)
    return found


def test_the_doctor_misses_the_screen_and_nothing_else(kiosk: Machine) -> None:
    found = doctor(kiosk)
    assert {about for about, (state, _) in found.items() if state == "bad"} == {"kioskd: display", "screen"}
    assert {about for about, (state, _) in found.items() if state == "unknown"} <= {"clock"}
    assert "check the cable and the driver" in found["screen"][1]
    for about in ("kioskd", "service", "page", "browser", "compositor", "user", "seat", "disk"):
        assert found[about] == ("good", ""), about
    kiosk.shell(f"sed -i 's/^  mode: auto /  mode: headless /' {CONFIG}")
    until(lambda: "display" not in status(kiosk)["problems"], 15, "none is wanted any more")
    assert doctor(kiosk)["screen"] == ("good", "")
    kiosk.shell(f"sed -i 's/^  mode: headless /  mode: auto /' {CONFIG}; systemctl stop dashboard")
    assert doctor(kiosk)["page"][0] == "bad"
    kiosk.run("systemctl", "start", "dashboard")


def test_its_report_has_everything_or_says_what_it_could_not_have(kiosk: Machine) -> None:
    kiosk.run("kioskctl", "doctor", "--report", "/root/report.txt")
    report = kiosk.run("cat", "/root/report.txt")
    for part in ("system: Debian GNU/Linux", "good     user: ", '"verdict": ', '"id": 1,', "Started kioskd.service"):
        assert part in report
    as_user(kiosk, PERSON, "kioskctl doctor --report report.txt")
    report = kiosk.run("cat", f"/home/{PERSON}/report.txt")
    assert report.count("could not be read: if kioskd runs, do this once more with sudo") == 2 and '"verdict": ' in report


def test_a_screenshot_is_of_the_whole_screen(kiosk: Machine) -> None:
    assert re.fullmatch(r"/root/now\.png: \d+ KB\n", kiosk.run("kioskctl", "screenshot", "-o", "/root/now.png"))
    picture = (kiosk.seen_from_outside / "root/now.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n") and struct.unpack(">II", picture[16:24]) == (1920, 1080)
    assert len(picture) > 50_000, "an empty one is far smaller than a dashboard"


def test_paused_it_leaves_a_killed_browser_alone_until_it_is_told_to_resume(kiosk: Machine) -> None:
    assert kiosk.run("kioskctl", "pause", "5m") == "this screen: left alone for 5m; kioskctl resume ends that\n"
    glance = kiosk.run("kioskctl", "status")
    assert glance.startswith("● PAUSED") and "kioskctl resume ends it" in glance
    before = document(kiosk)
    kiosk.run("pkill", "-KILL", "--oldest", "--exact", "chromium")
    until(lambda: document(kiosk) is None, 10, "it is not gone")
    gone = time.monotonic()
    while time.monotonic() - gone < PAUSED_S:
        assert status(kiosk)["browser"]["state"] != "up", "it was started"
        time.sleep(0.2)  # the pace of the looking
    assert "looked after again" in kiosk.run("kioskctl", "resume")
    back(kiosk, other_than=before)


def test_the_logs_are_explained_and_take_journalctls_arguments(kiosk: Machine) -> None:
    assert "Subject: NO_BROWSER: There is no browser on the screen" in kiosk.run("kioskctl", "logs")
    last = journal(kiosk).splitlines()[-1]
    assert kiosk.run("kioskctl", "logs", "-n", "1", "--output=cat").splitlines()[-1] == last
    assert last in kiosk.run("kioskctl", "logs", "--since", "today")
