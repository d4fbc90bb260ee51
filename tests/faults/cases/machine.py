"""Row 16: the machine under kioskd has no room. kioskd keeps running, says so, and does its work."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

from kioskd.demo.dist import How
from kioskd.demo.kiosk import merged
from tests.faults import inside
from tests.faults.case import Control, Touches, case
from tests.faults.scene import Missed, Scene
from tests.faults.stage import START_S, remember

OWN = "what has no room is one of kioskd's own parts"
LIVES = "Chromium lives on"
SAID_S = 5.0


def own_pid(scene: Scene) -> int:
    """Kioskd's process."""
    assert scene.kiosk is not None and scene.kiosk.process is not None, "it was started"
    return scene.kiosk.process.pid


async def names(scene: Scene, which: str, words: str, within: float = SAID_S) -> None:
    """Wait until kioskd's status names a problem."""
    await scene.shows(within, problems=lambda problems: words in problems.get(which, ""))


def reconfigured(scene: Scene) -> None:
    """Change something in kioskd's configuration that has no consequences, for it keeps a copy of each good one."""
    assert scene.kiosk is not None
    scene.kiosk.configure(api={"origins": ["http://somewhere.test"]})


# --- row 16: the disk


async def full_disk(scene: Scene, *folders: Path, size: str) -> Path:
    """Let these folders be on a disk of their own; return where that is."""
    disk = scene.folder / "disk"
    await inside.small_disk(disk, size)
    for folder in folders:
        (disk / folder.name).mkdir()
        folder.symlink_to(disk / folder.name)
    return disk


@case("16", within=lambda t: t.settle + 3, touches=Touches.PAGE, once=True, inside=True, control=Control.NONE, why=OWN)
async def disk_of_the_state_full(scene: Scene) -> None:
    """The disk of kioskd's state folder fills up; then a build is deployed."""
    disk = await full_disk(scene, scene.folder / "state", size="1m")
    scene.follows_deploys()
    await scene.start()
    inside.fill(disk)
    reconfigured(scene)
    await names(scene, "state", "No space left")
    await scene.untouched()
    await scene.deploy("2")


@case("16", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True, inside=True)
async def disk_of_the_profile_full(scene: Scene) -> None:
    """The disk of the browser's profile fills up; then the browser is killed."""
    disk = await full_disk(scene, scene.folder / "profile", size="100m")
    await scene.start()
    inside.fill(disk)
    scene.victim.kill()


@case("16", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True, inside=True)
async def disk_full(scene: Scene) -> None:
    """The disk of state, profile and log fills up; then the browser is killed."""
    disk = await full_disk(scene, scene.folder / "state", scene.folder / "profile", size="100m")
    (scene.folder / "kioskd.log").symlink_to(disk / "kioskd.log")
    await scene.start()
    inside.fill(disk)
    if scene.kept:
        reconfigured(scene)
        await names(scene, "state", "No space left")
        await scene.untouched()
    scene.victim.kill()


@case("16", within=lambda t: t.cold + 5, alone=True, inside=True, control=Control.HEALS, why="Chromium starts on a full disk")
async def disk_full_at_the_start(scene: Scene) -> None:
    """The disk of state and profile is full at the start, as after a night of a program that writes a log."""
    disk = await full_disk(scene, scene.folder / "state", scene.folder / "profile", size="100m")
    inside.fill(disk)
    scene.learnt = False
    scene.begins()
    await scene.start(waits=False)
    await names(scene, "state", "No space left", START_S)


# --- row 16: a state folder that cannot be written


@case("16", within=lambda t: t.settle + 3, touches=Touches.PAGE, once=True, inside=True, control=Control.NONE, why=OWN)
async def state_read_only(scene: Scene) -> None:
    """The state folder's disk becomes read-only, as a card that has reached its end; then a build is deployed."""
    scene.follows_deploys()
    await scene.start()
    await inside.read_only(scene.folder / "state")
    reconfigured(scene)
    await names(scene, "state", "Read-only file system")
    await scene.untouched()
    await scene.deploy("2")


