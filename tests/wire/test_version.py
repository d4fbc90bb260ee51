import json

import pytest

from kioskd.core.facts import DeployRead, Version
from kioskd.wire.version import INCOMPLETE, read_version, write_version


@pytest.mark.parametrize("version", [Version(1763000000, "sha256:ab"), Version(1, "", "sha256:cd")])
@pytest.mark.parametrize("complete", [True, False])
def test_what_one_says_the_other_understands(version, complete):
    told = json.dumps(write_version(version, complete)).encode()
    assert read_version(told) == DeployRead(version, () if complete else (INCOMPLETE,))


def test_the_contract():
    assert write_version(Version(1763000000, "sha256:ab"), True) == {"version": 1763000000, "digest": "sha256:ab", "complete": True}


def test_only_the_number_is_needed_and_strange_words_are_left_out():
    assert read_version(b'{"version": 7}') == DeployRead(Version(7, ""))
    assert read_version(b'{"version": 7, "digest": 5, "also": [], "complete": null, "more": 1}') == DeployRead(Version(7, ""))


NUMBERLESS = [b"[7]", b"7", b"{}", b'{"version": "7"}', b'{"version": true}', b'{"version": 7.5}']


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xff", *NUMBERLESS])
def test_what_is_no_version_is_said(content):
    with pytest.raises(ValueError, match="its answer"):
        read_version(content)


def test_a_bomb_is_no_version():
    with pytest.raises(ValueError, match="no JSON"):
        read_version(b"[" * 100_000)
