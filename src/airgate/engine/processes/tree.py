"""The process tree of the DAG interpreter: the socket it reports to, the nursery, and the DAG-file processes.

Nothing here knows what runs. The tree survives the death of any of its parts: a nursery that dies is started again
while the DAG-file processes it forked go on; a DAG-file process that dies is forked again when its file is wanted.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

from airgate.engine.ports import FileVersion, SlotListener
from airgate.engine.processes.files import FileProcess, NeverForked
from airgate.engine.processes.nursery import NurseryProcess, Output
from airgate.engine.processes.replying import Respond
from airgate.engine.processes.slots import ChildSlot
from airgate.engine.wire import FrameConnection
from airgate.model.errors import Unavailable
from airgate.sdk import protocol

log = structlog.get_logger(__name__)

HELLO_TIMEOUT = 60.0
"""Seconds the nursery may take to import the Task SDK and connect."""
RESTART_DELAY = 0.2
"""Seconds between the death of a nursery and its successor; doubled up to `RESTART_DELAY_MAX` while they keep dying."""
RESTART_DELAY_MAX = 15.0
LONG_IMPORT = 1.0
"""Seconds after which an import no longer counts among those that go on at a time."""
FOLDER_PREFIX = "airgate-"
RELOAD_DELAY = 2.0
"""Seconds before a file that is waited for and could not be imported is tried again."""


class TreeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the tree is laid out. Times are seconds."""

    python: str
    dags: Path
    home: Path
    """AIRFLOW_HOME of everything in the tree: Airgate's own, never the user's."""
    lock: Path
    """A file every process of the tree holds locked, so that a successor can wait until all of them are gone."""
    import_timeout: float = 30.0
    warm_files: int = 10
    spares: int = 1
    reuse_limit: int = 1
    """Tries one child may run; 1 is one process per try."""
    nice: int = 0
    """How many steps of priority DAG code is behind the server."""
    parallel_imports: int = 2
    idle_after: float = 300.0
    """After so long without work a DAG file keeps no spare children."""
    env: Mapping[str, str] = {}


