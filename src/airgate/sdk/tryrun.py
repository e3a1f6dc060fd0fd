"""A child of a DAG-file process: warms up, waits for work, and runs it as Airflow's task runner does."""

from __future__ import annotations

import atexit
import copy
import os
import select
import signal
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NoReturn

import msgspec
import structlog
from airflow.dag_processing.bundles.local import LocalDagBundle
from airflow.sdk.api.client import getuser
from airflow.sdk.api.datamodels._generated import TaskInstanceState
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import RescheduleTask, StartupDetails, TaskState
from structlog.contextvars import bind_contextvars

from airgate.sdk import callbacks, logs, protocol, relay, warmup
from airgate.sdk.comms import TryComms, use_comms
from airgate.sdk.family import leave, name_process
from airgate.sdk.watchdog import Watchdog
from airgate.sdk.wire import Engine, Wire, hello

_ORPHANED = 75
"""Exit code of a child that nobody needs any more. Work may be on its way to it, so it must not look like success."""
_WAIT_BEFORE_WARMING = 2
"""Milliseconds a new child waits for work before it warms up: who is needed at once should not warm up first."""


def bundle_of(root: str) -> Any:
    """What Airflow calls the bundle that the DAG files of this folder come from."""
    return LocalDagBundle(name="dags-folder", path=root)


def prepare(dags: Iterable[Any]) -> None:
    """In the DAG-file process, after the import: what every try of these DAGs would otherwise do for itself."""
    log = structlog.get_logger(logger_name="task")
    for dag in dags:
        task_runner._register_deserialization_allowed_classes(dag, log)  # noqa: SLF001 - no public name


class Child:
    """Runs one try, or with ``reuse`` one after another.

    Args:
        engine: whom to say `Hello` to.
        file_key: which file the child can run tries of.
        dags: its DAGs, by id.
        bundle: see `bundle_of`.
        streams: standard streams and log sink, captured already.
        orphaned: reading end of a pipe that the parent holds open as long as it lives.
    """

    def __init__(
        self, *, engine: Engine, file_key: str, dags: dict[str, Any], bundle: Any, streams: logs.Streams, orphaned: int
    ) -> None:
        self._dags = dags
        self._bundle = bundle
        self._streams = streams
        self._orphaned = orphaned
        os.setsid()
        streams.capture()
        _forget_stdin()
        _reseed()
        self._wire = Wire.connect(engine.path)
        hello(self._wire, engine, "try", file_key=file_key)
        self._watchdog = Watchdog(self._wire.fileno())

    def live(self) -> NoReturn:
        """Warm up, wait for work, run it, exit; or wait again, where the engine wants the child back."""
        if not self._ready(_WAIT_BEFORE_WARMING):
            warmup.run(self._streams, self._bundle)
        while True:
            self._ready(None)
            start = self._receive()
            environment = dict(os.environ)
            self._run(start)
            if not start.reuse:
                self._end(0)
            self._forget(environment)
            self._wire.send(protocol.Idle())

    def _ready(self, timeout: int | None) -> bool:
        """Wait for a message, at most `timeout` milliseconds. An orphan that waits exits."""
        poll = select.poll()
        poll.register(self._wire.fileno(), select.POLLIN)
        poll.register(self._orphaned, 0)  # its end, a POLLHUP, is reported anyway
        events = dict(poll.poll(timeout))
        if self._wire.fileno() in events:
            return True
        if self._orphaned in events:
            os._exit(_ORPHANED)
        return False

    def _receive(self) -> protocol.StartTry:
        try:
            _, body, _ = self._wire.receive()
        except EOFError:
            os._exit(0)
        message = msgspec.convert(body, protocol.ToProcess)
        if not isinstance(message, protocol.StartTry):
            os._exit(0)
        return message

    def _run(self, start: protocol.StartTry) -> None:
        os.environ.update(start.env)
        try:
            self._streams.point_at(start.log_path)
        except OSError as error:
            # Without its log the try is not run: nobody could tell what it did.
            os.write(2, f"cannot open {start.log_path}: {error}\n".encode())
            leave(1)
        use_comms(TryComms(self._wire.socket))
        self._watchdog.busy = True
        log = structlog.get_logger(logger_name="task")
        code = 0
        params = self._params(start) if start.reuse else []
        try:
            if start.callback is None:
                code = run_task(start.startup, self._dags, self._bundle, log, self._streams.sink)
            else:
                callbacks.run(start.callback, start.startup, start.reason, self._dags, log)
        except SystemExit as stop:
            code = _exit_code(stop)
        except KeyboardInterrupt:
            log.exception("Ctrl-c hit")
            code = 2
        except Exception:
            log.exception("Top level error")
            code = 1
        self._streams.settle()
        if code:
            self._end(code)
        for param, value in params:
            param.value = value
        self._watchdog.busy = False

    def _params(self, start: protocol.StartTry) -> list[tuple[Any, Any]]:
        """Values of the params this try may change: Airflow writes a run's conf into the DAG's own params."""
        run = start.startup["ti_context"]["dag_run"]
        dag = self._dags.get(run["dag_id"])
        if dag is None:
            return []
        task = dag.task_dict.get((start.startup.get("ti") or {}).get("task_id"))
        owners = [dag] if task is None else [dag, task]
        found = (owner.params.get_param(name) for owner in owners for name in owner.params)
        return [(param, copy.deepcopy(param.value)) for param in found]

    def _end(self, code: int) -> NoReturn:
        """Run what DAG code registered for the end of its process, and exit."""
        if hasattr(atexit, "_run_exitfuncs"):
            atexit._run_exitfuncs()  # noqa: SLF001 - as Airflow ends a forked process
        self._streams.settle()
        leave(code)

    def _forget(self, environment: dict[str, str]) -> None:
        """Undo what a try leaves behind in the process, as far as it is ours and Airflow's."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        warmup.restore_environment(environment)
        structlog.contextvars.clear_contextvars()
        self._streams.capture()
        name_process("idle")


def run_task(startup: dict[str, Any], dags: dict[str, Any], bundle: Any, log: Any, sink: logs.Sink) -> int:
    """Run a try from start to end, callbacks included; gives the exit code Airflow's task process would have."""
    log.info("::group::Pre Execute")
    details = StartupDetails.model_validate(startup)
    with task_runner._make_task_span(msg=details):  # noqa: SLF001 - no public name
        try:
            instance = _begin(details, dags, bundle, log)
        except AirflowRescheduleException as reschedule:
            log.warning("Rescheduling task during startup, marking task as UP_FOR_RESCHEDULE")
            task_runner.SUPERVISOR_COMMS.send(
                msg=RescheduleTask(reschedule_date=reschedule.reschedule_date, end_date=_now())
            )
            return 0
        if instance is None:
            return 0
        with relay.offered(instance.task, task_runner.SUPERVISOR_COMMS, sink):
            return execute(instance, log)


