"""A door in front of a PostgreSQL server that can lose the answer to a commit."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from enum import Enum
from pathlib import Path

_NAME = ".s.PGSQL.5432"
_COMMIT = b"COMMIT\x00"


class Lose(Enum):
    """What is lost at the next commit; the connection ends with it."""

    REQUEST = "the server never hears of it"
    ANSWER = "the server commits, the client never hears of it"


class Door:
    """Listens on a Unix socket of its own and passes everything on, both ways."""

    def __init__(self, server: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="airgate-door-"))
        self.lose: Lose | None = None
        self.open = True
        """Closed, it ends every new connection at once."""
        self.lost = threading.Event()
        self._server = str(server / _NAME)
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / _NAME))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def remove(self) -> None:
        """End all connections, and the door with them."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join(30)
        for one in (self._listener, *self._sockets):
            one.close()
        shutil.rmtree(self.folder)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._sockets += [client, server]
            cut = threading.Event()
            for pump in (self._to_server, self._to_client):
                thread = threading.Thread(target=pump, args=(client, server, cut), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _to_server(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if _COMMIT in data and self.lose is not None:
                    lost, self.lose = self.lose, None
                    cut.set()  # from here on the client hears nothing; the server's answer ends both connections
                    self.lost.set()
                    if lost is Lose.REQUEST:
                        break
                server.sendall(data)
        _end(server)

    def _to_client(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if cut.is_set():
                    break
                client.sendall(data)
        _end(client)
        _end(server)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
