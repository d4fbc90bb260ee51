"""What kioskd can do: one frozen dataclass for each thing an edge can be told to do.

The shell carries them out, each as a task with ``deadline_s`` to end in, and answers each with ``Done`` or ``Failed``.
Nothing else comes back from an action; what it learnt comes as a fact of its own. Do not subclass these.
"""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Place(Enum):
    """Where the screen can be sent."""

    HOME = "home"
    HOLDING = "holding"  # built in: the server is away
    WELCOME = "welcome"  # built in: no url configured
    MISTAKE = "mistake"  # built in: the configuration is bad, and why


class Probe(Enum):
    """The two ways the server is asked."""

    SOCKET = "socket"  # a real handshake on the page's connection
    HOME = "home"  # GET of the page


# --- on the display and the browser: never two at once (``Kernel`` holds that) --------------------


@dataclass(frozen=True, slots=True)
class StartDisplay:
    """End any compositor of ours, then see to something to draw on: the session's display, a new compositor, or none (headless).

    ``DisplayStarted`` tells which. ``software``: a compositor of ours is to paint without the GPU.
    """

    deadline_s: ClassVar[float] = 10.0  # a compositor can hang at its start for ever
    run: int
    software: bool = False


@dataclass(frozen=True, slots=True)
class StartBrowser:
    """Clean up after any predecessor, start Chromium on the dark start page, attach to its page."""

    deadline_s: ClassVar[float] = 30.0
    generation: int


@dataclass(frozen=True, slots=True)
class StopBrowser:
    """End the whole process tree: politely first when ``polite``, by SIGKILL in any case. Done when nothing of it lives."""

    deadline_s: ClassVar[float] = 15.0
    generation: int
    polite: bool = False


@dataclass(frozen=True, slots=True)
class SetProfileAside:
    """Move the profile away (one old one is kept); the next start makes a fresh one."""

    deadline_s: ClassVar[float] = 10.0


@dataclass(frozen=True, slots=True)
class OpenPage:
    """Make a new page target where the old one closed itself."""

    deadline_s: ClassVar[float] = 5.0
    generation: int


@dataclass(frozen=True, slots=True)
class Navigate:
    """Send the page to a place. Done when the navigation has begun: it may end much later, or never."""

    deadline_s: ClassVar[float] = 5.0
    generation: int
    to: Place


@dataclass(frozen=True, slots=True)
class Reload:
    """Reload the document. ``fresh``: past the HTTP cache, with service workers and their caches cleared (a deploy)."""

    deadline_s: ClassVar[float] = 5.0
    generation: int
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class StopLoading:
    """Give up the pending navigation; the old document comes back."""

    deadline_s: ClassVar[float] = 5.0
    generation: int


@dataclass(frozen=True, slots=True)
class EndScript:
    """End the script that runs in the page. Fails where the renderer does not answer."""

    deadline_s: ClassVar[float] = 1.0
    generation: int


@dataclass(frozen=True, slots=True)
class KillRenderer:
    """SIGKILL the page's renderer; ``RendererGone`` follows."""

    deadline_s: ClassVar[float] = 5.0
    generation: int


@dataclass(frozen=True, slots=True)
class DropConnections:
    """Let the browser forget its connections, idle ones too, and the addresses it knows: they would be taken for the next load.

    Its network service is killed, and Chromium starts another: DevTools has no word for it.
    """

    deadline_s: ClassVar[float] = 5.0
    generation: int


@dataclass(frozen=True, slots=True)
class KeepEvidence:
    """Keep of the page what can be had at once: a picture, the last errors, the memory of the browser. Never fails, and takes no longer.

    ``after``: of the cure; then there is time for the journal, too. ``asks``: the page as well, which one that hangs would not answer.
    """

    generation: int
    after: bool = False
    asks: bool = True

    @property
    def deadline_s(self) -> float:
        """Before something is done nobody waits for long: what is wrong with the page may be that it does not answer."""
        return 10.0 if self.after else 2.0


@dataclass(frozen=True, slots=True)
class Steps:
    """Several actions in order: when one fails, the rest is dropped and the whole has failed."""

    actions: tuple["Action", ...]

    @property
    def deadline_s(self) -> float:
        """The sum of the parts'."""
        return sum(action.deadline_s for action in self.actions)


# --- on the page, without disturbing it ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DismissDialog:
    """Answer the JavaScript dialog as nobody would: dismissed; a beforeunload is let go."""

    deadline_s: ClassVar[float] = 5.0
    generation: int
    kind: str


@dataclass(frozen=True, slots=True)
class ClosePopup:
    """Close a second page target."""

    deadline_s: ClassVar[float] = 5.0
    generation: int
    target: str


@dataclass(frozen=True, slots=True)
class AskPage:
    """Ask the page how it is. A long deadline: late answers count, age is judged by the verdict."""

    deadline_s: ClassVar[float] = 600.0
    generation: int
    question: int
    stuck_text: str | None = None


@dataclass(frozen=True, slots=True)
class AskBrowser:
    """Ask the browser for its version: a sign of life."""

    deadline_s: ClassVar[float] = 600.0
    generation: int
    question: int


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """Read the digest of the main document that Chromium holds."""

    deadline_s: ClassVar[float] = 10.0
    generation: int
    document: str


@dataclass(frozen=True, slots=True)
class ReadMemory:
    """Measure the browser tree."""

    deadline_s: ClassVar[float] = 10.0
    generation: int


# --- on the rest ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LookForScreen:
    """Look whether something better can be drawn on by now; ``DisplayGone`` follows where it can."""

    deadline_s: ClassVar[float] = 5.0
    run: int


@dataclass(frozen=True, slots=True)
class ProbeServer:
    """Ask the server once, within ``timeout`` seconds. ``homes``: the origins at which an answer is still home's."""

    probe: Probe
    url: str
    timeout: float
    homes: frozenset[str] = frozenset()

    @property
    def deadline_s(self) -> float:
        """The probe ends by itself within ``timeout``; a second more means that it is broken."""
        return self.timeout + 1.0


@dataclass(frozen=True, slots=True)
class ReadDeploy:
    """Read the deploy, on disk or from ``deploy.url``, and answer with ``DeployRead``; what cannot be asked fails, and is not known."""

    deadline_s: ClassVar[float] = 20.0


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Tell the other screens to reload; this one's page is left out. ``ticket``: who wants to know how many there are."""

    deadline_s: ClassVar[float] = 10.0
    message: str
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Tell who asked for a reload what this screen did about it."""

    deadline_s: ClassVar[float] = 5.0
    ticket: int
    screen: str


@dataclass(frozen=True, slots=True)
class Remember:
    """Write down that a home path expects this connection."""

    deadline_s: ClassVar[float] = 10.0
    home: str
    connection: str


@dataclass(frozen=True, slots=True)
class RecordReboot:
    """Write the reboot into its budget, under the boot id, before it happens."""

    deadline_s: ClassVar[float] = 10.0
    spent: int


@dataclass(frozen=True, slots=True)
class RebootHost:
    """Reboot the machine."""

    deadline_s: ClassVar[float] = 60.0


Action = (
    StartDisplay | LookForScreen | StartBrowser | StopBrowser | SetProfileAside | OpenPage | Navigate | Reload | StopLoading | EndScript
    | KillRenderer | DropConnections | Steps | DismissDialog | ClosePopup | AskPage | AskBrowser | ReadDocument | ReadMemory
    | KeepEvidence | ProbeServer | ReadDeploy | Broadcast | Reply | Remember | RecordReboot | RebootHost
)  # fmt: skip
