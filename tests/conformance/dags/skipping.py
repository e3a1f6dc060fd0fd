"""Tasks that skip themselves, and what that does below them; LatestOnly."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG, dag, task
from airflow.sdk.exceptions import AirflowSkipException


@dag(schedule=None)
def skip_chain():
    @task
    def skips():
        raise AirflowSkipException("nothing to do")

    start = skips()
    middle, end = EmptyOperator(task_id="middle"), EmptyOperator(task_id="end")
    start >> middle >> end >> EmptyOperator(task_id="after_all", trigger_rule="all_done")


@dag(schedule=None)
def skip_everything():
    @task
    def skips():
        raise AirflowSkipException

    skips() >> EmptyOperator(task_id="below")


@dag(schedule=None)
def skip_with_retries():
    @task(retries=3)
    def skips():
        raise AirflowSkipException

    skips()


@dag(schedule=None)
def skip_after_xcom():
    @task
    def skips(ti=None):
        ti.xcom_push(key="before", value="kept")
        raise AirflowSkipException

    @task(trigger_rule="none_failed")
    def reads(ti=None):
        return ti.xcom_pull(task_ids="skips", key="before")

    skips() >> reads()


with DAG("latest_only_by_hand", schedule=None):
    latest = LatestOnlyOperator(task_id="latest")
    below = EmptyOperator(task_id="below")
    latest >> below >> EmptyOperator(task_id="below_too")
    below >> EmptyOperator(task_id="all_done_below", trigger_rule="all_done")

skip_chain()
skip_everything()
skip_with_retries()
skip_after_xcom()
