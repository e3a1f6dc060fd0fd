"""Two ways to go: the conf says how large the job is, and only the matching branch runs."""

from __future__ import annotations

import pendulum

try:  # Airflow 3
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Param, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.models.param import Param
    from airflow.operators.empty import EmptyOperator

with DAG(
    dag_id="branching",
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    tags=["example"],
    params={"rows": Param(10, type="integer", minimum=0)},
):

    @task.branch
    def choose(params: dict | None = None) -> str:
        return "in_bulk" if params["rows"] > 1000 else "one_by_one"

    @task
    def in_bulk() -> str:
        return "copied all rows at once"

    @task
    def one_by_one() -> str:
        return "copied each row by itself"

    done = EmptyOperator(task_id="done", trigger_rule="none_failed_min_one_success")

    choose() >> [in_bulk(), one_by_one()] >> done
