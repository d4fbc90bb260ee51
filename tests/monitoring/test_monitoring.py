"""What is shipped for monitoring holds: Prometheus' own tool reads it, and all that it asks for is what kioskd gives."""

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from kioskd.core.kernel import Kernel
from kioskd.core.verdict import Verdict
from kioskd.edges.metrics import Known, Metrics

HERE, REPOSITORY = Path(__file__).parent, Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/monitoring.md").read_text()
ALERTS = REPOSITORY / "docs/monitoring/alerts.yml"
BOARD = json.loads((REPOSITORY / "docs/monitoring/grafana.json").read_text())
PANELS = BOARD["panels"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
VERSION = {"version": 1763000000}
ALL = Known(
    {"verdict": "HEALTHY", "needs_person": False, "browser": {"memory": 1}, "versions": {"disk": VERSION, "screen": VERSION}},
    True, 0.0, {"home": 0.1, "socket": 0.1},
)  # fmt: skip
TEXT = Metrics(Kernel()).text(ALL)
FAMILIES = list(text_string_to_metric_families(TEXT.decode()))

#: What Prometheus adds to each series, and the one series that it makes itself.
TARGET = {"job": {"kioskd", "%s"}, "instance": {"$instance", "%s"}}
GIVEN: dict[str, dict[str, set[str]]] = {"up": TARGET}
for one in (sample for family in FAMILIES for sample in family.samples):
    labels = GIVEN.setdefault(one.name, dict(TARGET))
    for label, value in one.labels.items():
        labels[label] = labels.get(label, set()) | {value}


def promtool(*arguments: str, given: bytes = b"") -> str:
    """Run it; return what it says where it is not content."""
    answer = subprocess.run([HERE / "build/promtool", *arguments], input=given, capture_output=True, timeout=60)
    return (answer.stdout + answer.stderr).decode() if answer.returncode else ""


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """What a real kioskd gives whose browser ends as soon as it is started, and has been started twice."""
    folder = tmp_path_factory.mktemp("kioskd")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "index.html").write_text("<!doctype html><title>a dashboard</title>")
    content = {
        "api": {"listen": f"127.0.0.1:{port}"}, "browser": {"command": "/bin/false", "profile": f"{folder}/profile"},
        "deploy": {"index": f"{folder}/index.html"}, "display": {"mode": "headless"},
        "health": {"interval": "500ms"}, "state": f"{folder}/state",
    }  # fmt: skip
    (folder / "kioskd.yaml").write_text(yaml.safe_dump(content))
    command, environment = [sys.executable, "-m", "kioskd", "run", "--config", folder / "kioskd.yaml"], {"RUNTIME_DIRECTORY": str(folder)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | environment) as kioskd:
        try:
            deadline, found = time.monotonic() + 30, b""
            while not re.search(rb'^kioskd_restarts_total{cause="NO_BROWSER"} [1-9]', found, re.MULTILINE):
                assert time.monotonic() < deadline and kioskd.poll() is None, found.decode()
                time.sleep(0.1)  # between two scrapes
                try:
                    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Host": f"127.0.1.1:{port}"})  # by a tunnel
                    with urllib.request.urlopen(asked, timeout=10) as answer:
                        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
                        found = answer.read()
                except urllib.error.URLError as error:
                    found = str(error).encode()  # it is not there yet
            yield found
        finally:
            kioskd.terminate()


# --- kioskd's side ------------------------------------------------------------------------------


def test_a_real_scrape_is_as_prometheus_wants_it(scrape: bytes) -> None:
    assert promtool("check", "metrics", given=scrape) == ""
    assert promtool("check", "metrics", given=TEXT) == "", "nor is it content with what that screen lacks"


def test_a_real_scrape_tells_what_is_so(scrape: bytes) -> None:
    for line in ("kioskd_up 1.0", 'kioskd_verdict{verdict="NO_BROWSER"} 1.0', "kioskd_needs_person 0.0"):
        assert f"\n{line}\n" in scrape.decode()
    (since,) = re.findall(r"^kioskd_since_healthy_seconds (.*)$", scrape.decode(), re.MULTILINE)
    assert 0 < float(since) < 60
    assert 'kioskd_deploy_version{where="disk"}' in scrape.decode() and 'where="screen"' not in scrape.decode()
    assert {family.name for family in text_string_to_metric_families(scrape.decode())} == {family.name for family in FAMILIES}


