"""How runs fail: fail_fast, timeouts of runs, failures that do and do not count."""

from __future__ import annotations

import time
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, dag, task
from airflow.sdk.exceptions import AirflowFailException


@dag(schedule=None, fail_fast=True)
def fail_fast():
    @task
    def breaks():
        time.sleep(1)
        raise RuntimeError

    @task
    def slow():
        time.sleep(90)

    broken = breaks()
    broken >> EmptyOperator(task_id="below")
    slow() >> EmptyOperator(task_id="below_slow")
    broken >> EmptyOperator(task_id="late") >> EmptyOperator(task_id="later")


@dag(schedule=None, fail_fast=True)
def fail_fast_with_teardown():
    @task
    def breaks():
        raise RuntimeError

    first = EmptyOperator(task_id="make").as_setup()
    broken = breaks()
    last = BashOperator(task_id="remove", bash_command="true").as_teardown(setups=first)
    first >> broken >> EmptyOperator(task_id="below") >> last


@dag(schedule=None, fail_fast=True)
def fail_fast_with_retries():
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def second_time(ti=None):
        if ti.try_number == 1:
            raise RuntimeError
        return "recovered"

    second_time() >> EmptyOperator(task_id="after")


with DAG("run_timeout", schedule=None, dagrun_timeout=timedelta(seconds=8)):
    quick = EmptyOperator(task_id="quick")
    quick >> BashOperator(task_id="slow", bash_command="sleep 90") >> EmptyOperator(task_id="after")

with DAG("failure_forgiven", schedule=None):
    # The run's end is decided by its leaves.
    BashOperator(task_id="breaks", bash_command="exit 1") >> EmptyOperator(task_id="leaf", trigger_rule="all_done")

with DAG("failure_at_a_leaf", schedule=None):
    BashOperator(task_id="breaks", bash_command="exit 1")
    EmptyOperator(task_id="good")

with DAG("failure_watched", schedule=None):
    breaks = BashOperator(task_id="breaks", bash_command="exit 1")
    cleanup = EmptyOperator(task_id="cleanup", trigger_rule="all_done")

    @task(trigger_rule="one_failed", retries=0)
    def watcher():
        raise AirflowFailException("something above has failed")

    breaks >> cleanup
    [breaks, cleanup] >> watcher()

with DAG("all_upstream_failed", schedule=None):
    chain = BashOperator(task_id="breaks", bash_command="exit 1")
    for number in range(3):
        chain = chain >> EmptyOperator(task_id=f"below_{number}")

fail_fast()
fail_fast_with_teardown()
fail_fast_with_retries()
