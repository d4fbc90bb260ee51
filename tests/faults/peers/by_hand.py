"""What people write themselves: a loop in a shell, and what the careful among them add to it or to the page."""

import shlex
import signal
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.faults.peers.peer import Launch, Peer

#: The loop of the guides; the pid is kept for those who want to end the browser and let the loop start it again.
LOOP = """\
#!/bin/bash
while true; do
{preparation}{command} {extra} >>{folder}/chromium.log 2>&1 &
echo $! >{folder}/browser.pid
wait $!
sleep 1
done
"""

#: Lines of the browser's log that tell of the page: its console's, and "Aw, Snap". Chromium's own errors, of a bus that is not there
#: and the like, come at every start; of a connection that fails Chromium itself says nothing there.
ERRORS = "CONSOLE.*(Uncaught|[Ee]rror|failed|lost)|sad_tab"

#: In place of cron, which knows no less than a minute and wants root: a loop beside the other.
JOB = """\
#!/bin/bash
seen=0
sleep {first_s:g}
while true; do
size=$(stat --format=%s {folder}/chromium.log || echo 0)
if tail --bytes=+$((seen + 1)) {folder}/chromium.log | head --bytes=$((size - seen)) | grep --extended-regexp --quiet '{errors}'; then
    echo "errors: the browser is killed"
    kill -9 "$(cat {folder}/browser.pid)"
else
    echo "no errors"
fi
seen=$size
sleep {period_s:g}
done
"""


class Nothing(Peer):
    """The control."""

    name = "nothing"
    says = "Chromium, started once"

    async def _start(self) -> None:
        await self._spawn("bash", str(self._write("kiosk.sh", self.launch.script)))


class CarefulPage(Nothing):
    """A page that helps itself. None that gives up or reloads itself at once is one: told to, it loses its connection and goes on."""

    name = "careful-page"
    says = "Chromium, started once; the page retries every 5 s for ever and reloads itself after 60 s in which it could open no connection"
    switches: ClassVar[Mapping[str, Any]] = {"retry": "forever", "retry_s": 5, "reload_after_s": 60, "on_close": "retry"}


class ShellLoop(Peer):
    """The usual script."""

    name = "shell-loop"
    says = "while true; do chromium …; sleep 1; done, and the sed that hides a crash from the next start"

    async def _start(self) -> None:
        await self._loop()

    async def _loop(self, extra: str = "") -> None:
        of = {"preparation": self.launch.preparation, "command": self.launch.shell_command, "folder": self._folder, "extra": extra}
        await self._spawn("bash", str(self._write("kiosk.sh", LOOP.format(**of))))

    @property
    def _folder(self) -> str:
        return shlex.quote(str(self.launch.folder))


class CronJob(ShellLoop):
    """The loop, and somebody who looks at the log now and then."""

    name = "cron-job"
    says = (
        "the shell loop, and every 5 minutes, first at a moment of chance, a job that kills the browser if its log, "
        "in which the page complains, has new errors"
    )
    switches: ClassVar[Mapping[str, Any]] = {"complains": True}

    def __init__(self, launch: Launch, period_s: float = 300.0) -> None:
        super().__init__(launch)
        self._period_s = period_s

    async def _start(self) -> None:
        await self._loop("--enable-logging=stderr")
        first_s = self.launch.phase * self._period_s  # a fault does not wait until the job has just been
        job = JOB.format(first_s=first_s, period_s=self._period_s, folder=self._folder, errors=ERRORS)
        await self._spawn("bash", str(self._write("job.sh", job)))


class DeployHook(ShellLoop):
    """The loop, and a deploy that ends the browser."""

    name = "deploy-hook"
    says = "the shell loop, and a hook that restarts the browser after each deploy"

    async def deployed(self) -> None:
        """``pkill chromium``, but only this one."""
        for process in self.processes(""):
            process.send_signal(signal.SIGTERM)
