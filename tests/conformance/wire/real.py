"""A real Airflow of any version, installed once and started in a home of its own, as far as its web server goes.

Nothing runs tasks there: what an API answers does not depend on it, and a database that nobody else writes to answers
the same every time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec

from benchmarks.processes import Service, clean_environment, free_port, wait_for
from tests.conformance.wire.exchange import Answer, Credential, Request

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
DAGS = ROOT / "tests" / "dags" / "wire"
USER, PASSWORD = "admin", "admin"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """How to get an Airflow, and how to start it.

    Args:
        version: of Airflow; ``airflow-{version}.txt`` beside this module locks its environment, hashes and all.
        python: the Python it needs, e.g. ``3.8``.
        build: constraints on what its source distributions are built with.
        settings: environment variables beyond a home, a DAG folder and SQLite.
        prepare: what is run before the first start, as arguments of its Python or of its ``airflow`` command.
        serve: the command of the web server, with ``{port}``.
    """

    version: str
    python: str
    build: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}
    prepare: tuple[tuple[str, ...], ...]
    serve: tuple[str, ...]


class CannotInstall(Exception):
    """This Airflow cannot be had on this machine; the message says why."""


def environment(release: Release) -> Path:
    """The Python of an environment with this Airflow, made on first use under ``.bench``.

    Raises:
        CannotInstall: there is no fitting Python, no uv, or the installation fails.
    """
    wanted = HERE / f"airflow-{release.version}.txt"
    home = Path(os.environ.get("AIRGATE_BENCH_HOME", ROOT / ".bench")) / f"airflow-{release.version}"
    python, done = home / "bin" / "python", home / ".complete"
    if done.exists() and done.read_bytes() == wanted.read_bytes():
        return python
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise CannotInstall("uv is not installed")
    base = _find_python(uv, release.python)
    shutil.rmtree(home, ignore_errors=True)
    _run([uv, "venv", "--quiet", "--python", base, str(home)])
    build = home / "build.txt"
    build.write_text("".join(f"{line}\n" for line in release.build))
    install = [uv, "pip", "install", "--quiet", "--python", str(python), "--build-constraints", str(build)]
    _run([*install, "--require-hashes", "-r", str(wanted)])
    done.write_bytes(wanted.read_bytes())
    return python


def _find_python(uv: str, version: str) -> str:
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    if kept:
        return str(kept[-1])
    asked = subprocess.run([uv, "python", "find", "--no-python-downloads", version], capture_output=True, check=False)
    if asked.returncode != 0:
        raise CannotInstall(f"there is no Python {version} on this machine")
    return asked.stdout.decode().strip()


def _run(command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    if done.returncode != 0:
        raise CannotInstall(f"{' '.join(command[:4])} … failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


@dataclass
class RealAirflow:
    """A running web server. `settings` are those of a variant, beyond its release's."""

    release: Release
    prefix: str
    dags: Path
    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    prepare: Sequence[Sequence[str]] = ()
    """What a variant needs besides, before the first start."""
    port: int = field(default_factory=free_port)
    service: Service | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        python = environment(self.release)
        self.home.mkdir(parents=True, exist_ok=True)
        env = {
            **clean_environment(),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **self.release.settings,
            **self.settings,
        }
        for arguments in (*self.release.prepare, *self.prepare):
            _run([str(python.parent / arguments[0]), *arguments[1:]], env)
        serve = [part.format(port=self.port) for part in self.release.serve]
        log = self.home / "webserver.log"
        self.service = Service.start("webserver", [str(python.parent / serve[0]), *serve[1:]], env=env, log=log)
        wait_for(self._answers, within=120, every=0.25, what=f"Airflow {self.release.version} answers; {log}")

    def _answers(self) -> bool:
        assert self.service is not None
        if not self.service.alive:
            raise RuntimeError(f"Airflow ended:\n{self.service.tail()}")
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End the web server."""
        if self.service is not None:
            self.service.stop()
            self.service = None

    def send(self, request: Request) -> Answer:
        """Airflow's answer."""
        return send(f"http://127.0.0.1:{self.port}{self.prefix}", (USER, PASSWORD), request)


def send(base: str, credentials: tuple[str, str], request: Request) -> Answer:
    """The answer of whichever system is there."""
    user, password = credentials
    auth = {
        Credential.GOOD: httpx.BasicAuth(user, password),
        Credential.WRONG: httpx.BasicAuth(user, "not it"),
        Credential.NONE: None,
    }[request.credential]
    answer = httpx.request(
        request.method,
        base + request.path,
        content=request.content,
        headers=dict(request.headers),
        auth=auth,
        timeout=60,
        follow_redirects=False,
    )
    return Answer(answer.status_code, {key.lower(): value for key, value in answer.headers.items()}, answer.content)
