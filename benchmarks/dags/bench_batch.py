"""A DAG that batches of runs are made of, and that never runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task

with DAG(
    "bench_batch",
    schedule=timedelta(hours=1),
    start_date=datetime(2000, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
):

    @task
    def nothing() -> None:
        """Do nothing."""

    nothing()