class ProcessTree:
    """Implements `airgate.engine.ports.Executor` on this machine.

    Args:
        respond: answers what code at the top of DAG files, or in timetables, asks for.
    """

    def __init__(self, config: TreeConfig, listener: SlotListener, respond: Respond) -> None:
        self._config = config
        self._respond = respond
        self._listener = listener
        self._token = secrets.token_hex(32)
        self._folder: Path | None = None
        self._hostname = socket.gethostname()
        self._server: asyncio.Server | None = None
        self._lock_fd = -1
        self._nursery: NurseryProcess | None = None
        self._outputs: list[Output] = []
        self._connections: set[FrameConnection] = set()
        self._nursery_connection: FrameConnection | None = None
        self._nursery_up = asyncio.Event()
        self._nursery_watch: asyncio.Task[None] | None = None
        self._files: dict[str, FileProcess] = {}
        self._leaving: list[FileProcess] = []
        self._imports = asyncio.Semaphore(config.parallel_imports)
        self._loading: dict[str, asyncio.Task[protocol.Parsed]] = {}
        self._reloading: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.failure: str | None = None
        """Why the DAG interpreter cannot be started, in plain words; None while it can."""

    async def start(self) -> None:
        """Wait until no process of an earlier tree is left, listen, and start the nursery without waiting for it."""
        self._lock_fd = await _claim(self._config.lock)
        _remove_leftover(self._lock_fd)
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        os.pwrite(self._lock_fd, bytes(self._folder), 0)
        path = self._folder / "engine.sock"
        self._server = await asyncio.get_running_loop().create_unix_server(self._accept, str(path))
        path.chmod(0o600)
        self._nursery_watch = asyncio.create_task(self._keep_nursery(path), name="nursery")

    async def stop(self) -> None:
        """End every process. Running tries must have been stopped before: they lose their engine now."""
        self._stopping = True
        if self._nursery_watch is not None:
            self._nursery_watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._nursery_watch
        for task in (*self._reloading.values(), *self._loading.values()):
            task.cancel()
        for file in (*self._files.values(), *self._leaving):
            file.retire()
            if not file.parsed.done():
                self._kill(file)  # it may hang in the import, and would not notice
        if self._nursery is not None:
            await self._nursery.end(within=2)
        await self._close()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        for output in self._outputs:
            output.close()
        await asyncio.sleep(0)  # closing takes a turn of the loop
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    # --- DAG files -------------------------------------------------------------------------------

    async def load(self, version: FileVersion, *, again: bool = False) -> protocol.Parsed:
        """Have a process import this version of a DAG file (or join one that does).

        `again`: a process that has imported it already will not do; a new one takes its place. A file that hangs,
        kills its process or exits is reported as an import error, in `Parsed.error`.

        Raises:
            Unavailable: the DAG interpreter cannot be started.
        """
        process = self._files.get(version.key)
        if process is not None and process.ready and not again:
            return process.parsed.result()
        loading = self._loading.get(version.key)
        if loading is None:
            loading = self._loading[version.key] = asyncio.create_task(self._load(version), name=f"load {version.key}")
            loading.add_done_callback(partial(self._loaded, version.key))
        return await asyncio.shield(loading)

    def _loaded(self, key: str, task: asyncio.Task[protocol.Parsed]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # whoever waited has heard of it

    async def _load(self, version: FileVersion) -> protocol.Parsed:
        await self._await_nursery()
        async with self._turn():
            return await self._import(version)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A place among the imports that go on at a time. Who takes long gives it up: no file holds up the others."""
        await self._imports.acquire()
        places = [self._imports]

        def give_up() -> None:
            if places:
                places.pop().release()

        timer = asyncio.get_running_loop().call_later(LONG_IMPORT, give_up)
        try:
            yield
        finally:
            timer.cancel()
            give_up()

    async def _import(self, version: FileVersion) -> protocol.Parsed:
        kills = 0
        while True:
            await self._await_nursery()
            process = self._fork(version)
            try:
                async with asyncio.timeout(self._config.import_timeout):
                    return await asyncio.shield(process.parsed)
            except NeverForked:
                continue  # the nursery died first; its successor is asked
            except TimeoutError:
                problem = f"importing it took longer than {self._config.import_timeout:g} s and was stopped"
            except Unavailable:
                status = await process.exit_status()
                if status in FROM_OUTSIDE and (kills := kills + 1) < KILLED_IMPORTS:
                    continue  # somebody else's doing, not the file's
                problem = f"its process ended while importing it ({_how(status)})"
            self._kill(process)
            process.give_up(Unavailable(problem))
            self._files.pop(version.key, None)
            return protocol.Parsed(file_key=version.key, error=f"DAG file {version.file}: {problem}.")

    def _fork(self, version: FileVersion) -> FileProcess:
        assert self._nursery_connection is not None
        self.retire(version.key)
        process = FileProcess(version, on_slot=self._listener.slot_free, respond=self._respond)
        self._files[version.key] = process
        order = protocol.ForkFile(
            file_key=version.key, path=str(self._config.dags / version.file), root=str(self._config.dags)
        )
        self._nursery_connection.send(protocol.UNSOLICITED, order)
        return process

    def retire(self, key: str) -> None:
        """Stop the process of a file version that is no longer wanted; its running tries end by themselves."""
        process = self._files.pop(key, None)
        if process is not None:
            process.retire()
            # Its children still report through it, and how they end comes from whoever adopts them.
            self._leaving = [one for one in self._leaving if one.alive or one.children]
            self._leaving.append(process)

    def trim(self, pinned: frozenset[str]) -> None:
        """Let processes go until `warm_files` are left, least recently used first, and spares of files long unused.

        Those that are busy, waited for or pinned stay.
        """
        now = asyncio.get_running_loop().time()
        self._leaving = [one for one in self._leaving if one.alive or one.children]
        for process in self._files.values():
            if now - process.last_used > self._config.idle_after:
                process.drop_spares()
        candidates = [
            p for k, p in self._files.items() if k not in pinned and p.ready and not p.children.busy and not p.wanted
        ]
        surplus = len(self._files) - self._config.warm_files
        for process in sorted(candidates, key=lambda p: p.last_used)[: max(0, surplus)]:
            self.retire(process.version.key)

    async def ask(
        self, version: FileVersion, question: protocol.NextRun | protocol.ManualInterval
    ) -> protocol.RunDates:
        """Put a question to a DAG's timetable, importing its file first if need be."""
        parsed = await self.load(version)
        process = self._files.get(version.key)
        if process is None:
            raise Unavailable(parsed.error or f"DAG file {version.file} cannot be imported now.")
        return await process.ask(question)

    # --- the executor port -----------------------------------------------------------------------

    def reserve(self, file_key: str) -> ChildSlot | None:
        """See the port."""
        process = self._files.get(file_key)
        if process is None:
            return None
        process.keep = self._config.spares
        return process.reserve()

    def demand(self, waiting: Mapping[str, int]) -> None:
        """See the port. A file version that is waited for and has no process (any more) is imported again."""
        for key, process in self._files.items():
            process.wanted = min(waiting.get(key, 0), MAX_WANTED)
            process.warm()
        for key in waiting:
            found = self._files.get(key)
            if (found is None or found.dead) and key not in self._reloading:
                task = asyncio.create_task(self._reload(key), name=f"reload {key}")
                self._reloading[key] = task

    async def _reload(self, key: str) -> None:
        file, _, digest = key.rpartition("@")
        try:
            parsed = await self.load(FileVersion(key=key, file=file, digest=digest))
            if parsed.error is not None:
                log.error("A DAG file that is waited for cannot be imported", file=file, error=parsed.error)
                await asyncio.sleep(RELOAD_DELAY)
        except Unavailable:
            await self.usable()
        finally:
            self._reloading.pop(key, None)
        # Whoever waits tells its demand again, which warms the process or tries once more.
        self._listener.slot_free(key)

    async def usable(self) -> None:
        """Wait until the DAG interpreter runs, however long that takes."""
        await self._nursery_up.wait()

    # --- connections -----------------------------------------------------------------------------

    def _accept(self) -> FrameConnection:
        return FrameConnection(self._hello, lambda connection: None, self._connections)

    def _hello(self, connection: FrameConnection, frame_id: int, body: dict[str, Any]) -> None:
        try:
            hello = msgspec.convert(body, protocol.Hello)
        except msgspec.ValidationError:
            connection.close()
            return
        if not secrets.compare_digest(hello.token, self._token) or hello.protocol != protocol.PROTOCOL:
            log.warning("A process was refused", role=hello.role, pid=hello.pid, protocol=hello.protocol)
            connection.close()
        elif hello.role == "nursery":
            connection.on_frame = self._nursery_frame
            connection.on_closed = self._nursery_lost
            self._nursery_connection = connection
            self._nursery_up.set()
            self.failure = None
        else:
            self._file_hello(connection, hello)

    def _file_hello(self, connection: FrameConnection, hello: protocol.Hello) -> None:
        process = self._files.get(hello.file_key)
        if process is None or (hello.role == "file" and process.alive):
            connection.close()  # a version let go of, or a fork that was given up for lost
        elif hello.role == "try" and hello.parent != process.pid:
            connection.close()  # its parent has died, and another has taken that one's place
        elif hello.role == "file":
            process.connected(connection, hello.pid)
        else:
            slot = ChildSlot(
                connection,
                pid=hello.pid,
                file_key=hello.file_key,
                hostname=self._hostname,
                reuse_limit=self._config.reuse_limit,
                owner=process.children,
            )
            process.children.connected(slot)

    # --- the nursery -----------------------------------------------------------------------------

    async def _await_nursery(self) -> None:
        if self.failure is not None:
            raise Unavailable(self.failure)
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                await self._nursery_up.wait()
        except TimeoutError:
            raise Unavailable(self.failure or "The DAG interpreter did not start within a minute.") from None

    def _nursery_frame(self, connection: FrameConnection, frame_id: int, body: dict[str, Any]) -> None:
        # The nursery reaps DAG-file processes, whose end their own connection tells, and tries it has adopted.
        message = msgspec.convert(body, protocol.ToEngine)
        if isinstance(message, protocol.ChildGone):
            for process in (*self._files.values(), *self._leaving):
                process.reaped(message)
                process.children.reaped(message, by_parent=False)

    def _nursery_lost(self, connection: FrameConnection) -> None:
        self._nursery_up.clear()
        for process in self._files.values():
            process.nursery_lost()

    async def _keep_nursery(self, path: Path) -> None:
        delay = RESTART_DELAY
        while not self._stopping:
            self._nursery_connection = None
            errors = await self._run_nursery(path)
            was_up = self._nursery_connection is not None
            if not was_up:
                last = errors.strip().splitlines()[-1:] or ["it said nothing"]
                self.failure = f"The DAG interpreter {self._config.python} cannot be started: {last[0]}"
                log.error("Nursery failed", python=self._config.python, output=errors[-4000:])
            delay = RESTART_DELAY if was_up else min(delay * 2, RESTART_DELAY_MAX)
            await asyncio.sleep(delay)

    async def _run_nursery(self, path: Path) -> str:
        env = {
            **os.environ,
            **self._config.env,
            "AIRFLOW_HOME": str(self._config.home),
            "AIRGATE_ENGINE_SOCKET": str(path),
            "AIRGATE_ENGINE_TOKEN": self._token,
            "AIRGATE_TREE_LOCK_FD": str(self._lock_fd),
        }
        for name in SERVER_SECRETS:
            env.pop(name, None)
        try:
            self._nursery = await NurseryProcess.start(
                self._config.python, env, lock_fd=self._lock_fd, nice=self._config.nice
            )
        except OSError as error:
            return str(error)
        self._outputs = [output for output in self._outputs if not output.ended.is_set()]
        self._outputs.append(self._nursery.output)
        return await self._nursery.wait()

    def _kill(self, process: FileProcess) -> None:
        if process.alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


FROM_OUTSIDE = (None, -signal.SIGKILL)
"""Ends of a process that its own code has no part in: unheard of (the nursery died, too), and SIGKILL."""
KILLED_IMPORTS = 5
"""Imports killed from outside (by hand, or for want of memory) after which the file is held to be the cause."""
MAX_WANTED = 8
"""Children of one file being forked ahead at most; more only compete for the processor."""

SERVER_SECRETS = (
    *("AIRGATE_SECRET_KEY", "AIRGATE_ADMIN_PASSWORD", "AIRGATE_DATABASE", "AIRGATE_TOKEN"),
    *("AIRGATE_BATCH_SHARED_SECRET", "AIRFLOW__AIRFLOW_API_PLUGIN__AIRFLOW_API_AUTH"),
    "AIRFLOW__AIRFLOW__API__PLUGIN_AIRFLOW_API_AUTH",
)
"""What DAG code must not see of the server's environment."""


def _how(status: int | None) -> str:
    """How a process ended, for people."""
    if status is None:
        return "nobody knows how"
    if status < 0:
        return f"killed by signal {-status}"
    return f"it exited with code {status}"


def _remove_leftover(lock_fd: int) -> None:
    """Remove the folder of an earlier tree that could not do so itself; the lock file names it."""
    named = Path(os.fsdecode(os.pread(lock_fd, 4096, 0)))
    os.ftruncate(lock_fd, 0)
    if named.name.startswith(FOLDER_PREFIX) and named.parent == Path(tempfile.gettempdir()):
        shutil.rmtree(named, ignore_errors=True)


async def _claim(lock: Path) -> int:
    """Lock the tree's file, waiting until every process of an earlier tree has let go of it."""
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    loop = asyncio.get_running_loop()
    warn_at = loop.time() + 5
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() > warn_at:
                log.warning("Waiting for processes of an earlier server to end", lock=str(lock))
                warn_at += 30
            await asyncio.sleep(0.05)
        else:
            return fd
