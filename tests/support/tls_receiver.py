"""Receivers at ``https://localhost:PORT``, with an authority of their own."""

from __future__ import annotations

import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority(NamedTuple):
    """Files: what to trust, and a certificate for localhost with its key."""

    certificates: Path
    server: Path


def authority(folder: Path) -> Authority:
    """A new authority, good for an hour."""
    root_key, root_name = ec.generate_private_key(ec.SECP256R1()), _name("An authority of the tests")
    root = _certificate(root_name, root_name, root_key.public_key(), is_authority=True).sign(root_key, hashes.SHA256())
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate(root_name, _name("localhost"), key.public_key(), is_authority=False)
    signed = leaf.sign(root_key, hashes.SHA256())
    made = Authority(folder / "authority.pem", folder / "server.pem")
    pem = serialization.Encoding.PEM
    made.certificates.write_bytes(root.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.server.write_bytes(private + signed.public_bytes(pem))
    return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if is_authority:
        return builder
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False).add_extension(usage, False)


class Came(NamedTuple):
    """A request that has come."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class TlsReceiver:
    """Writes down what comes. Answers 201, or, in front of another server, what that one answers."""

    def __init__(self, port: int) -> None:
        self.host = f"localhost:{port}"
        self.came: queue.Queue[Came] = queue.Queue()

    def next(self) -> Came:
        """The next request; waits for it."""
        return self.came.get(timeout=30)


@contextmanager
def tls_receiver(certificate: Path, behind: str | None = None) -> Iterator[TlsReceiver]:
    """A receiver; `behind` is the address of a server that it stands in front of."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = 201, b"{}"
            if behind is not None:
                passed = {name: value for name, value in headers.items() if name not in ("host", "content-length")}
                reply = httpx.post(behind + self.path, content=body, headers=passed, timeout=30)
                status, answer = reply.status_code, reply.content
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            receiver.came.put(Came("POST", self.path, headers, body))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is named there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver = TlsReceiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
