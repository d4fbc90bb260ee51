"""Row 20: a mistake in the configuration is told with file and line, and never costs the wall its page."""

import asyncio
import base64
import html
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from kioskd.demo.dashboard import Dashboard
from kioskd.demo.kiosk import free_port, merged
from tests.faults.case import Control, Touches, case
from tests.faults.scene import Missed, Scene
from tests.faults.stage import START_S

OWN = "without kioskd there is no configuration"
SAID_S = 5.0

BAD: dict[str, tuple[bytes, str, str]] = {  # the end of a file, what names the mistake, and it in words
    "yaml": (b"url: [http://a\nallow: {", ":", "is no YAML"),
    "key": (b"\nurll: http://a/", ":2: urll: ", "has a key that is misspelt"),
    "url": (b"url: localhost:3001", ":1: url: ", "names a page without a scheme"),
    "duration": (b"\nhealth:\n  interval: -5s", ":3: health.interval: ", "has a negative duration"),
    "list": (b"url: http://a/\nhealth:\n  - interval: 5s", "health: ", "has a list where a section should be"),
    "twice": (b"url: http://a/\nurl: http://b/", ":2: url: ", "has a key twice"),
    "bomb": (b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", ":1: ", "refers to itself again and again"),
    "tag": (b"url: !!python/object/apply:os.system [ls]", ":1: ", "wants something executed"),
    "big": (b"#" * (10 << 20), ":1: ", "is of ten megabytes"),
    "binary": (bytes(range(256)), ":2: ", "holds bytes of no meaning"),
}


def file_of(scene: Scene) -> Path:
    """Kioskd's configuration file."""
    return scene.folder / "kioskd.yaml"


def written(scene: Scene, text: bytes, good: bool) -> None:
    """Write a configuration that begins with where to draw, keep and listen, before the start. ``good``: there is a last good one, too."""
    browser = {"profile": str(scene.profile), "flags": list(scene.flags)}
    if scene.command != "chromium":
        browser["command"] = scene.command
    scene.config = merged(scene.config, {"api": {"listen": f"127.0.0.1:{free_port()}"}, "state": str(scene.folder / "state")})
    where = {"browser": browser, "display": {"mode": "headless"}, "api": scene.config["api"], "state": scene.config["state"]}
    file_of(scene).write_bytes(yaml.safe_dump(where).encode() + text)
    if good:
        (scene.folder / "state").mkdir()
        (scene.folder / "state" / "last-good.yaml").write_text(yaml.safe_dump({"url": scene.url, **where, **scene.config}))


def named(scene: Scene) -> Callable[[list[str]], bool]:
    """How the status names a mistake: with file and line."""
    return lambda mistakes: bool(mistakes) and all(re.match(rf"{re.escape(str(file_of(scene)))}:\d+: ", each) for each in mistakes)


EX_CONFIG = 78


async def check(file: Path) -> tuple[int | None, str]:
    """Run ``kioskd check-config``; return how it exits, and what it says."""
    return await command("check-config", str(file))


async def command(*words: str) -> tuple[int | None, str]:
    """Run ``kioskd``; return how it exits, and what it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kioskd", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), START_S)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, said.decode()


# --- at the start

for name, (text, _, words) in BAD.items():

    @case(
        "20", name=f"bad-{name}-at-the-start", within=lambda t: t.cold + 5, alone=True,
        control=Control.NONE, why=OWN, text=text, words=words,
    )  # fmt: skip
    async def bad_at_the_start(scene: Scene, text: bytes, words: str) -> None:
        """The configuration {words} at the start; there is a last good one."""
        written(scene, text, good=True)
        code, mistakes = await check(file_of(scene))
        if code != EX_CONFIG or not named(scene)(mistakes.splitlines()):
            raise Missed(f"check-config exits with {code} and says: {mistakes}")
        scene.begins()
        await scene.start(waits=False)
        known = await scene.shows(START_S, configuration__mistakes=named(scene))
        assert scene.kiosk is not None
        if known["configuration"]["mistakes"][0] not in scene.kiosk.log():
            raise Missed("the log does not name the mistake")


OVERHEARD = """#!/bin/bash
# Writes down what the browser is told.
exec 3< <(exec tee {told} <&3)
exec chromium "$@"
"""


@case("20", within=lambda t: t.interval + 5, control=Control.NONE, why=OWN)
async def bad_at_the_start_and_never_good(scene: Scene) -> None:
    """The configuration has a mistake, and never had none: the wall shows file and line until it is mended."""
    told = scene.folder / "told"
    scene.command = scene.script("chromium-overheard", OVERHEARD.format(told=told))
    scene.learnt = False
    written(scene, b"urll: http://localhost/", good=False)
    await scene.start(waits=False)
    there = {"page__url": lambda url: "kioskd=mistake" in url, "configuration__mistakes": named(scene)}
    known = await scene.shows(START_S, verdict="HEALTHY", **there)
    pages = re.findall(rb"kioskd=mistake;base64,([A-Za-z0-9+/=]+)", told.read_bytes())
    wall = html.unescape(re.sub("<.*?>", "", base64.b64decode(pages[-1]).decode()))
    line = file_of(scene).read_text().splitlines().index("urll: http://localhost/") + 1
    assert scene.kiosk is not None
    for where in (wall, scene.kiosk.log(), "".join(known["configuration"]["mistakes"])):
        if f"{file_of(scene)}:{line}: urll: " not in where:
            raise Missed(f"the mistake is not named here: {where}")
    scene.begins()
    scene.kiosk.configure()


@case("20", within=lambda t: t.interval + 5, control=Control.NONE, why=OWN)
async def no_configuration_yet(scene: Scene) -> None:
    """There is no page in the configuration yet: the wall shows the welcome page, until one is named."""
    scene.learnt = False
    written(scene, b"", good=False)
    await scene.start(waits=False)
    await scene.shows(START_S, page__url=lambda url: "kioskd=welcome" in url, verdict="HEALTHY")
    assert scene.kiosk is not None
    scene.begins()
    scene.kiosk.configure()


# --- while it runs

GONE: dict[str, tuple[Callable[[Path], object], str]] = {  # what becomes of the file
    "removed": (Path.unlink, "is not there"),
    "unreadable": (lambda file: file.chmod(0), "may not be read"),
    "a-folder": (lambda file: (file.unlink(), file.mkdir()), "is a folder"),
    "a-dangling-link": (lambda file: (file.unlink(), file.symlink_to("nowhere")), "is a link to nowhere"),
    "a-device": (lambda file: (file.unlink(), file.symlink_to("/dev/zero")), "is a device that never ends"),
}

for name, (text, _, words) in BAD.items():
    if name in ("url", "yaml", "binary"):

        @case(
            "20", name=f"bad-{name}-while-it-runs", undisturbed=lambda t: 3.0, control=Control.NONE, why=OWN, text=text, words=words
        )  # fmt: skip
        async def bad_while_it_runs(scene: Scene, text: bytes, words: str) -> None:
            """A configuration is saved that {words}; kioskd is told to read it, too (SIGHUP)."""
            await scene.start()
            fresh = file_of(scene).with_suffix(".new")
            fresh.write_bytes(text)
            fresh.replace(file_of(scene))
            await changes_the_status_only(scene)


for name, (does, words) in GONE.items():

    @case(
        "20", name=f"configuration-{name}-while-it-runs", undisturbed=lambda t: 3.0, control=Control.NONE, why=OWN, does=does, words=words
    )  # fmt: skip
    async def gone_while_it_runs(scene: Scene, does: Callable[[Path], object], words: str) -> None:
        """The configuration {words} from now on; kioskd is told to read it, too (SIGHUP)."""
        await scene.start()
        does(file_of(scene))
        await changes_the_status_only(scene)


async def changes_the_status_only(scene: Scene) -> None:
    """Wait until the status names the mistake; and no more than that, also after a signal, until it is mended."""
    await scene.shows(SAID_S, configuration__mistakes=named(scene))
    assert scene.kiosk is not None
    scene.kiosk.strike(signal.SIGHUP)
    await scene.lasts(3.0)
    await scene.untouched()
    await scene.shows(1.0, configuration__mistakes=named(scene))
    if file_of(scene).is_dir():
        file_of(scene).rmdir()
    scene.kiosk.configure()
    await scene.shows(SAID_S, configuration__mistakes=[])


@case("20", within=lambda t: t.interval + 5, touches=Touches.PAGE, control=Control.NONE, why=OWN)
async def another_page_is_named(scene: Scene) -> None:
    """The configuration names another page, then none, and then the first one again."""
    other = await scene.stack.enter_async_context(Dashboard(scene.folder / "other"))
    await scene.start()
    assert scene.kiosk is not None
    scene.kiosk.configure(url=other.url)
    await other.back(scene.times.interval + 5)
    del scene.kiosk.config["url"]
    scene.kiosk.configure()
    await scene.shows(scene.times.interval + 5, page__url=lambda url: "kioskd=welcome" in url)
    scene.begins()
    scene.kiosk.configure(url=scene.url)
