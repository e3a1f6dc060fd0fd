"""Runs that look at the run before them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, dag, task

START = datetime(2024, 1, 1, tzinfo=UTC)


def by_conf(task_id, **arguments):
    return BashOperator(task_id=task_id, bash_command="exit {{ dag_run.conf.get('code', 0) }}", **arguments)


with DAG("past_good", schedule=None, start_date=START):
    by_conf("work", depends_on_past=True) >> EmptyOperator(task_id="after")

with DAG("past_failed", schedule=None, start_date=START, dagrun_timeout=timedelta(seconds=15)):
    by_conf("work", depends_on_past=True) >> EmptyOperator(task_id="after")
    EmptyOperator(task_id="independent")

with DAG("past_skipped", schedule=None, start_date=START):
    # A skipped task counts as done for the next run.
    by_conf("work", depends_on_past=True, skip_on_exit_code=5)

with DAG("past_wait_for_downstream", schedule=None, start_date=START):
    by_conf("work", wait_for_downstream=True) >> EmptyOperator(task_id="after")


@dag(schedule=None, start_date=START)
def past_xcoms():
    @task
    def give(dag_run=None):
        return dag_run.conf.get("value")

    @task
    def seen(ti=None):
        return {
            "own_run": ti.xcom_pull(task_ids="give"),
            "earlier_too": ti.xcom_pull(task_ids="maybe", include_prior_dates=True),
        }

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def gate(dag_run=None):
        return bool(dag_run.conf.get("maybe"))

    @task
    def maybe(dag_run=None):
        return dag_run.conf["maybe"]

    @task(trigger_rule="none_failed")
    def collected(value):
        return value

    held = maybe()
    gate() >> held
    give() >> collected.override(task_id="given")("constant")
    [held, give.override(task_id="other")()] >> seen.override(trigger_rule="all_done")()


past_xcoms()
