"""The browser's process: what is started is ended, all of it, and what cannot be started is said plainly."""

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from kioskd.core.actions import AskBrowser, ReadMemory, SetProfileAside, StartBrowser, StopBrowser
from kioskd.core.facts import BrowserAnswered, BrowserGone, BrowserStarted, MemoryRead
from kioskd.edges import processes
from kioskd.edges.profile import Profile
from kioskd.errors import BrowserGone as NoBrowser
from kioskd.errors import KioskdError
from tests.aio import asynctest
from tests.edges.stage import Stage, stage

chromium = pytest.mark.chromium


def script(path: Path, body: str) -> str:
    path.write_text("#!/bin/sh\n" + textwrap.dedent(body))
    path.chmod(0o755)
    return str(path)


def tree(it: Stage) -> list[processes.Process]:
    return it.screen._browser.tree()


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def fails_to_start(it: Stage, because: str) -> None:
    with pytest.raises(KioskdError, match=because):
        await it.start()
    (gone,) = it.all(BrowserGone)
    assert gone.generation == it.generation
    await it.do(StopBrowser(it.generation))
    assert tree(it) == [] and len(it.all(BrowserGone)) == 1


@asynctest
async def test_no_such_browser(tmp_path: Path) -> None:
    async with stage(tmp_path, command=str(tmp_path / "absent")) as it:
        await fails_to_start(it, "Cannot start .*absent: No such file")
        assert it.last(BrowserGone).pid is None


@asynctest
async def test_a_browser_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    async with stage(tmp_path, command=str(tmp_path / "text")) as it:
        await fails_to_start(it, "Cannot start .*text: Permission denied")


@asynctest
async def test_a_browser_that_ends_at_once(tmp_path: Path) -> None:
    command = script(tmp_path / "ends", "echo libfoo.so.1: cannot open shared object file >&2; exit 127")
    async with stage(tmp_path, command=command) as it:
        await fails_to_start(it, "exit code 127: libfoo.so.1: cannot open")


@asynctest
async def test_with_too_few_descriptors_left_it_does_not_start_and_keeps_none(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with stage(tmp_path, command=script(tmp_path / "ends", "exit 0")) as it:
        before = set(os.listdir("/proc/self/fd"))
        first_free = next(number for number in range(len(before) + 1) if str(number) not in before)
        for room in range(14):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(first_free, 11) + room, limits[1]))
            try:
                with pytest.raises((KioskdError, OSError)):
                    await it.start()
                await it.do(StopBrowser(it.generation))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert set(os.listdir("/proc/self/fd")) == before, room


@asynctest
async def test_a_browser_that_prints_rubbish(tmp_path: Path) -> None:
    command = script(tmp_path / "babbles", "printf 'hello there\\0' >&4; exec sleep 1000")
    async with stage(tmp_path, command=command) as it:
        await fails_to_start(it, "something else than DevTools: b'hello there'")


@asynctest
async def test_a_browser_that_shows_neither_command_line_nor_environment_is_ended_too(tmp_path: Path) -> None:
    # As each one does for a moment, in the middle of an exec.
    command = script(tmp_path / "hides", "printf 'hello there\\0' >&4; exec env -i sleep 1000")
    async with stage(tmp_path, command=command) as it:
        await fails_to_start(it, "something else than DevTools")


@asynctest
async def test_a_browser_that_never_answers(tmp_path: Path) -> None:
    command = script(tmp_path / "dumb", "exec sleep 1000")
    async with stage(tmp_path, command=command, first_answer_s=0.3) as it:
        await fails_to_start(it, "did not answer DevTools within 0.3 s")


@asynctest
async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    command = script(tmp_path / "dumb", "exec sleep 1000")
    async with stage(tmp_path, command=command) as it:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await it.start()
        assert "while it started" in it.last(BrowserGone).reason
        await it.do(StopBrowser(1))
        assert tree(it) == []


