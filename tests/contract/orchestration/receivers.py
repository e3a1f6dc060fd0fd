"""Receivers of webhooks, good and bad: real servers on the loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Request(NamedTuple):
    """What arrived."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str:
        (found,) = [value for key, value in self.headers if key == name]
        return found


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def answers(raw: bytes) -> Answer:
    """Always the same bytes."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answer


def status(number: int, *lines: str) -> Answer:
    """Always the same status."""
    head = "".join(f"{line}\r\n" for line in lines)
    return answers(f"HTTP/1.1 {number} X\r\n{head}content-length: 0\r\n\r\n".encode())


async def hangs(_: Request, __: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing, until it is closed."""
    await asyncio.Event().wait()


async def resets(_: Request, writer: asyncio.StreamWriter) -> None:
    """Cuts the connection."""
    writer.transport.abort()


class Receiver:
    """A server that keeps what arrives, and answers as it is told."""

    def __init__(self, answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer or answers(OK)
        self.requests: list[Request] = []
        self.port = 0
        self.open = 0
        self.most_open = 0
        self._tls = tls
        self._connections = 0
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def arrived(self, count: int) -> list[Request]:
        """The first so many requests, once they are there."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests[:count]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        try:
            while not writer.is_closing():
                request = await _read(reader, number)
                self.open += 1
                self.most_open = max(self.open, self.most_open)
                async with self._arrived:
                    self.requests.append(request)
                    self._arrived.notify_all()
                try:
                    await self.answer(request, writer)
                finally:
                    self.open -= 1
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader, connection: int) -> Request:
    line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (one.partition(":") for one in lines)]
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    return Request(line, headers, await reader.readexactly(length), connection)


class Authority(NamedTuple):
    """A CA of one's own: how its server answers, and how a client trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def authority(folder: Path, *names: str) -> Authority:
    """A CA, and a server's certificate for these names."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("ca", ca_key.public_key(), "ca", ca_key, x509.BasicConstraints(ca=True, path_length=None))
    found = x509.SubjectAlternativeName([_name(name) for name in names])
    leaf = _certificate("server", key.public_key(), "ca", ca_key, found)
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return Authority(server, ssl.create_default_context(cafile=str(folder / "ca.pem")))


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _certificate(
    subject: str,
    public: ec.EllipticCurvePublicKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - certificates are good by the real clock
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(extension, critical=False)
        .sign(signer, hashes.SHA256())
    )
