"""A DAG-file process: imports one DAG file once, answers for its timetables, and forks the children that run tries."""

from __future__ import annotations

import atexit
import gc
import os
import time
import traceback
from typing import Any, NoReturn

import msgspec

from airgate.sdk import logs, protocol, timetables, tryrun, warmup
from airgate.sdk.airflow_setup import forbid_database, initialise_stats, share_type_adapters
from airgate.sdk.comms import FileComms, use_comms
from airgate.sdk.family import Parent, leave, name_process
from airgate.sdk.loading import load
from airgate.sdk.watchdog import while_engine_lives
from airgate.sdk.wire import Engine, Wire, hello


class _Prepared:
    """What the nursery sets up once for all processes of the tree."""

    streams: logs.Streams


def prepare() -> None:
    """In the nursery: everything a DAG-file process or a try would otherwise do for itself. Imports were the most."""
    _Prepared.streams = logs.Streams(logs.Sink())
    logs.configure(_Prepared.streams.sink)
    _Prepared.streams.capture("dag_processor")
    forbid_database()
    initialise_stats()
    share_type_adapters()
    warmup.make_ready(_Prepared.streams)


def main(engine: Engine, order: protocol.ForkFile) -> NoReturn:
    """Be the process of one DAG file, until the engine is gone or says so."""
    os.setsid()
    if hasattr(atexit, "_clear"):
        atexit._clear()  # noqa: SLF001 - what the nursery has registered is the nursery's
    name_process(f"dag file {order.path}")
    wire = Wire.connect(engine.path)
    hello(wire, engine, "file", file_key=order.file_key)
    DagFile(wire, engine, order).run()


class DagFile(Parent):
    """Serves `Warm`, `NextRun`, `ManualInterval` and `Shutdown` once its file was imported."""

    def __init__(self, wire: Wire, engine: Engine, order: protocol.ForkFile) -> None:
        super().__init__(wire)
        self._engine = engine
        self._order = order
        self._streams = _Prepared.streams
        self._dags: dict[str, Any] = {}
        self._bundle = tryrun.bundle_of(order.root)
        # Held open by this process alone: when it closes, idle children know that nobody forks for them any more.
        self._orphaned, self._alive = os.pipe()

    def run(self) -> NoReturn:
        """Import the file, report it, and serve."""
        comms = FileComms(self.wire.socket)
        use_comms(comms)
        started = time.monotonic()
        with while_engine_lives(self.wire.fileno()):
            loaded = load(self._order.path, self._order.root)
        self._dags = loaded.dags
        tryrun.prepare(loaded.dags.values())
        self._streams.settle()
        self.wire.send(
            protocol.Parsed(
                file_key=self._order.file_key,
                dags=loaded.specs,
                error=loaded.error,
                warnings=loaded.warnings,
                seconds=time.monotonic() - started,
            )
        )
        gc.collect()
        gc.freeze()
        for frame_id, message in comms.set_aside():
            self.handle(frame_id, message)
        self.serve()

    def handle(self, frame_id: int, message: msgspec.Struct) -> None:
        """See `Parent`."""
        if isinstance(message, protocol.Warm):
            for _ in range(message.spares):
                self.fork(self._child)
        elif isinstance(message, (protocol.NextRun, protocol.ManualInterval)):
            self.wire.send(self._answer(message), frame_id)
        elif isinstance(message, protocol.Shutdown):
            leave(0)

    def _answer(self, question: Any) -> msgspec.Struct:
        try:
            return timetables.answer(self._dags[question.dag_id].timetable, question)
        except KeyError:
            return protocol.Failed(message=f"DAG {question.dag_id} is not in this file.")
        except BaseException as error:
            text = "".join(traceback.format_exception_only(type(error), error)).strip()
            return protocol.Failed(message=f"The timetable of DAG {question.dag_id} failed: {text}")

    def _child(self) -> None:
        os.close(self._alive)
        child = tryrun.Child(
            engine=self._engine,
            file_key=self._order.file_key,
            dags=self._dags,
            bundle=self._bundle,
            streams=self._streams,
            orphaned=self._orphaned,
        )
        child.live()
