"""DAGs of one to three tasks. Each try adds one line to a file: that it ran, and which try it was."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from airflow.sdk import DAG, task

RETRY = {"retries": 2, "retry_delay": timedelta(seconds=0)}


def leave_line(ti, dag_run):
    """O_APPEND and one write keep lines of many processes whole."""
    descriptor = os.open(os.environ["CRASH_OUT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{ti.dag_id} {dag_run.run_id} {ti.task_id} {ti.try_number}\n".encode())
    finally:
        os.close(descriptor)


def witness(task_id, seconds, **arguments):
    """A task that leaves its line and takes a little time, so that it can be hit."""

    @task(task_id=task_id, **arguments)
    def leaves(ti=None, dag_run=None):
        leave_line(ti, dag_run)
        time.sleep(seconds)
        return ti.try_number

    return leaves()


LIMITS = {"schedule": None, "max_active_runs": 1000, "max_active_tasks": 1000}

with DAG("one_task", **LIMITS):
    witness("only", 0.05)

with DAG("two_tasks", **LIMITS):
    witness("first", 0.05, **RETRY) >> witness("second", 0.0, **RETRY)

with DAG("three_tasks", **LIMITS):
    witness("first", 0.0, **RETRY) >> [witness("left", 0.1, **RETRY), witness("right", 0.0)]
