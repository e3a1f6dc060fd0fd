"""Processes of our own: start them, look at their trees, end them. Nothing here touches a process it did not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil  # type: ignore[import-untyped]  # the wheel has no type information

_PAUSE = threading.Event()
"""Never set: waiting on it is a pause that cannot be mistaken for a wait for something."""


class NotInTime(Exception):
    """Something did not happen within its bound."""


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the program, so that what it started is ended too."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def pause(seconds: float) -> None:
    """Let `seconds` pass."""
    _PAUSE.wait(seconds)


def wait_for(happened: Callable[[], bool], *, within: float, every: float, what: str) -> float:
    """Ask every `every` seconds until `happened`; return how long it took.

    Raises:
        NotInTime: it did not within `within` seconds.
    """
    start = monotonic()
    while not happened():
        if monotonic() - start > within:
            raise NotInTime(f"{what}: not within {within:g} s")
        pause(every)
    return monotonic() - start


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """A long-running command in a session of its own, its output in a file."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path, user: str | None = None
    ) -> Service:
        """Start `command`; its output is appended to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=None if user is None else user_group(user),
                cwd="/" if user is not None else log.parent,
            )
        return cls(name, process, log)

    @property
    def alive(self) -> bool:
        """Whether the command still runs."""
        return self.process.poll() is None

    def tail(self, lines: int = 30) -> str:
        """The last lines of its output, for an error message."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def tree(self) -> list[psutil.Process]:
        """The command and all that descend from it, as of now."""
        return tree_of(self.process.pid)

    def stop(self, *, grace: float = 15.0, first: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and after `grace` seconds end what is left of its tree."""
        known = self.tree()
        if self.alive:
            self.process.send_signal(first)
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                known += self.tree()
        kill_all(known)
        if self.alive:
            self.process.kill()
        self.process.wait(grace)


def user_group(user: str) -> int:
    """The primary group of a user of this machine."""
    import pwd  # noqa: PLC0415  # not on every platform, and only needed where we are root

    return pwd.getpwnam(user).pw_gid


def tree_of(pid: int) -> list[psutil.Process]:
    """A process and its descendants, parents before children; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL those that still run. psutil compares start times, so a reused pid is never hit."""
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=5)


def pss_megabytes(processes: Sequence[psutil.Process]) -> float:
    """Proportional set size: shared pages are counted once over all processes that share them. Linux only."""
    total = 0
    for process in processes:
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """CPU time used so far by these processes and by their children that have ended."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def clean_environment() -> dict[str, str]:
    """This process's environment without what would steer a peer: its settings, and our own virtual environment."""
    ours = ("AIRFLOW_", "AIRFLOW__", "AIRGATE_", "PYTEST_", "PG", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
