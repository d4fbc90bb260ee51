"""What is read of a bad configuration: where to draw, to keep and to listen, so that its mistakes can be shown there."""

import pytest

from kioskd.wire.config import Api, Browser, Config, Display, DisplayConfig, rescue

GOOD = """\
state: /srv/state
url: example.org
display:
  mode: inherit

api: {listen: "127.0.0.1:9000"}
browser:
  command: /opt/chromium
"""


def test_the_good_sections_of_a_bad_file_are_used() -> None:
    kept = Config(state="/srv/state", display=DisplayConfig(Display.INHERIT), api=Api("127.0.0.1:9000"), browser=Browser("/opt/chromium"))
    assert rescue(GOOD) == kept
    assert rescue(GOOD.encode() + b"allow: [") == kept


@pytest.mark.parametrize("text", ["", "state", "state: [", "- state: /b", b"\xff\xfe\x00", b"\0" * 9, "x" * (1 << 21), "display: 3"])
def test_what_is_not_good_by_itself_has_its_default(text: str | bytes) -> None:
    assert rescue(text) == Config()


def test_a_bad_section_does_not_cost_the_others() -> None:
    assert rescue("state: /srv/state\ndisplay:\n  mode: sideways\n") == Config(state="/srv/state")