@case("16", within=lambda t: t.cold + 5, alone=True, inside=True, control=Control.NONE, why=OWN)
async def state_read_only_at_the_start(scene: Scene) -> None:
    """The state folder's disk is read-only at the start."""
    remember(scene.folder / "state", scene.url, scene.dashboard.socket_url)
    scene.learnt = False
    await inside.read_only(scene.folder / "state")
    scene.begins()
    await scene.start(waits=False)
    await names(scene, "state", "Read-only file system", START_S)


for name, words in (("file", "A file has the state folder's place"), ("link", "The state folder is a link to a disk that is not there")):

    @case("16", name=f"state-is-a-{name}", within=lambda t: t.cold + 5, alone=True, control=Control.NONE, why=OWN, what=name, words=words)
    async def state_is(scene: Scene, what: str, words: str) -> None:
        """{words} at the start."""
        state = scene.folder / "state"
        state.touch() if what == "file" else state.symlink_to("unplugged/state")
        scene.learnt = False
        scene.begins()
        await scene.start(waits=False)
        await names(scene, "state", "Cannot keep the last good configuration", START_S)


@case("16", within=lambda t: t.reload_after + 7, touches=Touches.PAGE, control=Control.NONE, why=OWN)
async def state_is_rubbish(scene: Scene) -> None:
    """What kioskd had remembered holds bytes of no meaning, as after a power cut; the page gives up its WebSocket a while later."""
    state = scene.folder / "state"
    state.mkdir()
    for name in ("remembered.json", "last-good.yaml", "token"):
        (state / name).write_bytes(b"\0" * 4096)
    scene.learnt = False
    await scene.start()
    await scene.logged("remembered.json, going on without it")
    await scene.dashboard.do("give_up")


# --- row 16: the journal


def under_systemd(scene: Scene) -> None:
    """Let kioskd believe that its standard error leads to the journal, as systemd says it of a unit's."""
    log = scene.folder / "kioskd.log"
    log.touch()
    scene.environment["JOURNAL_STREAM"] = f"{log.stat().st_dev}:{log.stat().st_ino}"


@case("16", undisturbed=lambda t: 2 * t.interval + 5, inside=True, control=Control.NONE, why=OWN)
async def no_journal(scene: Scene) -> None:
    """There is no journal: neither one that kioskd could follow (`health.journal`) nor one that takes its lines."""
    for folder in ("/run/log", "/var/log", "/run/systemd"):
        await inside.hide(Path(folder))
    under_systemd(scene)
    scene.config = merged(scene.config, {"health": {"journal": [{"unit": "dashboard", "match": "to 0 clients"}]}})
    await scene.start()
    await names(scene, "journal", "Cannot read the journal: there is none")
    await scene.logged("<4>Cannot read the journal: there is none")


@case("16", within=lambda t: t.cold + 1, touches=Touches.BROWSER, alone=True, inside=True, control=Control.NONE, why=OWN)
async def journal_hangs(scene: Scene) -> None:
    """The journal takes no lines, as on a card that hangs; the browser is killed four times."""
    scene.stack.enter_context(await inside.journal())
    under_systemd(scene)
    await scene.start()
    for _ in range(3):
        scene.victim.kill()
        await scene.again(scene.times.cold + 1)
    scene.victim.kill()


# --- row 16: inotify

REFUSED = "Cannot watch folders with inotify"

