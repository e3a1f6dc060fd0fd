"""A small engine for tests: speaks `airgate.sdk.protocol` with a real process tree, from threads that block."""

from __future__ import annotations

import fcntl
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from uuid_utils.compat import uuid7 as fresh_uuid

from airgate.model.dag import DagSpec
from airgate.sdk import protocol

BOOT = Path(protocol.__file__).with_name("boot.py")
DAG_PYTHON = os.environ.get("DAG_PYTHON_OF_TESTS", sys.executable)
"""The interpreter that runs DAG code in these tests."""
LIMIT = 60.0
"""Seconds after which a test gives up waiting for anything."""

Body = dict[str, Any]
Answer = Callable[[Body], Body | None]


class Connection:
    """One process of the tree. Frames it sends are kept in `frames` unless `answer` is set and it asked something."""

    def __init__(self, sock: socket.socket, hello: protocol.Hello) -> None:
        self.hello = hello
        self.pid = hello.pid
        self.answer: Answer | None = None
        self.frames: queue.Queue[tuple[int, Body | None]] = queue.Queue()
        self._socket = sock
        self._lock = threading.Lock()

    def read_all(self) -> None:
        """Read until the end; the end itself is a frame without a body."""
        while (frame := read_frame(self._socket)) is not None:
            frame_id, body = frame[0], frame[1]
            if frame_id >= 0 and self.answer is not None and body.get("type") not in {"RunDates", "Failed"}:
                reply = self.answer(body)
                error = reply if reply is not None and reply.get("type") == "ErrorResponse" else None
                with suppress(OSError):  # the test has hung up meanwhile
                    self.reply(frame_id, None if error else reply, error)
            self.frames.put((frame_id, body))
        self.frames.put((-1, None))

    def send(self, body: msgspec.Struct, frame_id: int = -1) -> None:
        self.reply(frame_id, body, None)

    def reply(self, frame_id: int, body: Any, error: Body | None) -> None:
        payload = msgspec.msgpack.encode([frame_id, body, error])
        with self._lock:
            self._socket.sendall(len(payload).to_bytes(4, "big") + payload)

    def hang_up(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def next(self, timeout: float = LIMIT) -> Body | None:
        """The next frame's body; None at the end of the connection."""
        return self.frames.get(timeout=timeout)[1]

    def expect(self, kind: str, timeout: float = LIMIT) -> Body:
        """The next frame of this type; others before it are dropped."""
        while (body := self.next(timeout)) is not None:
            if body.get("type") == kind:
                return body
        raise AssertionError(f"the process left before it sent {kind}")

    def until_end(self, timeout: float = LIMIT) -> list[Body]:
        bodies = []
        while (body := self.next(timeout)) is not None:
            bodies.append(body)
        return bodies


def read_frame(sock: socket.socket) -> list[Any] | None:
    header = _exactly(sock, 4)
    if header is None:
        return None
    payload = _exactly(sock, int.from_bytes(header, "big"))
    return None if payload is None else msgspec.msgpack.decode(payload, type=list)


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            part = sock.recv(size - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return data


class World:
    """What the fake engine answers tasks with, and what they told it."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.connections: dict[str, Body] = {}
        self.xcoms: dict[tuple[str, str], Any] = {}

    def __call__(self, body: Body) -> Body | None:
        handler = getattr(self, f"_on_{body['type']}", None)
        return None if handler is None else handler(body)

    def _on_GetVariable(self, body: Body) -> Body:  # noqa: N802 - named after the message
        if body["key"] not in self.variables:
            return {"type": "ErrorResponse", "error": "VARIABLE_NOT_FOUND", "detail": {"key": body["key"]}}
        return {"type": "VariableResult", "key": body["key"], "value": self.variables[body["key"]]}

    def _on_GetConnection(self, body: Body) -> Body:  # noqa: N802
        if body["conn_id"] not in self.connections:
            return {"type": "ErrorResponse", "error": "CONNECTION_NOT_FOUND", "detail": {"conn_id": body["conn_id"]}}
        return {"type": "ConnectionResult", "conn_id": body["conn_id"], **self.connections[body["conn_id"]]}

    def _on_SetXCom(self, body: Body) -> None:  # noqa: N802
        self.xcoms[body["task_id"], body["key"]] = body["value"]

    def _on_GetXCom(self, body: Body) -> Body:  # noqa: N802
        value = self.xcoms.get((body["task_id"], body["key"]))
        return {"type": "XComResult", "key": body["key"], "value": value}

    def _on_GetXComSequenceSlice(self, body: Body) -> Body:  # noqa: N802
        key = (body["task_id"], body["key"])
        return {"type": "XComSequenceSliceResult", "root": [self.xcoms[key]] if key in self.xcoms else []}

    def _on_MaskSecret(self, body: Body) -> None:  # noqa: N802
        return None

    def _on_ResendLoggingFD(self, body: Body) -> Body:  # noqa: N802
        return {"type": "ErrorResponse", "error": "GENERIC_ERROR", "detail": {"message": "no descriptor to give"}}

    def _on_TriggerDagRun(self, body: Body) -> Body:  # noqa: N802
        return {"type": "OKResponse", "ok": True}

    def _on_ValidateInletsAndOutlets(self, body: Body) -> Body:  # noqa: N802
        return {"type": "InactiveAssetsResult", "inactive_assets": []}


class Outcome(msgspec.Struct, frozen=True):
    """How a try went: what it said, its log, and its exit status (None while its process lives on)."""

    messages: list[Body]
    log: str
    status: int | None = None

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.messages]

    def message(self, kind: str) -> Body:
        found = [message for message in self.messages if message["type"] == kind]
        assert found, f"no {kind} among {self.types}\n{self.log}"
        return found[0]

    @property
    def lines(self) -> list[Body]:
        """The log's structured lines."""
        return [msgspec.json.decode(line) for line in self.log.splitlines() if line.startswith('{"timestamp"')]

    def events(self, logger: str) -> list[str]:
        return [line["event"] for line in self.lines if line.get("logger") == logger]


class FileConnection:
    """A DAG-file process, and the children it forks."""

    def __init__(self, engine: FakeEngine, connection: Connection, key: str) -> None:
        self.engine = engine
        self.connection = connection
        self.key = key
        self.world = engine.worlds[key]

    def parsed(self, timeout: float = LIMIT) -> Body:
        return self.connection.expect("Parsed", timeout)

    def spec(self) -> DagSpec:
        """The only DAG of the file."""
        body = self.parsed()
        assert body["error"] is None, body["error"]
        (only,) = body["dags"]
        return decode_spec(only)

    def child(self) -> Connection:
        self.connection.send(protocol.Warm(spares=1))
        return self.engine.accept("try", self.key)

    def gone(self, pid: int) -> int:
        """Wait until the child is reaped; its status."""
        while True:
            body = self.connection.expect("ChildGone")
            if body["pid"] == pid:
                return int(body["status"])

    def run(self, dag_id: str, task_id: str, child: Connection | None = None, **options: Any) -> Outcome:
        """Run one try to its end."""
        child = child or self.child()
        start = self.start_try(dag_id, task_id, **options)
        child.send(start)
        messages: list[Body] = []
        while (body := child.next()) is not None and body["type"] != "Idle":
            messages.append(body)
        status = self.gone(child.pid) if body is None else None
        return Outcome(messages, read_log(start.log_path), status)

    def start_try(
        self, dag_id: str, task_id: str, *, env: dict[str, str] | None = None, reuse: bool = False,
        callback: str | None = None, reason: str = "", **details: Any,
    ) -> protocol.StartTry:  # fmt: skip
        log = self.engine.folder / f"try-{fresh_uuid()}.log"
        return protocol.StartTry(
            startup=startup_details(dag_id, task_id, **details),
            log_path=str(log), env=env or {}, reuse=reuse, callback=callback, reason=reason,
        )  # fmt: skip


def read_log(path: str) -> str:
    return Path(path).read_text(errors="replace") if Path(path).exists() else ""


def decode_spec(body: Body) -> DagSpec:
    """As the engine decodes it: strictly, from MessagePack."""
    return msgspec.convert(body, DagSpec, strict=True)


def startup_details(dag_id: str, task_id: str, **details: Any) -> Body:
    when = details.pop("logical_date", "2026-01-02T03:04:05+00:00")
    return {
        "ti": {
            "id": str(fresh_uuid()), "task_id": task_id, "dag_id": dag_id, "run_id": "manual__1",
            "try_number": details.pop("try_number", 1), "dag_version_id": str(fresh_uuid()), "map_index": -1,
        },
        "dag_rel_path": "file.py", "bundle_info": {"name": "dags-folder"}, "start_date": "2026-01-02T03:04:06+00:00",
        "ti_context": {
            "dag_run": {
                "dag_id": dag_id, "run_id": "manual__1", "logical_date": when, "data_interval_start": when,
                "data_interval_end": when, "run_after": when, "start_date": when, "end_date": None,
                "run_type": "manual", "state": "running", "conf": details.pop("conf", {}),
                "consumed_asset_events": [], "partition_key": None,
            },
            "max_tries": 1, "should_retry": False, **details,
        },
        "sentry_integration": "",
    }  # fmt: skip


class FakeEngine:
    """Listens, starts the nursery, and hands out connections by role."""

    def __init__(self, folder: Path, python: str = DAG_PYTHON) -> None:
        self.folder = folder
        self.dags = folder / "dags"
        self.dags.mkdir(exist_ok=True)
        self.lock_path = folder / "tree.lock"
        self.output = folder / "nursery.log"
        self.token = secrets.token_hex(8)
        self.worlds: dict[str, World] = {}
        self.silent: set[str] = set()
        self.python = python
        self._arrived: queue.Queue[Connection] = queue.Queue()
        self._waiting: list[Connection] = []
        self._all: list[Connection] = []
        # Unix socket paths are short; a test's folder need not be.
        self._socket_folder = tempfile.TemporaryDirectory(prefix="airgate-test-")
        self.path = str(Path(self._socket_folder.name) / "engine.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(64)
        threading.Thread(target=self._accept_all, daemon=True).start()
        self.nursery: Connection
        self._process: subprocess.Popen[bytes]

    def start(self, **env: str) -> None:
        lock = os.open(self.lock_path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = {
            **os.environ,
            "AIRGATE_ENGINE_SOCKET": self.path,
            "AIRGATE_ENGINE_TOKEN": self.token,
            "AIRGATE_TREE_LOCK_FD": str(lock),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            **env,
        }
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [self.python, str(BOOT)], env=environment, pass_fds=[lock], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        os.close(lock)
        self.nursery = self.accept("nursery")

    @property
    def nursery_pid(self) -> int:
        return self._process.pid

    def wait_for_nursery(self) -> int:
        return self._process.wait(LIMIT)

    def accept(self, role: str, key: str = "") -> Connection:
        """Wait for a process of this role (and file) to connect."""
        while True:
            for connection in self._waiting:
                if connection.hello.role == role and (not key or connection.hello.file_key == key):
                    self._waiting.remove(connection)
                    return connection
            self._waiting.append(self._arrived.get(timeout=LIMIT))

    def fork_file(
        self, text: str | Path, root: Path | None = None, *, silent: bool = False, **variables: str
    ) -> FileConnection:
        """Have a DAG file imported, given by its text or its path, in a world with these variables.

        Silent: what the file asks at import is left for the test to answer.
        """
        key = secrets.token_hex(8)
        self.worlds[key] = World(variables)
        path = text if isinstance(text, Path) else self.dags / f"file_{key}.py"
        if not isinstance(text, Path):
            path.write_text(text)
        if silent:
            self.silent.add(key)
        self.nursery.send(protocol.ForkFile(file_key=key, path=str(path), root=str(root or self.dags)))
        return FileConnection(self, self.accept("file", key), key)

    def tree_gone(self) -> None:
        """Block until no process of the tree is left."""
        with self.lock_path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def hang_up(self) -> None:
        """Be gone, for every process of the tree."""
        for connection in self._all:
            try:
                connection.hang_up()
            except OSError:
                continue

    def stop(self) -> None:
        self.hang_up()
        self._listener.close()
        try:
            self._process.wait(LIMIT)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._socket_folder.cleanup()

    def _accept_all(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            frame = read_frame(sock)
            if frame is None:
                continue
            hello = msgspec.convert(frame[1], protocol.Hello)
            assert hello.token == self.token
            connection = Connection(sock, hello)
            if hello.file_key not in self.silent:
                connection.answer = self.worlds.get(hello.file_key)
            self._all.append(connection)
            self._arrived.put(connection)
            threading.Thread(target=connection.read_all, daemon=True).start()


@contextmanager
def running_engine(folder: Path, **env: str) -> Iterator[FakeEngine]:
    engine = FakeEngine(folder)
    engine.start(**env)
    try:
        yield engine
    finally:
        engine.stop()
