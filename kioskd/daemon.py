"""The wiring: what is started, in which order, and the same list backwards. Nothing is decided here."""

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from kioskd import __version__
from kioskd.core import actions as a
from kioskd.core.facts import Asked, Command, ConfigRead, ConfigRejected, DeployRead
from kioskd.core.incidents import Entry
from kioskd.core.policy import origin
from kioskd.core.verdict import Verdict
from kioskd.display import Display
from kioskd.edges import config_file, host
from kioskd.edges.access import Token
from kioskd.edges.broadcast import Hub
from kioskd.edges.doors import address
from kioskd.edges.http_api import Api
from kioskd.edges.incidents import Ledger
from kioskd.edges.journal import Journal, lines_of_late
from kioskd.edges.live import Live
from kioskd.edges.metrics import Known, Metrics
from kioskd.edges.notify import NullNotify
from kioskd.edges.page import Terms
from kioskd.edges.probes import Probes
from kioskd.edges.reloads import Reloads
from kioskd.edges.routes import Source
from kioskd.edges.watch import Watch
from kioskd.errors import ConfigError, EdgeUnavailable
from kioskd.own_pages import OwnPages
from kioskd.screen import Screen
from kioskd.shell import Shell
from kioskd.wire import story
from kioskd.wire.config import Config, in_session, policy
from kioskd.wire.incidents import Evidence, read_troubles
from kioskd.wire.status import Clocks, status

log = logging.getLogger(__name__)

#: Of the journal before the end of an incident.
JOURNAL_S = 120.0

#: What the loop may be late by on a busy machine before an action counts as failed.
EVIDENCE_SPARE_S = 0.5