for what in ("watches", "instances"):

    @case(
        "16",
        name=f"inotify-{what}-exhausted",
        within=lambda t: t.settle + 3,
        touches=Touches.PAGE,
        once=True,
        inside=True,
        control=Control.NONE,
        why=OWN,
        what=what,
    )
    async def inotify_exhausted_at_the_start(scene: Scene, what: str) -> None:
        """Other programs have taken all {what} of inotify before the start; then a build is deployed."""
        inside.inotify(what, 0)
        scene.follows_deploys()
        await scene.start()
        await names(scene, "inotify", REFUSED)
        await scene.logged(REFUSED)
        await scene.deploy("2")

    @case(
        "16",
        name=f"inotify-{what}-exhausted-later",
        within=lambda t: t.settle + 3,
        touches=Touches.PAGE,
        inside=True,
        control=Control.NONE,
        why=OWN,
        what=what,
    )
    async def inotify_exhausted_later(scene: Scene, what: str) -> None:
        """All {what} of inotify are taken when the front end's folder is made anew; then another build is deployed."""
        scene.follows_deploys()
        await scene.start()
        inside.inotify(what, 0)
        await scene.deploy("2", How.REBUILD)
        await scene.again(scene.times.settle + 3)
        await names(scene, "inotify", REFUSED)
        await scene.deploy("3")


@case("16", within=lambda t: t.interval + 5, touches=Touches.PAGE, inside=True, control=Control.NONE, why=OWN)
async def inotify_exhausted_and_configured_anew(scene: Scene) -> None:
    """Other programs have taken all watches of inotify before the start; then the configuration names another page."""
    inside.inotify("watches", 0)
    await scene.start()
    await names(scene, "inotify", REFUSED)
    assert scene.kiosk is not None
    scene.kiosk.configure(url=f"{scene.url}?another")


# --- row 16: descriptors and processes


@contextlib.contextmanager
def none_left(scene: Scene, which: int, most: int) -> Iterator[None]:
    """Let kioskd have no more of something."""
    before = resource.prlimit(own_pid(scene), which)
    resource.prlimit(own_pid(scene), which, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(own_pid(scene), which, before)


def lowest_free(scene: Scene) -> int:
    """The number that kioskd's next descriptor would have."""
    taken = {int(each.name) for each in Path(f"/proc/{own_pid(scene)}/fd").iterdir()}
    return next(number for number in range(len(taken) + 1) if number not in taken)


@case("16", undisturbed=lambda t: t.hang_after + 2, control=Control.NONE, why=OWN)
async def descriptors_exhausted(scene: Scene) -> None:
    """Kioskd has no file descriptor left for a while."""
    scene.follows_deploys()
    await scene.start()
    with none_left(scene, resource.RLIMIT_NOFILE, lowest_free(scene)):
        await scene.lasts(3 * scene.times.interval + 5)
        await scene.untouched()
    await scene.shows(SAID_S, verdict="HEALTHY")


@case("16", within=lambda t: t.interval + t.cold + 1, touches=Touches.BROWSER, alone=True, control=Control.NONE, why=OWN)
async def descriptors_exhausted_when_the_browser_goes(scene: Scene) -> None:
    """The browser is killed, and kioskd has no file descriptor left to start another; a while later there are some again."""
    await scene.start()
    held = psutil.Process(own_pid(scene)).num_fds()
    with none_left(scene, resource.RLIMIT_NOFILE, lowest_free(scene)):
        scene.victim.kill()
        await scene.lasts(3 * scene.times.interval + 5)
        await scene.logged("Too many open files")
    scene.begins()
    await scene.shows(START_S, verdict="HEALTHY")
    if psutil.Process(own_pid(scene)).num_fds() > held + 5:
        raise Missed("kioskd holds more descriptors than before")


@case("16", within=lambda t: t.interval + t.cold + 1, touches=Touches.BROWSER, alone=True, control=Control.NONE, why=OWN)
async def processes_exhausted_when_the_browser_goes(scene: Scene) -> None:
    """The browser is killed, and the kernel lets kioskd make no process; a while later it does again."""
    await scene.start()
    with none_left(scene, resource.RLIMIT_NPROC, 1):
        scene.victim.kill()
        await scene.shows(SAID_S, verdict="NO_BROWSER", why=lambda why: "Resource temporarily unavailable" in why)
        await scene.lasts(3 * scene.times.interval)
    scene.begins()
