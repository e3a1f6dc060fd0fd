"""A scheduled DAG. It starts with the present: intervals that are past are not made up for (`catchup=False`)."""

from __future__ import annotations

import pendulum

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id="every_five_minutes",
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["example"],
):
    report = BashOperator(task_id="report", bash_command="echo 'run {{ run_id }} on' $(uname -s)")
    more = BashOperator(task_id="more", bash_command="date -u")

    report >> more
