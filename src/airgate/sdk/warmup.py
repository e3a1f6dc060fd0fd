"""An empty task, run ahead of need, so that a waiting try meets neither late imports nor cold caches nor page faults.

It runs several times in the nursery, before anything is forked, so that every process inherits what it left in memory,
and once in every child, whose first writes to inherited pages cost more than the task itself. It takes the way real
tries take, from the bytes of `StartTry` on.

Nothing of it leaves the process or stays in it: its log goes nowhere, its messages are answered here, listeners and
metrics do not hear of it, and environment, signal handlers and logging context are put back.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any

import structlog
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import StartupDetails, _ResponseFrame

from airgate.sdk import logs, protocol
from airgate.sdk.comms import TryComms, use_comms
from airgate.sdk.wire import Wire

_ID = "airgate_warm_up"
_WHEN = datetime(2000, 1, 1, tzinfo=timezone.utc)
_ROUNDS = 12
"""Runs in the nursery: as often as Python's interpreter wants to see code before it has adapted to it."""


class _Nothing(BaseOperator):
    """Renders a template, prints and logs a line, returns something."""

    template_fields = ("text",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = "{{ run_id }}"

    def execute(self, context: Any) -> str:
        return _do(context["ts"], self.text)


def _do(ts: str, text: str = _ID, **_context: Any) -> str:
    print(ts)  # noqa: T201 - printing is what is warmed
    logging.getLogger(__name__).info("%s", text)
    return text


class _Deaf:
    """Stands for Airflow's listeners and metrics: takes every call and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class _SelfAnswering(TryComms):
    """Sends and receives over a socket pair, and plays the engine's part by itself."""

    def __init__(self, mine: Wire, theirs: Wire) -> None:
        super().__init__(mine.socket)
        self._theirs = theirs

    def _get_response(self) -> Any:
        frame_id, _, _ = self._theirs.receive()
        self._theirs.socket.sendall(_ResponseFrame(id=frame_id).as_bytes())
        return super()._get_response()


class _Prepared:
    task: Any = None
    start: Any = None


def make_ready(streams: logs.Streams) -> None:
    """In the nursery: make the empty task, and run it until the code on its way is warm."""
    task_runner.get_listener_manager()  # loads plugins, which a task process would do for each try
    with DAG(_ID, schedule=None, auto_register=False) as dag:
        _Prepared.task = _make_task(dag)
    dag.fileloc = os.devnull
    _Prepared.start = protocol.StartTry(startup=_startup(), log_path=os.devnull)
    for _ in range(_ROUNDS):
        run(streams, None)


def run(streams: logs.Streams, bundle: Any) -> None:
    """Run the empty task in this process, through the code that real ones take."""
    environment = dict(os.environ)
    ours, theirs = (Wire(sock) for sock in socket.socketpair())
    try:
        with _unheard(streams):
            theirs.send(_Prepared.start)
            _, body, _ = ours.receive()
            assert body is not None
            use_comms(_SelfAnswering(ours, theirs))
            _run(StartupDetails.model_validate(body["startup"]), bundle)
    finally:
        ours.close()
        theirs.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        structlog.contextvars.clear_contextvars()
        restore_environment(environment)


def restore_environment(environment: dict[str, str]) -> None:
    """Make the environment what it was, touching only what differs."""
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _run(details: Any, bundle: Any) -> None:
    log = structlog.get_logger(logger_name="task")
    structlog.contextvars.bind_contextvars(ti_id=str(details.ti.id), dag_id=_ID)
    log.info("::group::Pre Execute")
    instance = task_runner.RuntimeTaskInstance.model_construct(
        **details.ti.model_dump(exclude_unset=True),
        task=_Prepared.task,
        bundle_instance=bundle,
        _ti_context_from_server=details.ti_context,
        max_tries=0,
        start_date=_WHEN,
        state=None,
        sentry_integration="",
    )
    context = instance.get_template_context()
    state, _, error = task_runner.run(instance, context, log)
    if error is not None:
        raise error
    task_runner.finalize(instance, state, context, log, error)


@contextmanager
def _unheard(streams: logs.Streams) -> Iterator[None]:
    listeners, metrics = task_runner.get_listener_manager, task_runner.stats
    task_runner.get_listener_manager = task_runner.stats = _Deaf()
    streams.sink.silence()
    try:
        yield
    finally:
        streams.settle()
        streams.sink.point_at(2)
        task_runner.get_listener_manager, task_runner.stats = listeners, metrics


def _make_task(dag: Any) -> Any:
    with suppress(ImportError):
        from airflow.providers.standard.operators.python import PythonOperator  # noqa: PLC0415 - may not be there

        return PythonOperator(task_id=_ID, dag=dag, python_callable=_do)
    return _Nothing(task_id=_ID, dag=dag)


def _startup() -> dict[str, Any]:
    when = _WHEN.isoformat()
    return {
        "ti": {
            "id": str(uuid.UUID(int=0)),
            "task_id": _ID,
            "dag_id": _ID,
            "run_id": _ID,
            "try_number": 1,
            "dag_version_id": str(uuid.UUID(int=0)),
            "map_index": -1,
        },
        "dag_rel_path": "",
        "bundle_info": {"name": "dags-folder"},
        "start_date": when,
        "ti_context": {
            "dag_run": {
                "dag_id": _ID,
                "run_id": _ID,
                "logical_date": when,
                "data_interval_start": when,
                "data_interval_end": when,
                "run_after": when,
                "start_date": when,
                "end_date": None,
                "run_type": "manual",
                "state": "running",
                "conf": {},
                "consumed_asset_events": [],
                "partition_key": None,
            },
            "max_tries": 0,
        },
        "sentry_integration": "",
    }
