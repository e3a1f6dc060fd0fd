"""Retries, timeouts of tries, and errors that forbid another try."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, AirflowTaskTimeout

SOON = timedelta(seconds=1)


@dag(schedule=None)
def retry_until_third():
    @task(retries=3, retry_delay=SOON)
    def third_time(ti=None):
        ti.xcom_push(key=f"try_{ti.try_number}", value=ti.try_number)
        if ti.try_number < 3:
            raise RuntimeError(f"try {ti.try_number} fails")
        return f"try {ti.try_number} of {ti.max_tries + 1}"

    third_time() >> EmptyOperator(task_id="after")


@dag(schedule=None)
def retry_exhausted():
    @task(retries=2, retry_delay=SOON)
    def never():
        raise RuntimeError("never works")

    failed = never()
    failed >> EmptyOperator(task_id="after")
    failed >> EmptyOperator(task_id="on_failure", trigger_rule="all_failed")


@dag(schedule=None)
def retry_backoff():
    @task(retries=2, retry_delay=SOON, retry_exponential_backoff=True, max_retry_delay=timedelta(seconds=2))
    def never():
        raise RuntimeError

    never()


@dag(schedule=None, default_args={"retries": 1, "retry_delay": SOON})
def retry_from_default_args():
    @task
    def never():
        raise RuntimeError

    @task(retries=0)
    def once():
        raise RuntimeError

    never()
    once()


@dag(schedule=None)
def retry_forbidden():
    @task(retries=3, retry_delay=SOON)
    def gives_up():
        raise AirflowFailException("do not try again")

    @task(retries=3, retry_delay=SOON)
    def skips_on_second(ti=None):
        if ti.try_number == 1:
            raise AirflowException("first")
        raise AirflowSkipException("second")

    gives_up()
    skips_on_second()


@dag(schedule=None)
def retry_sees_xcoms_cleared():
    @task(retries=1, retry_delay=SOON)
    def forgetful(ti=None):
        before = ti.xcom_pull(task_ids="forgetful", key="left_behind")
        ti.xcom_push(key="left_behind", value=ti.try_number)
        if ti.try_number == 1:
            raise RuntimeError
        return before

    forgetful()


@dag(schedule=None)
def retry_policy():
    policy = ExceptionRetryPolicy(
        rules=[
            RetryRule(exception=ValueError, action=RetryAction.FAIL, reason="no use"),
            RetryRule(exception=KeyError, action=RetryAction.RETRY, retry_delay=timedelta(seconds=1)),
        ]
    )

    @task(retries=2, retry_delay=SOON, retry_policy=policy)
    def raises_value_error():
        raise ValueError

    @task(retries=2, retry_delay=timedelta(hours=1), retry_policy=policy)
    def raises_key_error(ti=None):
        if ti.try_number < 3:
            raise KeyError
        return ti.try_number

    @task(retries=1, retry_delay=SOON, retry_policy=policy)
    def raises_another():
        raise OSError

    raises_value_error()
    raises_key_error()
    raises_another()


@dag(schedule=None)
def timeout_of_try():
    @task(execution_timeout=timedelta(seconds=2))
    def too_slow():
        time.sleep(60)

    @task(execution_timeout=timedelta(seconds=60))
    def fast_enough():
        return "in time"

    @task(execution_timeout=timedelta(seconds=2))
    def catches():
        try:
            time.sleep(60)
        except AirflowTaskTimeout:
            return "caught"

    too_slow() >> EmptyOperator(task_id="after")
    fast_enough()
    catches()
    BashOperator(task_id="slow_shell", bash_command="sleep 60", execution_timeout=timedelta(seconds=2))


@dag(schedule=None)
def timeout_then_retry():
    @task(execution_timeout=timedelta(seconds=2), retries=1, retry_delay=SOON)
    def slow_once(ti=None):
        if ti.try_number == 1:
            time.sleep(60)
        return ti.try_number

    slow_once()


@dag(schedule=None)
def ends_without_exception():
    @task
    def exits_with_zero():
        sys.exit(0)

    @task
    def exits_with_one():
        sys.exit(1)

    @task(retries=1, retry_delay=SOON)
    def vanishes(ti=None):
        if ti.try_number == 1:
            os._exit(1)
        return "came back"

    @task
    def kills_itself():
        os.kill(os.getpid(), 9)

    exits_with_zero()
    exits_with_one()
    vanishes()
    kills_itself()


@dag(schedule=None)
def odd_exceptions():
    @task
    def keyboard():
        raise KeyboardInterrupt

    @task
    def base():
        raise BaseException("not even an Exception")

    @task
    def deep():
        return deep_call(10_000)

    def deep_call(depth):
        return deep_call(depth - 1) if depth else 0

    keyboard()
    base()
    deep()


with DAG("retry_delays_as_numbers", schedule=None):
    BashOperator(task_id="seconds", bash_command="test {{ ti.try_number }} = 2", retries=1, retry_delay=1)

retry_until_third()
retry_exhausted()
retry_backoff()
retry_from_default_args()
retry_forbidden()
retry_policy()
retry_sees_xcoms_cleared()
timeout_of_try()
timeout_then_retry()
ends_without_exception()
odd_exceptions()
