"""The nursery: imports Airflow once, then forks one DAG-file process per file version the engine asks for."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import os
import signal
import sys
from importlib.metadata import version
from typing import NoReturn

import msgspec

from airgate.sdk import protocol
from airgate.sdk.family import Parent, leave
from airgate.sdk.wire import Engine, Wire, hello

_PR_SET_CHILD_SUBREAPER = 36

_IMPORT_ONLY = {"_AIRFLOW__REEXECUTED_PROCESS": "1"}
"""Set while Airflow is imported: a worker's own process does not open the metadata database, and neither do we."""


class Nursery(Parent):
    """Serves `ForkFile` and `Shutdown`."""

    def __init__(self, wire: Wire, engine: Engine) -> None:
        super().__init__(wire)
        self._engine = engine

    def handle(self, frame_id: int, message: msgspec.Struct) -> None:
        """See `Parent`."""
        if isinstance(message, protocol.ForkFile):
            order = message
            self.fork(lambda: self._dagfile(order))
        elif isinstance(message, protocol.Shutdown):
            leave(0)

    def reap(self) -> None:
        """Collect every child, adopted ones too: tries whose DAG-file process died before them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self.children.discard(pid)
            self.reaped(pid, os.waitstatus_to_exitcode(status))

    def _dagfile(self, order: protocol.ForkFile) -> NoReturn:
        # Imported by `_import_airflow`, never before it: this module itself must load without Airflow.
        sys.modules["airgate.sdk.dagfile"].main(self._engine, order)
        raise AssertionError("a DAG-file process does not return")


def main(socket_path: str, token: str) -> NoReturn:
    """Import Airflow, connect, say `Hello`, and serve until the engine is gone.

    Exits with 1, and the reason on stderr, when Airflow cannot be imported or nobody listens.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the engine's to handle
    faulthandler.enable(file=2)
    _import_airflow()
    _adopt_orphans()
    engine = Engine(socket_path, token)
    try:
        wire = Wire.connect(engine.path)
        hello(
            wire,
            engine,
            "nursery",
            python=sys.version.split()[0],
            sdk_version=version("apache-airflow-task-sdk"),
        )
    except OSError as error:
        sys.exit(f"the engine does not listen at {socket_path}: {error}")
    gc.collect()
    gc.freeze()
    Nursery(wire, engine).serve()


def _import_airflow() -> None:
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")  # they bring plugins with them
    os.environ.update(_IMPORT_ONLY)
    try:
        importlib.import_module("airgate.sdk.dagfile").prepare()
    finally:
        for name in _IMPORT_ONLY:
            os.environ.pop(name, None)


def _adopt_orphans() -> None:
    """Where the system can (Linux), become the parent of tries whose DAG-file process dies, to tell how they end."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
