"""Callbacks that no try can call: a DAG run's, and those of a try that died. As Airflow's DAG processor calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk.api.datamodels._generated import DagRun, TaskInstance, TIRunContext
from airflow.sdk.execution_time import task_runner
from structlog.contextvars import bind_contextvars

_DAG = {"dag_success": "on_success_callback", "dag_failure": "on_failure_callback"}
_TASK = {"task_failure": "on_failure_callback", "task_retry": "on_retry_callback"}
_MAIL = {"task_failure": "email_on_failure", "task_retry": "email_on_retry"}


def run(kind: str, startup: dict[str, Any], reason: str, dags: dict[str, Any], log: Any) -> None:
    """Call the callbacks of this kind. What they raise is logged, and the next one is called.

    Args:
        kind: see `airgate.sdk.protocol.StartTry.callback`.
        startup: see `airgate.sdk.protocol.StartTry.startup`.
        reason: the context's ``reason``, and the error an e-mail tells of.
        dags: the DAGs of this file, by id.
        log: where it is told.

    Raises:
        ValueError: the file has no such DAG or task, or there is no such kind.
    """
    ti_context = startup["ti_context"]
    dag_run = DagRun.model_validate(ti_context["dag_run"])
    ti = TaskInstance.model_validate(startup["ti"]) if startup.get("ti") else None
    dag = dags.get(dag_run.dag_id)
    if dag is None:
        raise ValueError(f"DAG '{dag_run.dag_id}' is not in this file")
    bind_contextvars(dag_id=dag_run.dag_id, run_id=dag_run.run_id)
    if kind in _DAG:
        _of_dag(kind, dag, dag_run, ti, reason, log)
    elif kind in _TASK and ti is not None:
        _of_task(kind, dag, ti, TIRunContext.model_validate(ti_context), reason, log)
    else:
        raise ValueError(f"there is no callback of the kind {kind!r}")


def _of_dag(kind: str, dag: Any, dag_run: Any, ti: Any | None, reason: str, log: Any) -> None:
    callbacks = _listed(getattr(dag, _DAG[kind]))
    if not callbacks:
        log.warning("Callback requested, but dag didn't have any", dag_id=dag.dag_id)
        return
    context: dict[str, Any] = {"dag": dag, "run_id": dag_run.run_id}
    task = None if ti is None else dag.task_dict.get(ti.task_id)
    if task is not None and ti is not None:
        server = TIRunContext.model_construct(dag_run=dag_run, max_tries=task.retries)
        context = _instance(ti, task, server, task.retries).get_template_context()
    context["reason"] = reason
    for callback in callbacks:
        log.info("Executing dag callback", kind=_DAG[kind], dag_id=dag.dag_id)
        _call(callback, context, log)


def _of_task(kind: str, dag: Any, ti: Any, server: Any, reason: str, log: Any) -> None:
    task = dag.task_dict.get(ti.task_id)
    if task is None:
        raise ValueError(f"DAG '{dag.dag_id}' has no task '{ti.task_id}'")
    bind_contextvars(task_id=ti.task_id, ti_id=str(ti.id), try_number=ti.try_number, map_index=ti.map_index)
    instance = _instance(ti, task, server, server.max_tries)
    context = instance.get_template_context()
    for index, callback in enumerate(_listed(getattr(task, _TASK[kind]))):
        log.info("Executing Task callback", index=index, callback=getattr(callback, "__name__", str(callback)))
        _call(callback, context, log)
    if task.email and getattr(task, _MAIL[kind]):
        error = Exception(reason) if reason else None
        task_runner._send_error_email_notification(  # noqa: SLF001 - as Airflow's DAG processor does
            task, instance, context, error, log
        )


def _instance(ti: Any, task: Any, server: Any, max_tries: int) -> Any:
    return task_runner.RuntimeTaskInstance.model_construct(
        **ti.model_dump(exclude_unset=True), task=task, _ti_context_from_server=server, max_tries=max_tries
    )


def _call(callback: Any, context: Any, log: Any) -> None:
    try:
        callback(context)
    except Exception:
        log.exception("Callback failed", callback=getattr(callback, "__name__", str(callback)))


def _listed(callbacks: Any) -> list[Any]:
    if not callbacks:
        return []
    return list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
