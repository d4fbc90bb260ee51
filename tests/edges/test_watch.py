import asyncio
import contextlib
import os
import resource
import subprocess
import time
from collections.abc import AsyncIterator

import pytest

from kioskd.core.actions import ReadDeploy
from kioskd.core.facts import DeployRead, DeployTouched, Fact, Version
from kioskd.core.policy import Deploy, Seconds
from kioskd.edges import watch
from kioskd.edges.watch import BACKSTOP_S, Watch, _inotify_descriptors
from kioskd.errors import EdgeUnavailable
from tests.aio import asynctest

SOON_S = BACKSTOP_S / 2  # seen within this: inotify told, not the backstop


class Desk:
    """Takes what the watch emits, and waits for it."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.config = 0
        self._news = asyncio.Event()

    def take(self, fact: Fact) -> None:
        self.facts.append(fact)
        self._news.set()

    def config_touched(self) -> None:
        self.config += 1
        self._news.set()

    async def until(self, count: int, within: float) -> float:
        """Wait until the deploy was touched so often; return how long it took."""
        return await self._until(lambda: len(self.facts) >= count, within)

    async def until_config(self, count: int, within: float) -> float:
        return await self._until(lambda: self.config >= count, within)

    async def _until(self, holds, within: float) -> float:
        started = time.monotonic()
        async with asyncio.timeout(within):
            while not holds():
                self._news.clear()
                await self._news.wait()
        return time.monotonic() - started


@contextlib.asynccontextmanager
async def watching(deploy: Deploy, config: str | None = None) -> AsyncIterator[tuple[Desk, Watch]]:
    """A running watch whose first, unconditional report is over and which is armed."""
    desk = Desk()
    edge = Watch(desk.take, deploy, config, desk.config_touched)
    task = asyncio.create_task(edge.run())
    try:
        if deploy.index or deploy.also:
            await desk.until(1, 5)
            desk.facts.clear()
        yield desk, edge
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def site(tmp_path):
    """A folder with a built dist."""
    build(tmp_path / "site" / "dist", "one")
    return tmp_path / "site"


def build(dist, text):
    (dist / "assets").mkdir(parents=True)
    (dist / "assets" / f"{text}.js").write_text(text)
    (dist / "index.html").write_text(index_of(text))


def index_of(text):
    return f"<!doctype html><script src='/assets/{text}.js'></script>"


def deploy_of(site, **more):
    return Deploy(index=str(site / "dist" / "index.html"), **more)


def rename(site):
    (site / "dist" / "new").write_text("two")
    os.rename(site / "dist" / "new", site / "dist" / "index.html")


def rename_from_outside(site):
    (site / "new").write_text("two")
    os.rename(site / "new", site / "dist" / "index.html")


def in_place(site):
    (site / "dist" / "index.html").write_text("two")


def remove(folder):
    subprocess.run(["rm", "-rf", folder], check=True)


def rebuilt(site):
    remove(site / "dist")
    build(site / "dist", "two")


def dist_renamed(site):
    build(site / "next", "two")
    os.rename(site / "dist", site / "old")
    os.rename(site / "next", site / "dist")


def touch(site):
    os.utime(site / "dist" / "index.html")


def rollback(site):
    (site / "dist" / "index.html").write_text("zero")
    os.utime(site / "dist" / "index.html", (1_000_000_000, 1_000_000_000))


def another_file(site):
    (site / "dist" / "app.js").write_text("half")


WAYS = [rename, rename_from_outside, in_place, rebuilt, dist_renamed, touch, rollback, another_file]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@asynctest
async def test_every_way_a_dist_changes_is_seen_at_once(site, way):
    async with watching(deploy_of(site)) as (desk, edge):
        way(site)
        await desk.until(1, SOON_S)
        assert edge.problem is None


@pytest.mark.parametrize("way", WAYS[:-1], ids=lambda way: way.__name__)
@asynctest
async def test_and_once_more_after_the_folder_was_replaced(site, way):
    async with watching(deploy_of(site)) as (desk, _):
        rebuilt(site)
        await desk.until(1, SOON_S)
        await quiet(desk)
        if way is dist_renamed:
            remove(site / "old")
        way(site)
        await desk.until(1, SOON_S)


async def quiet(desk):
    """Wait until the burst is over, then forget it."""
    while True:
        seen = len(desk.facts)
        try:
            await desk.until(seen + 1, 4 * watch.BURST_S)
        except TimeoutError:
            desk.facts.clear()
            return


@asynctest
async def test_a_switched_symlink_and_a_change_behind_it(tmp_path):
    build(tmp_path / "releases" / "1", "one")
    build(tmp_path / "releases" / "2", "two")
    (tmp_path / "dist").symlink_to("releases/1")
    async with watching(deploy_of(tmp_path)) as (desk, _):
        (tmp_path / "dist.new").symlink_to(tmp_path / "releases" / "2")
        os.rename(tmp_path / "dist.new", tmp_path / "dist")
        await desk.until(1, SOON_S)
        await quiet(desk)
        (tmp_path / "releases" / "2" / "index.html").write_text("three")
        await desk.until(1, SOON_S)


@asynctest
async def test_a_dist_that_appears_later_parents_too(tmp_path):
    async with watching(deploy_of(tmp_path / "a" / "b")) as (desk, edge):
        (tmp_path / "a").mkdir()
        (tmp_path / "elsewhere").mkdir()
        build(tmp_path / "a" / "b" / "dist", "one")
        await desk.until(1, SOON_S)
        await edge.read(ReadDeploy())
        assert isinstance(desk.facts[-1], DeployRead) and desk.facts[-1].version is not None


@asynctest
async def test_neighbours_of_the_dist_disturb_nobody(site):
    async with watching(deploy_of(site), str(site / "kioskd.yaml")) as (desk, _):
        (site / "server.log").write_text("line")
        with pytest.raises(TimeoutError):
            await desk.until(1, BACKSTOP_S + 0.5)
        assert desk.config == 0


@asynctest
async def test_a_burst_is_a_few_facts(site):
    async with watching(deploy_of(site)) as (desk, _):
        for number in range(5000):
            (site / "dist" / f"{number % 50}.js").write_text(str(number))
        await desk.until(1, SOON_S)
        await quiet(desk)
        started = time.monotonic()
        for number in range(2000):
            (site / "dist" / f"{number % 50}.js").write_text(str(number))
            await asyncio.sleep(0)
        await desk.until(1, SOON_S)
        took = time.monotonic() - started  # until they are counted: inotify is behind
        looks = took / watch.BURST_S + 1
        assert len(desk.facts) <= 2 * looks + 1  # what each has found, and one alarm between any two, before the first, after the last


@asynctest
async def test_age_is_what_the_disk_says_within_settle(site):
    deploy = deploy_of(site, settle=Seconds(0.2))
    async with watching(deploy) as (desk, _):
        in_place(site)
        await desk.until(1, SOON_S)
        assert isinstance(desk.facts[0], DeployTouched) and 0 <= desk.facts[0].age <= 0.2


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@asynctest
async def test_a_change_amid_a_burst_is_told_at_once(site, monkeypatch, way):
    monkeypatch.setattr(watch, "BURST_S", 60.0)  # there is no other look
    async with watching(deploy_of(site)) as (desk, _):
        way(site)
        await desk.until(1, SOON_S)
        assert desk.facts == [DeployTouched()]


@asynctest
async def test_no_descriptor_is_closed_under_its_reader(site, monkeypatch):
    from watchdog.observers.inotify_c import Inotify

    read = Inotify.read_events

    def late(self, *arguments):
        time.sleep(0.3)  # the fault
        return read(self, *arguments)

    monkeypatch.setattr(Inotify, "read_events", late)
    async with watching(deploy_of(site)) as (_, edge):
        reader_of = {reader._inotify._inotify_fd: reader for reader in watch._readers(edge._observer)}
        assert reader_of and set(reader_of) <= _inotify_descriptors()
        watch._discard(edge._observer)
        there = set(reader_of)
        while there:
            await asyncio.sleep(0)
            there &= _inotify_descriptors()
            assert not [descriptor for descriptor, reader in reader_of.items() if descriptor not in there and reader.is_alive()]


@pytest.mark.parametrize("instead", [None, "a file"])
@asynctest
async def test_a_folder_that_goes_as_it_is_to_be_watched_is_no_refusal(site, monkeypatch, instead):
    look, gone = watch.look, site / "gone"
    looks = []
    if instead:
        gone.write_text(instead)

    def sees_what_is_gone_by_then(*asked):
        sight = look(*asked)
        looks.append(sight)
        if len(looks) == 1:
            sight.folders[str(gone)] = (0, 0)
        return sight

    monkeypatch.setattr(watch, "look", sees_what_is_gone_by_then)
    async with watching(deploy_of(site)) as (desk, edge):
        await quiet(desk)
        assert edge.problem is None
        in_place(site)
        await desk.until(1, SOON_S)


@asynctest
async def test_what_is_moved_out_of_sight_does_not_hold_up_the_news(site, monkeypatch):
    from watchdog.observers.inotify import InotifyBuffer

    monkeypatch.setattr(InotifyBuffer, "delay", 60.0)
    monkeypatch.setattr(watch, "BURST_S", 60.0)
    (site / "elsewhere").mkdir()
    async with watching(deploy_of(site)) as (desk, _):
        os.rename(site / "dist" / "index.html", site / "elsewhere" / "index.html")
        await desk.until(1, SOON_S)


@asynctest
async def test_a_change_that_nobody_has_told_of_is_told_before_what_is_read(site, monkeypatch):
    monkeypatch.setattr(watch._Handler, "dispatch", lambda self, event: None)
    async with watching(deploy_of(site, settle=Seconds(0.001))) as (desk, edge):
        await edge.read(ReadDeploy())
        in_place(site)
        await edge.read(ReadDeploy())
        await edge.read(ReadDeploy())
        assert [type(fact) for fact in desk.facts] == [DeployRead, DeployTouched, DeployRead, DeployRead]
        assert 0 <= desk.facts[1].age <= 0.2


@pytest.mark.parametrize(("age", "told"), [(0.0, True), (-3600.0, False)])  # the wall clock may have been set back since
@asynctest
async def test_an_asset_that_came_just_now_is_told_before_what_is_read(site, monkeypatch, age, told):
    deploy = deploy_of(site, settle=Seconds(30))
    async with watching(deploy) as (desk, edge):
        (site / "dist" / "assets" / "one.js").write_text("new")
        now = time.time()
        monkeypatch.setattr(watch.time, "time", lambda: now + 0.5 + age)
        await edge.read(ReadDeploy())
        assert [type(fact) for fact in desk.facts] == [DeployTouched, DeployRead][not told :]


@asynctest
async def test_the_first_report_of_an_old_deploy_is_settled(site):
    desk = Desk()
    edge = Watch(desk.take, deploy_of(site, settle=Seconds(0.001)), None, desk.config_touched)
    task = asyncio.create_task(edge.run())
    await desk.until(1, 5)
    task.cancel()
    assert desk.facts == [DeployTouched(0.001)]


@asynctest
async def test_further_files_by_name_and_by_pattern(site):
    (site / "more").mkdir()
    deploy = deploy_of(site, also=(str(site / "env.json"), str(site / "more" / "*.css")))
    async with watching(deploy) as (desk, edge):
        versions = []
        for path, text in [(site / "env.json", "1"), (site / "more" / "a.css", "1"), (site / "more" / "a.css", "2")]:
            path.write_text(text)
            await desk.until(1, SOON_S)
            await edge.read(ReadDeploy())
            versions.append(desk.facts[-1].version)
            await quiet(desk)
        assert len({version.also for version in versions}) == 3 and len({version.digest for version in versions}) == 1
        (site / "more" / "notes.txt").write_text("x")
        with pytest.raises(TimeoutError):
            await desk.until(1, BACKSTOP_S + 0.5)


@asynctest
async def test_further_files_without_an_index_are_seen_and_waited_for(tmp_path):
    deploy = Deploy(also=(str(tmp_path / "later" / "sleep.json"),))
    async with watching(deploy) as (desk, edge):
        await edge.read(ReadDeploy())
        assert desk.facts[-1].version is None and "not there yet" in edge.deploy_problem
        await quiet(desk)
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "sleep.json").write_text("1")
        await desk.until(1, BACKSTOP_S + 0.5)
        await edge.read(ReadDeploy())
        first = desk.facts[-1].version
        assert first is not None and edge.deploy_problem is None
        await quiet(desk)
        (tmp_path / "later" / "sleep.json").write_text("2")
        await desk.until(1, SOON_S)
        await edge.read(ReadDeploy())
        assert desk.facts[-1].version not in (None, first)


@asynctest
async def test_an_endpoint_elsewhere_is_asked_and_its_silence_is_said(tmp_path):
    facts, answers = [], [DeployRead(Version(7, "")), EdgeUnavailable("nobody there")]

    async def ask(url):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    edge = Watch(facts.append, Deploy(url="http://there/version"), None, lambda: None, ask)
    await edge.read(ReadDeploy())
    assert (facts, edge.deploy_problem) == ([DeployRead(Version(7, ""))], None)
    with pytest.raises(EdgeUnavailable):
        await edge.read(ReadDeploy())
    assert (len(facts), edge.deploy_problem) == (1, "nobody there")


@asynctest
async def test_the_configuration_file_edited_saved_over_and_behind_a_link(tmp_path):
    real, config = tmp_path / "real" / "k.yaml", tmp_path / "etc" / "kioskd.yaml"
    real.parent.mkdir()
    config.parent.mkdir()
    config.symlink_to(real)
    async with watching(deploy_of(tmp_path), str(config)) as (desk, _):
        for number, text in enumerate(["url: http://a/", "url: http://b/", "url: http://c/"], start=1):
            (tmp_path / "saved").write_text(text)
            os.rename(tmp_path / "saved", real)
            await desk.until_config(number, SOON_S)
        os.unlink(config)
        await desk.until_config(4, SOON_S)
        assert desk.facts == []


@asynctest
async def test_another_deploy_is_followed_without_a_restart(site, tmp_path):
    build(tmp_path / "other" / "dist", "other")
    async with watching(deploy_of(site)) as (desk, edge):
        edge.follow(deploy_of(tmp_path / "other"))
        await desk.until(1, SOON_S)
        await quiet(desk)
        in_place(tmp_path / "other")
        await desk.until(1, SOON_S)
        await quiet(desk)
        in_place(site)
        with pytest.raises(TimeoutError):
            await desk.until(1, BACKSTOP_S + 0.5)


@asynctest
async def test_a_missing_asset_is_told_when_it_comes(site):
    (site / "dist" / "assets" / "one.js").unlink()
    async with watching(deploy_of(site)) as (desk, edge):
        await edge.read(ReadDeploy())
        assert desk.facts[-1].missing == ("/assets/one.js",)
        await quiet(desk)
        (site / "dist" / "assets" / "one.js").write_text("whole")
        await desk.until(1, BACKSTOP_S + 0.5)
        await edge.read(ReadDeploy())
        assert desk.facts[-1].missing == ()


@asynctest
async def test_beside_a_missing_asset_others_come_and_go_unheard(site):
    assets = site / "dist" / "assets"
    (assets / "one.js").unlink()
    async with watching(deploy_of(site)) as (desk, edge):
        await edge.read(ReadDeploy())
        another_file(site)  # so that there is a look, which has the folder of what is missing watched
        await desk.until(2, SOON_S)
        await quiet(desk)
        (assets / "of another build.js").write_text("two")
        with pytest.raises(TimeoutError):
            await desk.until(1, 4 * watch.BURST_S)
        (assets / "one.js").write_text("whole")
        await desk.until(1, SOON_S)
        await edge.read(ReadDeploy())
        assert desk.facts[-1].missing == ()
        await quiet(desk)
        os.rename(assets / "of another build.js", assets / "of a third.js")  # the folder is still watched: there was no look since
        with pytest.raises(TimeoutError):
            await desk.until(1, 4 * watch.BURST_S)


@asynctest
async def test_without_inotify_the_backstop_sees_it_and_says_so(site):
    """Descriptors run out for real: the second folder's watch cannot be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    desk = Desk()
    edge = Watch(desk.take, deploy_of(site), None, desk.config_touched)
    await others_have_let_go()
    with descriptors_left(1):
        task = asyncio.create_task(edge.run())
        await desk.until(1, 5)
    try:
        assert edge.problem is not None and "inotify" in edge.problem
        in_place(site)
        await desk.until(2, BACKSTOP_S + 1)
        assert not watch._inotify_descriptors()
    finally:
        task.cancel()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


async def others_have_let_go():
    """The tests before stopped their observers in threads of their own: what those close later would be one descriptor more."""
    with contextlib.suppress(TimeoutError):  # one whose file system was unmounted never lets go: it does not come back either
        async with asyncio.timeout(5):
            while _inotify_descriptors():  # noqa: ASYNC110 - threads tell nobody
                await asyncio.sleep(0.01)


@contextlib.contextmanager
def descriptors_left(count: int):
    """Leave only so many free descriptors."""
    held = [os.open("/dev/null", os.O_RDONLY)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(count):
            os.close(held.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)
