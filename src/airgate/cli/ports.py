"""Whether an address can be listened on."""

from __future__ import annotations

import socket

from airgate.cli.exits import ExitCode, Problem


def check_port(host: str, port: int) -> None:
    """Raise Problem where the address cannot be listened on, before anything is started."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise Problem(
            f"cannot listen on {host} port {port} ({error.strerror or error}); choose another with --port",
            ExitCode.UNAVAILABLE,
        ) from error