def execute(instance: Any, log: Any) -> int:
    """Run the task of this instance and finalise it. Gives 1 when its end could not be reported."""
    context = instance.get_template_context()
    state, _, error = task_runner.run(instance, context, log)
    context["exception"] = error
    task_runner.finalize(instance, state, context, log, error)
    return 1 if instance._terminal_state_send_failed else 0  # noqa: SLF001 - meant for the main program


def _begin(details: Any, dags: dict[str, Any], bundle: Any, log: Any) -> Any:
    """Airflow's start of a task process, with the DAG that is in memory already. None: it may not run."""
    ti = details.ti
    name_process(f"task {ti.dag_id}.{ti.task_id} {ti.run_id} try {ti.try_number}")
    bind_contextvars(
        ti_id=str(ti.id),
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        try_number=ti.try_number,
        map_index=ti.map_index,
    )
    try:
        task_runner.get_listener_manager().hook.on_starting(component=task_runner.TaskRunnerMarker())
    except Exception:
        log.exception("error calling listener")
    task = _task_of(details, dags, log)
    user = getattr(task, "run_as_user", None) or conf.get("core", "default_impersonation", fallback=None)
    if user and user != getuser():
        log.error("run_as_user is not supported by Airgate: it cannot run a task as another user", run_as_user=user)
        task_runner.SUPERVISOR_COMMS.send(msg=TaskState(state=TaskInstanceState.FAILED, end_date=_now()))
        return None
    return instance_of(details, task, bundle)


def _task_of(details: Any, dags: dict[str, Any], log: Any) -> Any:
    """The try's own copy of its task. Exits with 1 when the file has no such task."""
    dag = dags.get(details.ti.dag_id)
    task = None if dag is None else dag.task_dict.get(details.ti.task_id)
    if task is None:
        text = "Dag not found during start up" if dag is None else "Task not found in Dag during start up"
        log.error(text, dag_id=details.ti.dag_id, task_id=details.ti.task_id, path=details.dag_rel_path)
        task_runner._maybe_reschedule_startup_failure(  # noqa: SLF001 - no public name
            ti_context=details.ti_context, log=log
        )
        sys.exit(1)
    if isinstance(task, MappedOperator) or not task.template_ext:
        return task
    # Airflow reads template files anew for every try; on a copy, because the DAG outlives this one.
    task = copy.copy(task)
    for name in task.template_fields:
        value = getattr(task, name, None)
        if type(value) is list:
            setattr(task, name, list(value))
    task.resolve_template_files()
    return task


def instance_of(details: Any, task: Any, bundle: Any) -> Any:
    """The task instance that Airflow's task runner works on."""
    return task_runner.RuntimeTaskInstance.model_construct(
        **details.ti.model_dump(exclude_unset=True),
        task=task,
        bundle_instance=bundle,
        _ti_context_from_server=details.ti_context,
        max_tries=details.ti_context.max_tries,
        start_date=details.start_date,
        state=TaskInstanceState.RUNNING,
        sentry_integration=details.sentry_integration,
    )


def _exit_code(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code
    print(stop.code, file=sys.stderr)  # noqa: T201 - what Python itself does at its end
    return 1


def _forget_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _reseed() -> None:
    """Give every child its own random numbers. Python sees to its own; NumPy's would be the same in all of them."""
    numpy: list[Any] = [module for name, module in sys.modules.items() if name == "numpy.random"]
    for module in numpy:
        module.seed()


def _now() -> datetime:
    return datetime.now(timezone.utc)
