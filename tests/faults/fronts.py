"""What stands between a browser and its dashboard, and can be broken: the name, the way, the certificate. Victims meet the same one."""

import asyncio
import base64
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

NAME = "dashboard.test"


class Names:
    """A hosts file for whoever runs with ``variables``: a name can be unknown, and known a moment later."""

    def __init__(self, folder: Path) -> None:
        (library,) = Path("/usr/lib").glob("*/libnss_wrapper.so")
        self._hosts = folder / "hosts"
        self.forget()
        self.variables = {"LD_PRELOAD": str(library), "NSS_WRAPPER_HOSTS": str(self._hosts)}

    def forget(self) -> None:
        """No name leads anywhere."""
        self._hosts.write_text("")

    def learn(self, *addresses: str) -> None:
        """``NAME`` leads here, or to these, the first of them first."""
        self._hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses or ("127.0.0.1",)))


class NameServer(asyncio.DatagramProtocol):
    """A DNS server for ``NAME``, which can be ``silent``: asked, it says nothing at all."""

    silent = False

    def __init__(self) -> None:
        self._put: set[tuple[bytes, tuple[str, int]]] = set()
        self.asked = asyncio.Event()
        self.put_again = asyncio.Event()  # a question, for an IPv6 address as well: a resolver's last word for some seconds

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """It listens where resolvers look for one; gives the ``resolv.conf`` that leads to it."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 53))
        try:
            yield "nameserver 127.0.0.1\n"
        finally:
            self._transport.close()

    def datagram_received(self, query: bytes, sender: tuple[str, int]) -> None:
        """Answer, to whatever is asked: an address of this machine, or that there is none of that kind."""
        end = query.index(0, 12) + 5  # the header's twelve bytes, the name up to its empty label, the type, the class
        kind = int.from_bytes(query[end - 4 : end - 2])
        found = kind == 1 and b"\x09dashboard\x04test\0" in query.lower()  # A
        self.asked.set()
        header = query[:2] + b"\x81\x80\0\x01" + bytes((0, found)) + bytes(4)  # an answer to one question
        if kind == 28 and (query, sender) in self._put:  # AAAA, which comes after A
            self.put_again.set()
        self._put.add((query, sender))
        address = b"\xc0\x0c\0\x01\0\x01" + bytes(4) + b"\0\x04\x7f\0\0\x01"  # of the name asked for, not to be kept: 127.0.0.1
        if not self.silent:
            self._transport.sendto(header + query[12:end] + (address if found else b""), sender)


class Detour:
    """A way to a server that takes ``delay`` seconds, there and back again. When it is gone, so is what went through it."""

    def __init__(self) -> None:
        self.delay = 0.0
        self._open: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def before(self, url: str, address: str = "127.0.0.1", at: int = 0) -> AsyncIterator[str]:
        """Gives the URL that leads that way, through an address and a port of this machine."""
        port = int(url.rstrip("/").rsplit(":", 1)[1])

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                inner, outer = await asyncio.open_connection("127.0.0.1", port)
                self._open += [writer, outer]
                await asyncio.gather(self._pass(reader, outer), self._pass(inner, writer))
            writer.close()

        async with await asyncio.start_server(relay, address, at) as server:
            try:
                yield f"http://{address}:{server.sockets[0].getsockname()[1]}/"
            finally:
                for writer in self._open:
                    writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def arrive() -> None:
            with contextlib.suppress(OSError):
                while True:
                    due, piece = await under_way.get()
                    await asyncio.sleep(due - loop.time())
                    if not piece:
                        break
                    writer.write(piece)
                    await writer.drain()
            writer.close()

        async with asyncio.TaskGroup() as both:
            both.create_task(arrive())
            with contextlib.suppress(OSError):
                while piece := await reader.read(65536):
                    under_way.put_nowait((loop.time() + self.delay, piece))
            under_way.put_nowait((loop.time() + self.delay, b""))


class Certificates:
    """A bad certificate, and a good one for whoever has ``variables`` (a probe) or ``flags`` (Chromium)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.variables = {"SSL_CERT_FILE": str(folder / "good.pem")}
        self.flags: tuple[str, ...] = ()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.num_tickets = 0  # a browser that takes an old session up again looks at no certificate

    async def make(self) -> None:
        """Have both made."""
        for which in ("bad", "good"):
            key, certificate = self._folder / f"{which}.key", self._folder / f"{which}.pem"
            await _openssl(
                *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=dashboard"),
                *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
            )
        public = await _openssl("pkey", "-in", self._folder / "good.key", "-pubout", "-outform", "DER")
        self.flags = (f"--ignore-certificate-errors-spki-list={base64.b64encode(hashlib.sha256(public).digest()).decode()}",)
        self.present("bad")

    def present(self, which: str) -> None:
        """Use the ``bad`` or the ``good`` one from the next connection on."""
        self._context.load_cert_chain(self._folder / f"{which}.pem", self._folder / f"{which}.key")

    @contextlib.asynccontextmanager
    async def before(self, url: str) -> AsyncIterator[str]:
        """Stand in front of a server; gives the URL that leads through here."""
        port = int(url.rstrip("/").rsplit(":", 1)[1])

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                inner, outer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_pass(reader, outer), _pass(inner, writer))
            writer.close()

        async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=self._context) as server:
            yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


async def _openssl(*words: str | Path) -> bytes:
    made = await asyncio.create_subprocess_exec("openssl", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    said, _ = await made.communicate()
    assert made.returncode == 0, f"openssl {words[0]} failed"
    return said