@asynctest
async def test_a_stubborn_tree_with_children_in_sessions_of_their_own(tmp_path: Path) -> None:
    command = script(
        tmp_path / "stubborn",
        """
        trap '' TERM INT HUP
        setsid sh -c 'trap "" TERM HUP; sleep 1000 & sleep 1001' &
        (setsid sleep 1002 &) &
        (setsid env -i sleep 1003 &)
        while :; do sleep 1; done
        """,
    )
    async with stage(tmp_path, command=command, first_answer_s=0.5) as it:
        starting = asyncio.ensure_future(it.start())
        while len(tree(it)) < 5:
            await asyncio.sleep(0.01)
        pids = [each.pid for each in tree(it)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # a stopped process obeys SIGKILL too
        with pytest.raises(NoBrowser, match="did not answer"):
            await starting
        await it.do(StopBrowser(1))
        assert tree(it) == [] and not any(lives(pid) for pid in pids)


@asynctest
async def test_only_its_own_descriptors_and_nothing_of_systemd(tmp_path: Path) -> None:
    command = script(tmp_path / "looks", f"ls -l /proc/$$/fd > {tmp_path}/fds; env > {tmp_path}/env; exit 3")
    async with stage(tmp_path, command=command) as it:
        with (tmp_path / "open").open("w") as inherited:
            os.set_inheritable(inherited.fileno(), True)
            await fails_to_start(it, "exit code 3")
    fds = [line.split()[8] for line in (tmp_path / "fds").read_text().splitlines() if " -> " in line]
    assert set(fds) <= {"0", "1", "2", "3", "4", "10", "11"}  # 10 and 11: the shell's own script, and what its redirection put aside
    assert "KIOSKD_BROWSER=" in (tmp_path / "env").read_text()


@chromium
@asynctest
async def test_killed_again_and_again_each_is_gone_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        for round in range(1, 4):
            await it.start()
            started = it.last(BrowserStarted)
            os.kill(started.pid, signal.SIGKILL)
            gone = await it.heard(BrowserGone, since=it.facts.index(started))
            assert (gone.generation, gone.pid) == (round, started.pid)
            assert "SIGKILL" in gone.reason or "pipe" in gone.reason
        assert len(it.all(BrowserGone)) == 3


@chromium
@asynctest
async def test_a_frozen_tree_is_killed(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await it.start()
        assert {"zygote", "renderer"} <= {each.kind for each in tree(it)}
        assert not any("--top-chrome-webui" in psutil.Process(each.pid).cmdline() for each in tree(it)), "Chromium's own pages"
        pids = [each.pid for each in tree(it)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await it.do(AskBrowser(1, 1))
        await it.do(StopBrowser(1))
        assert tree(it) == [] and it.last(BrowserGone).generation == 1
        assert not any(lives(pid) for pid in pids)


@chromium
@asynctest
async def test_a_polite_stop_and_a_verb_for_the_dead(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await it.start()
        await it.do(AskBrowser(1, 5))
        assert it.last(BrowserAnswered) == BrowserAnswered(1, 5)
        await it.do(ReadMemory(1))
        assert 50e6 < it.last(MemoryRead).size < 2e9
        await it.do(StopBrowser(1, polite=True))
        assert tree(it) == []
        assert [type(fact) for fact in it.facts[-1:]] == [BrowserGone]  # its page's end is no news
        for action in (AskBrowser(1, 6), AskBrowser(2, 6), ReadMemory(1)):
            with pytest.raises(NoBrowser):
                await it.do(action)


@chromium
@asynctest
async def test_a_pipe_that_closes_while_the_process_lives(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        await it.start()
        pid = it.last(BrowserStarted).pid
        os.kill(pid, signal.SIGSTOP)
        it.screen._now.pipe.close("cut")  # type: ignore[union-attr]
        assert (await it.heard(BrowserGone)).reason == "cut"
        await it.do(StopBrowser(1))
        assert tree(it) == [] and not lives(pid)
        await it.start()
        assert it.last(BrowserStarted).generation == 2


ORPHANS = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.edges.stage import stage
async def main():
    async with stage(Path(sys.argv[1])) as it:
        await it.start()
        for each in it.screen._browser.tree(): os.kill(each.pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


@chromium
@asynctest
async def test_the_orphans_of_a_killed_predecessor(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        dead = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHANS, str(tmp_path), stderr=subprocess.DEVNULL)
        assert await dead.wait() == -signal.SIGKILL
        orphans = {each.pid for each in tree(it)}
        assert len(orphans) > 4
        await it.start()
        assert not orphans & {each.pid for each in tree(it)} and not any(lives(pid) for pid in orphans)


@chromium
@asynctest
async def test_a_profile_with_a_foreign_lock_and_a_bad_end(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    (profile / "SingletonLock").symlink_to("elsewhere-4711")
    preferences = profile / "Default" / "Preferences"
    preferences.write_text('{"profile":{"exit_type":"Crashed","name":"x"}}')
    Profile(str(profile)).prepare()
    assert preferences.read_text() == '{"profile":{"exit_type":"Normal","name":"x","exited_cleanly":true}}'
    assert not (profile / "SingletonLock").is_symlink()
    (profile / "SingletonLock").symlink_to("elsewhere-4711")
    preferences.write_text("{ rubbish")
    async with stage(tmp_path) as it:
        await it.start()
        await it.do(StopBrowser(1))
        await it.do(SetProfileAside())
        assert not profile.exists() and (tmp_path / "profile.old").is_dir()
        await it.do(SetProfileAside())  # nothing there: the old one is kept
        await it.start()
        assert stat.S_IMODE(profile.stat().st_mode) == 0o700


OVERLAY = """
mount -t tmpfs none "$1/upper" && mkdir "$1/upper/data" "$1/upper/work"
mount -t overlay -o "userxattr,lowerdir=$1/lower,upperdir=$1/upper/data,workdir=$1/upper/work" none "$1/here"
"$0" -c "from kioskd.edges.profile import Profile; import sys; Profile(sys.argv[1]).set_aside()" "$1/here/profile"
ls -A "$1/here"
"""


def test_a_profile_below_an_overlay_is_deleted_where_it_cannot_be_set_aside(tmp_path: Path) -> None:
    for name in ("lower/profile/Default", "upper", "here"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lower/profile/Default/Preferences").write_text("{ rubbish")
    inside = ["unshare", "--map-current-user", "--keep-caps", "--mount", "sh", "-ec", OVERLAY]
    done = subprocess.run([*inside, sys.executable, str(tmp_path)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_profile_is_nobody_elses_and_a_socket_of_chromiums_only_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        it = Profile("/var/tmp")  # root's, and everybody may write there
        it.prepare()
        assert "somebody else's" in (it.trouble or "") and str(it.path) != "/var/tmp"
    open_to_all, elsewhere, temporary = tmp_path / "profile", tmp_path / "org.chromium.x", tmp_path / "tmp"
    for folder in (open_to_all, elsewhere, temporary / "org.chromium.y"):
        folder.mkdir(parents=True, mode=0o777)
    monkeypatch.setenv("TMPDIR", str(temporary))
    for target, left in ((elsewhere, True), (temporary / "org.chromium.y", False)):
        (open_to_all / "SingletonSocket").symlink_to(target / "SingletonSocket")
        Profile(str(open_to_all)).prepare()
        assert target.exists() == left
    assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o700


@chromium
@asynctest
async def test_a_profile_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    async with stage(folder) as it:
        await it.start()
        assert "Cannot use the profile" in (it.screen.profile_trouble or "")
        assert str(tmp_path) not in it.screen._browser.profile.path.as_posix()


@chromium
@asynctest
async def test_from_spawn_to_started(tmp_path: Path) -> None:
    async with stage(tmp_path) as it:
        took = []
        for generation in range(1, 4):
            began = time.monotonic()
            await it.start()
            took.append(time.monotonic() - began)
            await it.do(StopBrowser(generation))
        assert min(took) < 2.0
        assert [fact.generation for fact in it.all(BrowserStarted)] == [1, 2, 3]
        assert all(fact.product.startswith("Chrome/") for fact in it.all(BrowserStarted))


@asynctest
async def test_start_and_stop_of_what_never_was(tmp_path: Path) -> None:
    async with stage(tmp_path, command=str(tmp_path / "absent")) as it:
        await it.do(StopBrowser(1))
        assert it.facts == []
        with pytest.raises(NoBrowser):
            await it.do(StartBrowser(1))
