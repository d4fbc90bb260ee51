from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kioskd.core.facts import Connection, PageAnswered
from kioskd.errors import KioskdError
from kioskd.wire.report import MAX_CONNECTIONS, MAX_URL, read_report


def group(url: str = "ws://x/", **changes: Any) -> dict[str, Any]:
    usual = {
        "url": url,
        "open_for": 5.0,
        "dead_for": None,
        "closed_by_page": False,
        "messages": 3,
        "silent_for": 1.0,
        "longest_gap": 2.0,
    }
    return usual | changes


def report(**changes: Any) -> dict[str, Any]:
    usual = {
        "url": "http://x/",
        "ready": True,
        "status": 200,
        "visible": True,
        "alive": None,
        "stuck": False,
        "connections": [],
        "frames": [],
    }
    return usual | changes


def test_a_plain_report() -> None:
    said = read_report(4, 2, report(connections=[group()], alive=False))
    one = Connection("ws://x/", open_for=5.0, dead_for=None, messages=3, silent_for=1.0, longest_gap=2.0)
    assert said == PageAnswered(4, 2, "http://x/", True, 200, True, alive=False, connections=(one,))


def test_frames_and_workers_are_merged_by_url() -> None:
    dead = group(open_for=None, dead_for=9.0, closed_by_page=True, silent_for=0, longest_gap=7)
    frame = {"stuck": True, "connections": [dead, group("ws://y/", open_for=None, dead_for=4.0, closed_by_page=True)]}
    worker = {"connections": [group(open_for=8, silent_for=0.5), group("ws://y/", open_for=None, dead_for=3.0)]}
    said = read_report(1, 1, report(connections=[group()], frames=[frame]), [worker, {}])
    assert said.stuck_text
    assert said.connections == (
        Connection("ws://x/", open_for=8.0, dead_for=None, messages=9, silent_for=0.5, longest_gap=7.0),
        Connection("ws://y/", open_for=None, dead_for=3.0, closed_by_page=False, messages=6, longest_gap=2.0),
    )


def test_what_has_no_bound_is_cut() -> None:
    many = [group(f"ws://x/{i}" + "x" * 5000) for i in range(500)]
    said = read_report(1, 1, report(url="http://x/" + "y" * 9999, connections=many, status=99999))
    assert len(said.url) == MAX_URL and said.status is None
    assert len(said.connections) == MAX_CONNECTIONS and all(len(each.url) == MAX_URL for each in said.connections)
    one = read_report(1, 1, report(connections=[group(open_for=10**400, silent_for=-5)])).connections[0]
    assert one.open_for == 1e9 and one.silent_for == 0.0


@pytest.mark.parametrize(
    "forged",
    [
        None,
        [],
        "x",
        report(url=None),
        report(ready=1),
        report(visible="yes"),
        report(stuck=None),
        report(connections={}),
        report(connections=[7]),
        report(frames=7),
        report(connections=[group(open_for=1.0, dead_for=1.0)]),
        report(connections=[group(open_for=None)]),
        report(connections=[group(open_for=float("nan"))]),
        report(connections=[group(open_for=True)]),
        report(connections=[group(messages=-1)]),
        report(connections=[group(messages=1.5)]),
        report(connections=[group(messages=2**60)]),
    ],
)
def test_a_forged_report_is_refused(forged: object) -> None:
    with pytest.raises(KioskdError, match="makes no sense"):
        read_report(1, 1, forged)


@pytest.mark.parametrize(
    "forged", [None, 5, "x" * 9999, {}, {"stuck": 1}, {"stuck": False, "connections": [{}]}, {"stuck": True, "connections": 7}]
)
def test_a_frame_that_talks_rubbish_spoils_only_what_it_says_itself(forged: object) -> None:
    honest = {"stuck": False, "connections": [group("ws://y/")]}
    said = read_report(1, 1, report(connections=[group()], frames=[forged, honest]))
    assert [each.url for each in said.connections] == ["ws://x/", "ws://y/"] and not said.stuck_text


def test_odd_values_that_do_no_harm() -> None:
    said = read_report(1, 1, report(status="200", alive="yes", connections=None))
    assert said.status is None and said.alive is None and said.connections == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*report(), *group()]), inner, max_size=8),
)


@given(anything, st.lists(anything, max_size=3))
def test_whatever_the_page_says_it_is_a_fact_or_a_sentence(main: object, workers: list[object]) -> None:
    try:
        assert isinstance(read_report(1, 1, main, workers), PageAnswered)
    except KioskdError as error:
        assert "makes no sense" in str(error)