def test_the_page_has_the_metrics_as_they_are() -> None:
    rows = ["| metric | labels | |", "|---|---|---|"]
    for family in FAMILIES:
        if family.name.startswith("kioskd_"):
            name = family.name + {"counter": "_total"}.get(family.type, "")
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            kind = "" if family.type == "gauge" else f" ({family.type})"
            rows.append(f"| `{name}`{kind} | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |")
    assert "\n".join(["", *rows, ""]) in PAGE, "the table is to be:\n" + "\n".join(rows)


# --- Prometheus' side ---------------------------------------------------------------------------


def test_the_alerts_can_be_read() -> None:
    assert promtool("check", "rules", str(ALERTS)) == ""


def test_each_alert_comes_where_it_must_and_only_there() -> None:
    assert promtool("test", "rules", str(HERE / "alerts.test.yml")) == ""


def test_the_scrape_configuration_of_the_page_can_be_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"^    scrape_configs:\n(?:    .*\n|\n(?=    ))+", PAGE, re.MULTILINE)
    assert "job_name: kioskd" in example and "alerts.yml" in example
    (tmp_path / "prometheus.yml").write_text(textwrap.dedent(example))
    assert promtool("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml")) == ""


def test_the_dashboard_asks_in_prometheus_language(tmp_path: Path) -> None:
    expressions = [re.sub(r"\$__\w+", "5m", target["expr"]) for target in TARGETS]
    rules = [{"record": f"expression_{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert promtool("check", "rules", str(tmp_path / "rules.yml")) == ""


def unknown(text: str) -> list[str]:
    """Return what a text asks for, and kioskd does not give: names, and labels and values in the braces after them."""
    wrong = [name for name in re.findall(r"\b(?:kioskd|process)_\w+", text) if name not in GIVEN]
    for name, selector in re.findall(r"\b(\w+)\{([^{}]+)\}", text):
        for label, values in re.findall(r"""(\w+)[=!][=~]?\\?["'](.*?)\\?["']""", selector):
            known = GIVEN.get(name, {}).get(label, set())
            wrong += [f"{name}: {label}={value}" for value in values.split("|") if value not in known]
    return wrong


def test_only_what_kioskd_gives_is_asked_for() -> None:
    texts = [ALERTS.read_text(), *(target["expr"] for target in TARGETS), json.dumps(BOARD["templating"])]
    for text in texts:
        assert unknown(text) == []
    assert "kioskd_needs_person" in texts[0] and any("kioskd_recovery_seconds_bucket" in text for text in texts[1:])


@pytest.mark.parametrize(
    "text",
    [
        "kioskd_restart_total",
        'kioskd_verdict{verdict="STUK"}',
        "kioskd_verdict{is='STUCK'}",
        'kioskd_reloads_total{cause!~"STALE|X"}',
        'up{job!="x"}',
    ],
)
def test_what_kioskd_does_not_give_is_seen(text: str) -> None:
    assert unknown(text)


# --- Grafana's side -----------------------------------------------------------------------------


def test_the_dashboard_has_what_an_import_needs() -> None:
    assert BOARD["id"] is None, "Grafana gives it one"
    assert BOARD["uid"] and BOARD["title"] and BOARD["schemaVersion"] >= 36, "Grafana 9"
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert {panel["type"] for panel in PANELS} == {each["id"] for each in BOARD["__requires"] if each["type"] == "panel"}
    for panel in PANELS:
        assert panel["title"] and panel["description"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all(target["expr"] for target in panel["targets"])


def test_each_panel_has_its_own_place() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_every_query_goes_to_the_chosen_data_source_for_the_chosen_screens() -> None:
    variables: dict[str, Any] = {each["name"]: each for each in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for each in (*PANELS, *TARGETS, variables["instance"]):
        assert each["datasource"] == chosen
    for target in TARGETS:
        assert 'instance=~"$instance"' in target["expr"]
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD)))
    assert {name for name in used if not name.startswith("__")} == set(variables)


def test_the_timeline_knows_every_verdict() -> None:
    (timeline,) = [panel for panel in PANELS if panel["type"] == "state-timeline"]
    numbered = list(enumerate(Verdict, 1))
    terms = " or ".join(f'{number} * kioskd_verdict{{instance=~"$instance",verdict="{verdict.value}"}}' for number, verdict in numbered)
    assert timeline["targets"][0]["expr"] == f"sum by (instance) ({terms})"
    (mapping,) = timeline["fieldConfig"]["defaults"]["mappings"]
    assert {number: each["text"] for number, each in mapping["options"].items()} == {str(number): each.value for number, each in numbered}
