"""A share of the years (all of them: ``scripts/years``); that skipping quiet time changes nothing; that a complaint becomes a scenario."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from kioskd.core import actions as a
from kioskd.core import facts as f
from kioskd.core.ladder import Plan
from kioskd.core.orders import order
from kioskd.core.steps import STEPS, Remedy
from kioskd.core.verdict import Verdict
from tests.core import years
from tests.core.faults import FAULTS, STUBBORN
from tests.core.invariants import Recorded
from tests.core.quiet import pass_quietly
from tests.core.scenario import load, play, policy
from tests.core.shrink import shrink, write
from tests.core.world import World, settled
from tests.core.years import KIOSKS, TURNS, Failed, Story, Told, lived, lives, one_life

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "years"


def short(failed: Failed) -> str:
    return f"scripts/years --life {failed.life}\n{failed.complaint}\n{shrink(failed)}"


def test_a_life_of_each_kiosk_from_another_seed_each_time() -> None:
    result = Told()
    for life in lives(os.environ.get("KIOSKD_SEED") or secrets.token_hex(4), len(KIOSKS) / years.LIVES_A_YEAR):
        result.add(lived(life))
    assert not result.failed, "\n".join(map(short, result.failed))
    assert all(result.happened[fault.name] >= 10 for fault in FAULTS)
    assert all(result.happened[fault.name] == len(KIOSKS) for fault in STUBBORN)
    assert result.turns <= TURNS * len(KIOSKS)
    assert result.seconds == pytest.approx(len(KIOSKS) * years.LIFE_S, rel=0.05)


# --- skipping -------------------------------------------------------------------------------------


def unlike(one: Any, other: Any, path: str = "") -> list[str]:
    """Return where two values differ; moments may, by what adding up many floats comes to."""
    if is_dataclass(one) and type(one) is type(other):
        names = [item.name for item in fields(one)]
        return [found for name in names for found in unlike(getattr(one, name), getattr(other, name), f"{path}.{name}")]
    if isinstance(one, tuple | list) and isinstance(other, tuple | list) and len(one) == len(other):
        return [found for number, pair in enumerate(zip(one, other, strict=True)) for found in unlike(*pair, f"{path}[{number}]")]
    same = one == pytest.approx(other, abs=1e-6) if isinstance(one, float) and isinstance(other, float) else one == other
    return [] if same else [f"{path}: {one}, not {other}"]


def passing(kiosk: dict[str, Any], verbs: list[tuple[str, float]], wait: Callable[[World, float], None]) -> World:
    world = settled(policy(kiosk))
    for verb, seconds in verbs:
        if verb:
            world.do(verb)
        wait(world, world.now + seconds)
    return world


@pytest.mark.parametrize(
    ("kiosk", "verbs"),
    [
        (KIOSKS[0], [("", 2000.5), ("browser.kill", 1234.5), ("page.half_open", 500.25), ("deploy.change", 50.0), ("page.crash", 3000.0)]),
        (KIOSKS[0], [("page.always_close", 20.0), ("page.behave", 700.0), ("browser.swell 900", 4000.0)]),
        (KIOSKS[1], [("page.forget_sockets", 1.0), ("page.give_up_socket", 250.0), ("page.behave", 5000.0)]),  # the budget comes back
        (KIOSKS[2], [("deploy.change_elsewhere", 1000.1), ("host.log 4", 300.0), ("server.stop", 100.0), ("server.start", 1500.0)]),
        (KIOSKS[0], [("display.disconnect", 0.0), ("display.kill", 1000.3), ("page.close_socket", 500.2), ("host.stall 20", 600.0)]),
        (KIOSKS[0], [("page.show_blank", 200.0), ("page.show_blank", 400.0), ("page.be_blank_always", 2500.0)]),
    ],
)  # fmt: skip
def test_a_life_with_skips_is_the_same_life(kiosk: dict[str, Any], verbs: list[tuple[str, float]]) -> None:
    lived_through, skipped = (passing(kiosk, verbs, wait) for wait in (World.run, pass_quietly))
    assert skipped.turns < 0.7 * lived_through.turns
    assert not unlike(skipped.did, lived_through.did)
    one, other = skipped.kernel, lived_through.kernel
    assert not unlike((one.view, one.ladder, one.plan, one.judgement), (other.view, other.ladder, other.plan, other.judgement))
    # And from then on every question is asked at the same time.
    asked = []
    for world in (skipped, lived_through):
        before, now = len(world.asked), world.now
        world.run(now + 130.0)
        asked.append([(at - now, type(action).__name__) for at, action in world.asked[before:]])
    assert not unlike(*asked)


# --- shrinking ------------------------------------------------------------------------------------


class Forgetful(Recorded):
    """It does not reload a page that is stuck, once the browser has been killed for the first time."""

    def _free(self, due: Plan, now: float) -> bool:
        forgets = self.judgement.verdict is Verdict.STUCK and due.remedy is Remedy.RELOAD and self.view.browser.generation > 1
        return not forgets and super()._free(due, now)


class Restless(Recorded):
    """It reloads the page once more, a while after its own loop was late."""

    def _act(self, now: float) -> list[a.Action]:
        actions = super()._act(now)
        late = next(iter(self.view.late_at[-1:]), now)
        if now - late > 100.0 and self.view.page.load_at < late and self.judgement.verdict is Verdict.HEALTHY and not actions:
            self.view, action = order(self.view, Verdict.STUCK, Remedy.RELOAD, now)
            return [action]
        return actions


class Harsh(Recorded):
    """It restarts the browser because the server is down."""

    def _judge(self, now: float) -> None:
        super()._judge(now)
        if self.judgement.verdict is Verdict.SERVER_DOWN and self.plan is None:
            (step,) = STEPS[Verdict.SERVER_DOWN]
            self.plan = Plan(step, step.remedy, self.judgement.since + 10.0)


class Deaf(Recorded):
    """It does not get over a load during a pause."""

    def handle(self, fact: Any, now: float) -> tuple[list[a.Action], float]:
        result = super().handle(fact, now)
        assert not (self.view.paused_until and self.view.page.report is None), "loaded while paused"
        return result


class Clumsy(Recorded):
    """It looks up what is not there when a renderer has gone: a mistake that no invariant is about."""

    def handle(self, fact: Any, now: float) -> tuple[list[a.Action], float]:
        if isinstance(fact, f.RendererGone):
            {}["renderer"]
        return super().handle(fact, now)


class Stillborn(Recorded):
    """It does not even get over its configuration."""

    def handle(self, fact: Any, now: float) -> tuple[list[a.Action], float]:
        if isinstance(fact, f.ConfigRead):
            raise ValueError("no configuration is good enough")
        return super().handle(fact, now)


@pytest.mark.parametrize(
    ("broken", "life", "most", "verb"),
    [
        (Forgetful, "broken/1", 4, "page.give_up_socket"),
        (Restless, "broken/0", 2, "host.stall 20"),
        (Harsh, "broken/0", 2, "server."),
        (Deaf, "broken/0", 4, "host.ask pause 20"),
        (Clumsy, "broken/0", 2, "page.crash"),
    ],
    ids=["forgetful", "restless", "harsh", "deaf", "clumsy"],
)
def test_a_complaint_becomes_a_short_scenario(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: type[Recorded], life: str, most: int, verb: str
) -> None:
    monkeypatch.setattr(World, "kernel_type", broken)
    name, kiosk, stories = one_life(life)
    (failed,) = years.live(name, kiosk, stories).failed
    scenario = shrink(failed)
    assert scenario is not None
    write(scenario, tmp_path / "found.yaml")
    again = load(tmp_path / "found.yaml")
    verbs = [happens for step in again["steps"] for happens in step.get("happens", ())]
    print((tmp_path / "found.yaml").read_text())
    assert len(verbs) <= most and any(happens.startswith(verb) for happens in verbs)
    with pytest.raises((AssertionError, KeyError)):
        play(again)
    monkeypatch.undo()
    play(again)


def test_a_life_that_does_not_begin_is_a_complaint_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "kernel_type", Stillborn)
    told = years.live("broken/0", KIOSKS[0], [Story(((0.0, "page.crash"),), 3.0)])
    (failed,) = told.failed
    assert failed.stories == () and told.turns == 0 and "no configuration is good enough" in failed.complaint
    scenario = shrink(failed)
    assert scenario is not None and not any("happens" in step for step in scenario["steps"])
    with pytest.raises(ValueError):
        play(scenario)
    monkeypatch.undo()
    play(scenario)


# --- the script -----------------------------------------------------------------------------------


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=60)


def test_the_seed_is_said_first_and_what_it_cost_last() -> None:
    done = script("--life", "said/0", "--processes", "1")
    first, *_, last = done.stdout.splitlines()
    assert (done.returncode, first, done.stderr) == (0, "seed said/0", "")
    assert last.startswith("0.10 years in ") and last.endswith("seed said/0")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--life", "abc"), ("--life", "abc/"), ("--life", "/1"), ("--life", "abc/-1"),
        ("--processes", "0"), ("--processes", "1.5"), ("--processes", "nan"), ("--processes", "two"),
        ("--years", "nan"), ("--years", "-5"), ("--years", "0"), ("--years", "inf"), ("--years", "many"),
        ("--write-to", "/nowhere"), ("--write-to", "/dev/null"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_said_at_once(arguments: tuple[str, str]) -> None:
    done = script(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    option, value = arguments
    assert f"error: argument {option}: " in done.stderr and repr(value) in done.stderr and "give " in done.stderr
