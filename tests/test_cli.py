"""The commands, as a user types them."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def kioskd(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "kioskd", *arguments], capture_output=True, text=True, cwd=REPOSITORY, timeout=30)


def kioskctl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from kioskd.ctl import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=REPOSITORY, timeout=30)


def test_a_good_configuration_is_called_good(tmp_path: Path) -> None:
    file = tmp_path / "kioskd.yaml"
    file.write_text("url: http://localhost:3001/\n")
    answer = kioskd("check-config", str(file))
    assert answer.returncode == 0
    assert answer.stdout == f"{file}: good; the page is http://localhost:3001/\n"


def test_a_bad_one_gets_78_and_every_mistake_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "kioskd.yaml"
    file.write_text("url: localhost:3001\nhealth:\n  intervall: 5s\n")
    answer = kioskd("check-config", str(file))
    assert answer.returncode == 78
    assert answer.stdout == ""
    first, second = answer.stderr.splitlines()
    assert first.startswith(f"{file}:1: url: ") and second.startswith(f"{file}:3: health.intervall: ") and "interval" in second


def test_the_shipped_configuration_is_good() -> None:
    assert kioskd("check-config", str(REPOSITORY / "etc/kioskd.yaml")).returncode == 0


def test_what_is_in_force_can_be_shown_and_read_again(tmp_path: Path) -> None:
    file, again = tmp_path / "kioskd.yaml", tmp_path / "again.yaml"
    file.write_text("url: http://localhost:3001/\nhealth: {websocket: {silence: off}}\n")
    shown = kioskd("show-config", str(file))
    again.write_text(shown.stdout)
    assert shown.returncode == 0 and "reload_after: 20s" in shown.stdout
    assert kioskd("show-config", str(again)).stdout == shown.stdout


def test_a_bad_one_cannot_be_shown(tmp_path: Path) -> None:
    answer = kioskd("show-config", str(tmp_path / "absent.yaml"))
    assert answer.returncode == 78 and "absent.yaml" in answer.stderr


def test_strict_ends_with_78(tmp_path: Path) -> None:
    answer = kioskd("run", "--strict", "--config", str(tmp_path / "absent.yaml"))
    assert answer.returncode == 78 and "absent.yaml" in answer.stderr


@pytest.mark.parametrize("arguments", [(), ("fly",), ("run", "--fast"), ("check-config", "a", "b")])
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    answer = kioskd(*arguments)
    assert answer.returncode == 2 and "usage: kioskd" in answer.stderr


def test_the_help_teaches() -> None:
    text = kioskd("--help").stdout
    assert "examples:" in text and "check-config" in text
    demo = kioskd("demo", "--help").stdout
    assert "--port" in demo and "/switch" in demo and "give_up," in demo, "the demo has its own"


def test_kioskctl_says_how_to_go_on_where_nobody_listens() -> None:
    answer = kioskctl("status", "--api", "http://127.0.0.1:1")
    assert answer.returncode == 1 and "Is it running?" in answer.stderr
    assert kioskctl("version").stdout.startswith("kioskctl 0.")


def test_a_reload_without_kioskd_says_how_to_go_on(tmp_path: Path) -> None:
    answer = kioskctl("reload", "--socket", str(tmp_path / "none"))
    assert answer.returncode == 1 and "systemctl status kioskd" in answer.stderr
