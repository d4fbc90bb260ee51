import logging
import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path

from systemd.journal import JournalHandler

from kioskd.core.verdict import Verdict
from kioskd.edges import log

CATALOG = Path(__file__).parents[2] / "debian" / "kioskd.catalog"

SAY = """
import logging, os, sys
from kioskd.edges import log
if sys.argv[1] == "systemd":
    found = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
elif sys.argv[1] == "inherited":
    os.environ["JOURNAL_STREAM"] = "1:2"
log.configure(logging.INFO, journal="/nonexistent")
logging.getLogger("kioskd.test").debug("unheard")
logging.getLogger("kioskd.test").info("started")
logging.getLogger("kioskd.test").warning("! %s: refused", "Go(url='https://me:secret@[::1]:3/a?secret#secret')")
logging.getLogger("kioskd.test").error("Cannot read %s: two\\nlines", "\\x1b[2Jå\\r")
"""


def said(where: str) -> list[str]:
    """What a process under ``where`` wrote to stderr."""
    done = subprocess.run([sys.executable, "-c", SAY, where], stderr=subprocess.PIPE, check=True, encoding="utf-8")
    return done.stderr.splitlines()


def test_plain_stderr_outside_systemd():
    for where in ("nowhere", "inherited"):
        first, url, second, third = said(where)
        assert url.endswith(" WARNING ! Go(url='https://[::1]:3/a'): refused")
        assert first.endswith(" INFO started")
        assert second.endswith(" ERROR Cannot read \\x1b[2Jå\\x0d: two") and third == "    lines"


def test_priorities_where_the_journal_cannot_be_had():
    url = "<4>! Go(url='https://[::1]:3/a'): refused"
    assert said("systemd") == ["<6>started", url, "<3>Cannot read \\x1b[2Jå\\x0d: two", "<3>    lines"]


def test_colour_only_on_a_terminal():
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SAY, "nowhere"], stderr=theirs, check=True)
    os.close(theirs)
    text = os.read(ours, 4096).decode()
    os.close(ours)
    assert "\x1b[31mERROR\x1b[0m" in text and "\x1b[2J" not in text


def test_the_journal_under_systemd(tmp_path):
    """The choice, and what systemd-python then makes of a record; the journal itself is systemd's."""
    kept = list(logging.root.handlers), logging.root.level
    (tmp_path / "socket").touch()
    with (tmp_path / "stderr").open("w+") as stream:
        found = os.fstat(stream.fileno())
        os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
        try:
            handler = log.configure(stream=stream, journal=str(tmp_path / "socket"))
        finally:
            del os.environ["JOURNAL_STREAM"]
            logging.root.handlers[:], logging.root.level = kept
    assert isinstance(handler, JournalHandler)
    handler.send.socket.close()
    sent: list[tuple[str, dict[str, object]]] = []
    handler.send = lambda MESSAGE, **fields: sent.append((MESSAGE, fields))
    handler.emit(logging.LogRecord("kioskd.x", logging.WARNING, "x.py", 1, "Cannot %s", ("\x1b]0;y",), None))
    ((message, fields),) = sent
    assert message == "Cannot \\x1b]0;y" and fields["SYSLOG_IDENTIFIER"] == "kioskd" and fields["PRIORITY"] == "4"


def test_a_journal_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        journal.settimeout(10)
        handler = log._journal(str(tmp_path / "socket"))
        assert handler is not None
        for number in range(2000):  # more than its queue holds
            handler.emit(logging.LogRecord("kioskd.x", logging.WARNING, "x.py", 1, "two\nlines, %d", (number,), None))
        entry = journal.recv(1 << 16)
    (tmp_path / "socket").unlink()
    handler.emit(logging.LogRecord("kioskd.x", logging.WARNING, "x.py", 1, "to nobody", (), None))
    handler.send.socket.close()
    message, fields = b"two\n    lines, 0", dict(line.split(b"\n", 1) for line in re.split(rb"\n(?=[A-Z_]+\n)", entry.rstrip(b"\n")))
    assert fields[b"MESSAGE"] == len(message).to_bytes(8, "little") + message
    assert fields[b"PRIORITY"][8:] == b"4" and fields[b"SYSLOG_IDENTIFIER"][8:] == b"kioskd"


def test_the_catalogue_explains_every_verdict_and_what_becomes_of_it() -> None:
    explained = CATALOG.read_text("utf-8")
    names = [*(verdict.value for verdict in Verdict), "STEP", "CURED"]
    wanted = [f"-- {log.message_id(name)}\nSubject: {name}: " for name in names]
    assert [entry for entry in wanted if entry not in explained] == []
    assert explained.count("\n-- ") == len(wanted)