class Daemon:
    """One kioskd, from its configuration file to the screen."""

    def __init__(self, path: Path, notify: NullNotify, strict: bool = False, session: bool = False) -> None:
        """Read the configuration at ``path``; a bad one raises ``ConfigError`` only where ``strict``. ``session``: see ``in_session``."""
        own = f"{os.environ.get('XDG_STATE_HOME') or os.path.expanduser('~/.local/state')}/kioskd"  # where the XDG base directories say
        self._fit: Callable[[Config], Config] = (lambda config: in_session(config, own)) if session else (lambda config: config)
        self._path = path
        self._notify = notify
        self._mistakes: tuple[str, ...] = ()
        self._problems: dict[str, str | None] = {}
        self._good = True
        self.config = self._first_config(strict)
        self._locked_in = host.locked_in(self.config.state)
        self.shell = Shell(notify)
        self.ledger = Ledger(self.config.state, lambda: Clocks(time.monotonic(), time.time()))
        self.counted = Metrics(self.shell.kernel)
        self.shell.record, self.shell.ordered = self._record, self.counted.turn
        self.pages = OwnPages(lambda: self.config, str(path), lambda: self._mistakes, lambda: self.shell.kernel)

    def _first_config(self, strict: bool) -> Config:
        try:
            config = self._fit(config_file.read(self._path))
        except ConfigError as error:
            if strict:
                raise
            self._mistakes = error.mistakes
            for mistake in error.mistakes:
                log.error("%s", mistake)
            rescued = self._fit(config_file.rescued(self._path))
            kept = config_file.last_good(Path(rescued.state))
            self._good = kept is not None
            if kept is not None:
                log.warning("Going on with the last good configuration, kept in %s", kept.state)
            return self._fit(kept) if kept else rescued
        self._keep(config)
        return config

    def _keep(self, config: Config) -> None:
        try:
            config_file.keep_good(config_file.content(self._path), Path(config.state))
            self._problems["state"] = None
        except (EdgeUnavailable, ConfigError) as error:
            if self._problems.get("state") != str(error):
                log.warning("%s", error)
            self._problems["state"] = str(error)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        config, shell = self.config, self.shell
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as backwards:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, shell.stop)
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
            loop.add_signal_handler(signal.SIGUSR1, self._browser_replaced)
            self.machine = host.Host(config.state)
            self.ledger.open()
            self.display = Display(shell.emit, config.display.mode)
            backwards.push_async_callback(self.display.close)
            self.screen = Screen(shell.emit, config.browser, lambda: self.display.variables, self.pages.url, self._terms)
            backwards.push_async_callback(self.screen.close)
            self.probes = Probes(shell.emit, lambda: self.config.url)
            backwards.push_async_callback(self.probes.close)
            self.watch = Watch(shell.emit, config.deploy, str(self._path), self._read_config, self.probes.version)
            self.journal = Journal(shell.emit, config.health.journal)
            self.live = Live(self.status)
            shell.turned = self.live.stir
            self.hub = Hub(secrets.token_hex(16))
            self.reloads = Reloads(shell.emit, self.hub.broadcast, lambda: shell.kernel.judgement.why)
            self.api = self._api(config)
            shell.serve(self.display.verbs())
            shell.serve(self.screen.verbs())
            shell.serve(self._verbs())
            backwards.callback(self._notify.stopping)
            self._announce()
            async with asyncio.TaskGroup() as rooms:
                tasks = [rooms.create_task(room.run()) for room in (self.watch, self.api, self.hub, self.journal, self.ledger, self.live)]
                tasks.append(rooms.create_task(self.live.follow()))
                await shell.run()
                for task in tasks:
                    task.cancel()

    def _announce(self) -> None:
        """The first facts: what was remembered, and the configuration, or what is wrong with it."""
        emit = self.shell.emit
        emit(self.machine.remembered())
        if self._good:
            emit(ConfigRead(policy(self.config, host.total_memory())))
        if self._mistakes:
            emit(ConfigRejected(self._mistakes))

    def _verbs(self) -> Mapping[type[a.Action], Any]:
        return {
            a.StartBrowser: self._start_browser,
            a.ProbeServer: self.probes.probe,
            a.ReadDeploy: self.watch.read,
            a.KeepEvidence: self._keep_evidence,
            a.Remember: self.machine.remember,
            a.Broadcast: self.reloads.broadcast,
            a.Reply: self.reloads.reply,
            a.RecordReboot: self.machine.record_reboot,
            a.RebootHost: self._reboot,
        }

    async def _start_browser(self, act: a.StartBrowser) -> None:
        """Start it on what is seen; where only a fresh kioskd can write its folder again, end instead: there is no page to lose now."""
        if self._notify.watchdog_period_s is not None and not self._locked_in and host.locked_in(self.config.state):
            log.warning("%s can be written again, but not from here: systemd is to start kioskd anew", self.config.state)
            self.shell.stop()
            return
        self.display.check()
        await self.screen.start(act)

    async def _keep_evidence(self, act: a.KeepEvidence) -> None:
        """Never fail: what is done about the page comes after it, and must come."""
        try:
            async with asyncio.timeout(act.deadline_s - EVIDENCE_SPARE_S):
                picture, troubles, memory = await self.screen.evidence(act.generation, act.asks)
                errors, requests = read_troubles(troubles)
                journal = await asyncio.to_thread(lines_of_late, JOURNAL_S) if act.after else ()
        except TimeoutError:
            return
        self.ledger.keep(Evidence("", errors, requests, journal, memory), picture, last=act.after)

    async def _reboot(self, act: a.RebootHost) -> None:
        """Under the shipped unit systemd reboots when we have ended (its ``ExecStopPost=``): we may not."""
        folder = os.environ.get("RUNTIME_DIRECTORY")
        if folder is None:
            await self.machine.reboot(act)
            return
        os.close(os.open(f"{folder}/reboot", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        self.shell.stop()

    def _browser_replaced(self) -> None:
        self.shell.emit(Asked(Command.RESTART, why="Chromium was replaced by another version"))

    # --- the configuration, again -----------------------------------------------------------------

    def _hang_up(self) -> None:
        self._notify.reloading()
        self._read_config()
        self._notify.ready()

    def _read_config(self) -> None:
        """Read the file anew: a bad one changes nothing but the status."""
        try:
            config = self._fit(config_file.read(self._path))
        except ConfigError as error:
            if error.mistakes != self._mistakes:
                for mistake in error.mistakes:
                    log.error("%s", mistake)
            self._mistakes = error.mistakes
            self.shell.emit(ConfigRejected(error.mistakes))
            return
        before, self.config, self._mistakes, self._good = self.config, config, (), True
        self._keep(config)
        self.watch.follow(config.deploy)
        self.journal.follow(config.health.journal)
        self.token.follow(config.api.token_file)
        self.api.follow(config.api.listen)
        self.display.follow(config.display.mode)
        self.screen.follow(config.browser)
        log.info("Configuration read from %s", self._path)
        self.shell.emit(ConfigRead(policy(config, host.total_memory())))
        if config.browser != before.browser or config.health.page.stuck_text != before.health.page.stuck_text:
            self.shell.emit(Asked(Command.RESTART, why="its configuration changed"))
        if config.state != before.state:
            log.warning("A changed state folder counts from the next start of kioskd")

    # --- what the rooms ask of the wiring ----------------------------------------------------------

    def _api(self, config: Config) -> Api:
        self.token = Token(config.api.token_file, config.state)
        try:
            self.token.make()
        except EdgeUnavailable as error:
            log.warning("%s", error)
        source = Source(
            version=self._version,
            status=self.status,
            origins=self._origins,
            holding=lambda: self.pages.page(a.Place.HOLDING),
            metrics=self.metrics,
            alive=self.shell.alive,
            story=self.story,
            incidents=self.ledger.shown,
            picture=self.ledger.picture,
            screenshot=self.screen.screenshot,
            ask=self.shell.emit,
            live=self.live,
            hub=self.hub,
            reloads=self.reloads,
            token=self.token,
            reached=self.pages.reached,
        )
        folder = os.environ.get("RUNTIME_DIRECTORY") or _below(os.environ.get("XDG_RUNTIME_DIR"))
        return Api(config.api.listen, f"{folder}/control.sock" if folder else None, source)

    def _origins(self) -> frozenset[str]:
        """Whose pages may read the version and hear broadcasts."""
        return frozenset({origin(self.config.url or ""), *self.config.api.origins} - {""})

    def _terms(self) -> Terms:
        try:
            own = address(self.config.api.listen)[1], self.hub.key
        except EdgeUnavailable:
            own = None
        return Terms(own, self._origins(), self.config.health.page.stuck_text)

    def _version(self) -> DeployRead | None:
        if not self.config.deploy.given:
            return DeployRead(None, ("no deploy is configured",))
        return self.shell.kernel.view.deploy.disk

    def status(self) -> dict[str, Any]:
        """Return what ``GET /api/status`` shows."""
        problems = {
            **self._problems, "display": self.display.problem, "inotify": self.watch.problem,
            "deploy": self.watch.deploy_problem, "api": self.api.problem,
            "control": self.api.control_problem, "journal": self.journal.problem,
            "profile": self.screen.profile_trouble, "policy": self.screen.policy_trouble, "incidents": self.ledger.problem,
        }  # fmt: skip
        return status(self.shell.kernel, Clocks(time.monotonic(), time.time()), problems)

    def metrics(self) -> bytes:
        """Return what ``GET /metrics`` shows; raises ``EdgeUnavailable``."""
        healthy, now = self.shell.healthy_at, time.monotonic()
        unhealthy_for = 0.0 if self.shell.kernel.judgement.verdict is Verdict.HEALTHY else now - healthy
        return self.counted.text(Known(self.status(), self.shell.alive(), unhealthy_for, dict(self.probes.latency)))

    def _record(self, entries: list[Entry]) -> int:
        self.counted.add(entries)
        return self.ledger.add(entries)

    def story(self) -> Iterator[str]:
        """Give what ``GET /api/story`` shows, as it is now."""
        return story.lines(self.shell.story.chapters(), __version__, Clocks(time.monotonic(), time.time()))


def _below(folder: str | None) -> str | None:
    return f"{folder}/kioskd" if folder else None
