"""An empty task, run once ahead of need, so that a waiting try meets neither page faults nor late imports.

Nothing of it leaves the process or stays in it: its log goes nowhere, its messages are answered here, listeners and
metrics do not hear of it, and environment, signal handlers and logging context are put back.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import msgspec
import structlog
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import StartupDetails
from setproctitle import setproctitle

from airgate.sdk import logs
from airgate.sdk.comms import SilentComms, use_comms

_ID = "airgate_warm_up"
_WHEN = datetime(2000, 1, 1, tzinfo=timezone.utc)


class _Nothing(BaseOperator):
    """Renders a template, prints nothing, returns something."""

    template_fields = ("text",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = "{{ run_id }}"

    def execute(self, context: Any) -> str:  # noqa: ARG002
        return self.text


class _Deaf:
    """Stands for Airflow's listeners and metrics: takes every call and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return self


class _Prepared:
    task: Any = None
    details: Any = None


def make_ready() -> None:
    """In the DAG-file process: make the empty task, which takes longer than running it."""
    with DAG(_ID, schedule=None, auto_register=False) as dag:
        _Prepared.task = _Nothing(task_id=_ID, dag=dag)
    dag.fileloc = os.devnull
    _Prepared.details = _startup()


def run(streams: logs.Streams, bundle: Any) -> None:
    """Run the empty task in this process, through the code that real ones take."""
    environment = dict(os.environ)
    log = structlog.get_logger(logger_name="task")
    with _unheard(streams):
        details = StartupDetails.model_validate(msgspec.msgpack.decode(msgspec.msgpack.encode(_Prepared.details)))
        setproctitle("airgate: warming up")
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
        task_runner.finalize(instance, state, context, log, error)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    structlog.contextvars.clear_contextvars()
    os.environ.clear()
    os.environ.update(environment)
    setproctitle("airgate: idle")


@contextmanager
def _unheard(streams: logs.Streams) -> Iterator[None]:
    listeners, metrics = task_runner.get_listener_manager, task_runner.stats
    task_runner.get_listener_manager = task_runner.stats = _Deaf()
    use_comms(SilentComms())
    streams.point_at(os.devnull)
    try:
        yield
    finally:
        task_runner.get_listener_manager, task_runner.stats = listeners, metrics


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
