"""One task that does nothing but prove that it ran."""

from __future__ import annotations

from airflow.sdk import DAG, task

with DAG("bench_one", schedule=None, catchup=False, max_active_runs=1000, max_active_tasks=1000):

    @task
    def only() -> int:
        return 1

    only()
