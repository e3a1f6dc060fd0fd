"""One task that does nothing but prove that it ran. Several DAGs, so that scenarios do not see each other's runs."""

from __future__ import annotations

from airflow.sdk import DAG, task


def one(dag_id: str) -> DAG:
    """A DAG of one task, without limits of its own."""
    with DAG(dag_id, schedule=None, catchup=False, max_active_runs=1000, max_active_tasks=1000) as dag:

        @task
        def only() -> int:
            return 1

        only()
    return dag


single, burst, paused, busy = one("bench_one"), one("bench_burst"), one("bench_paused"), one("bench_busy")
