"""Row 20: a mistake in the configuration is told with file and line. What it costs the wall is in ``cases``."""

from pathlib import Path

import pytest

from tests.aio import asynctest
from tests.faults.cases.configuration import BAD, EX_CONFIG, check, command


@pytest.mark.parametrize(("text", "where", "_"), BAD.values(), ids=BAD)
@asynctest
async def test_check_config_says_what_and_where(tmp_path: Path, text: bytes, where: str, _: str) -> None:
    path = tmp_path / "kioskd.yaml"
    path.write_bytes(text)
    code, said = await check(path)
    assert code == EX_CONFIG
    assert said.startswith(f"{path}:") and where in said, said
    assert "Traceback" not in said and len(said) < 1000, said


@asynctest
async def test_check_config_of_an_empty_file_and_of_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_bytes(b"")
    code, said = await check(empty)
    assert code == 0 and "welcome page" in said, said
    for path in (tmp_path, tmp_path / "none.yaml", Path("/dev/zero")):
        code, said = await check(path)
        assert code == EX_CONFIG and said.startswith(f"{path}:1: ") and said.count("\n") == 1, said


@asynctest
async def test_strict_ends(tmp_path: Path) -> None:
    path = tmp_path / "kioskd.yaml"
    path.write_text("url: localhost\n")
    code, said = await command("run", "--strict", "--config", str(path))
    assert code == EX_CONFIG and said.startswith(f"{path}:1: url: "), said
