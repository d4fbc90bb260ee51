"""The command line of a kiosk's Chromium: every flag with its reason, and the display's share of the environment."""

from collections.abc import Mapping, Sequence

# Dark: about:blank is white. Its name tells the core what it is; its frame is where a forbidden place is tried (see ``Page.attach``).
START_PAGE = "data:text/html;charset=utf-8;kioskd=start,<html style='background:%23000'><iframe hidden>"
POLICY = "/etc/chromium/policies/managed/kioskd.json"  # Debian's place; what every Chromium of the machine is held to
FORBIDDEN = "file:///kioskd"  # by that; to a Chromium without it, a file that is not there
MARKER = "KIOSKD_BROWSER"  # in the environment of everything the browser starts: how its orphans are found

# Checked against Chromium 156: each of these is read there.
FLAGS: tuple[tuple[str, str], ...] = (
    ("--remote-debugging-pipe", "DevTools on descriptors 3 and 4: no TCP port, and the browser quits when we die"),
    ("--kiosk", "full screen, without any bars"),
    ("--no-first-run", "no welcome tab over the page"),
    ("--no-default-browser-check", "no question that nobody answers"),
    ("--noerrdialogs", "a dialog of Chromium's own would stand on the wall for ever"),
    ("--hide-crash-restore-bubble", "no \"Restore pages?\" after a kill"),
    ("--disable-search-engine-choice-screen", "no choice screen in a fresh profile"),
    ("--disable-background-networking", "a kiosk calls nobody but its page's servers"),
    ("--disable-component-update", "no downloads behind the page's back, no writes to the SD card"),
    ("--disable-sync", "there is no account"),
    ("--disable-breakpad", "no crash uploads, no helper left behind by a killed browser"),
    ("--password-store=basic", "a desktop keyring would ask for its password"),
    ("--autoplay-policy=no-user-gesture-required", "nobody clicks on play"),
    ("--disable-background-timer-throttling", "the page's reconnect timers keep their pace when Chromium believes itself hidden"),
    ("--disable-renderer-backgrounding", "the same, for its priority"),
    ("--disable-backgrounding-occluded-windows", "the same, when a compositor says that nothing can be seen"),
    ("--disable-hang-monitor", "its \"Page unresponsive\" dialog: kioskd is the monitor"),
    ("--disable-prompt-on-repost", "a reload after a form asks nothing"),
    ("--overscroll-history-navigation=0", "a swipe on a touch screen must not go back in history"),
    ("--disable-pinch", "a pinch must not leave the page zoomed"),
    ("--force-dark-mode", "no white flash while the first page is on its way"),
)

# Chromium takes the last list of its command line alone: so there is one, in which the owner's are, too.
FEATURES: tuple[tuple[str, str], ...] = (
    ("Translate", "its bubble"),
    ("MediaRouter", "it searches the network for screens"),
    ("HttpsUpgrades", "a dashboard on plain HTTP would be asked for by HTTPS first, and an outage of its server looks different then"),
    ("HttpsFirstBalancedModeAutoEnable", "the same"),
    ("WebUIOmniboxPopup", "hidden pages behind an address bar that nobody sees: of a start half the processor time, and 57 MB"),
    ("WebUIOmniboxAimPopup", "the other one"),
)
_DISABLE, _ENABLE = "--disable-features=", "--enable-features="

_HEADLESS = ("--headless=new", "--screen-info={1920x1080}")  # the size of a usual wall; --kiosk fills it
# systemd.exec(5): what it tells a service, and nobody else.
_NOT_FOR_BROWSERS = (
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "FDSTORE"),
    *("INVOCATION_ID", "SYSTEMD_EXEC_PID", "MAINPID", "MANAGERPID", "MANAGERPIDFDID", "PIDFILE"),
    *("JOURNAL_STREAM", "LOG_NAMESPACE", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"),
    *(f"{kind}_DIRECTORY" for kind in ("CREDENTIALS", "RUNTIME", "STATE", "CACHE", "LOGS", "CONFIGURATION")),
)


def arguments(profile: str, display: Mapping[str, str], extra: Sequence[str]) -> list[str]:
    """Return everything after the command's name. ``display`` without WAYLAND_DISPLAY and DISPLAY means headless."""
    if display.get("WAYLAND_DISPLAY"):
        where: tuple[str, ...] = ("--ozone-platform=wayland",)
    elif display.get("DISPLAY"):
        where = ("--ozone-platform=x11", "--window-position=0,0")
    else:
        where = _HEADLESS
    wanted = {_plain(name) for name in _listed(_ENABLE, extra)}  # what stands in both lists would be off
    off = [*(name for name, _ in FEATURES if name not in wanted), *_listed(_DISABLE, extra)]
    others = (flag for flag in extra if not flag.startswith(_DISABLE))
    return [*(flag for flag, _ in FLAGS), f"--user-data-dir={profile}", *where, *others, _DISABLE + ",".join(off), START_PAGE]


def _listed(option: str, flags: Sequence[str]) -> list[str]:
    return [name for flag in flags if flag.startswith(option) for name in flag.removeprefix(option).split(",") if name]


def _plain(name: str) -> str:
    """Return a feature's name without what may come with it: *Name, Name<Study, Name:parameter/value."""
    return name.strip("* ").split("<")[0].split(":")[0]


def environment(own: Mapping[str, str], display: Mapping[str, str], marker: str) -> dict[str, str]:
    """Return the browser's environment: ours without what is between us and systemd, and with the display's.

    Without the session's bus: by it Chromium has the user's systemd move it into a unit of its own, out of ours, which must end it with us.
    """
    kept = {name: value for name, value in own.items() if name not in (*_NOT_FOR_BROWSERS, "DISPLAY", "WAYLAND_DISPLAY")}
    return {**kept, "DBUS_SESSION_BUS_ADDRESS": "disabled:", "GTK_THEME": "Adwaita:dark", **display, MARKER: marker}
