"""Small DAGs for the acceptance tests: runs and their limits."""

import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Param, get_current_context, task


def wait_for_gate():
    """Wait until the file that the run's conf names exists."""
    gate = Path(get_current_context()["dag_run"].conf["gate"])
    while not gate.exists():
        time.sleep(0.02)


with DAG("one"):

    @task
    def say():
        print("hello from one")
        return 42

    say()

with DAG("chain"):

    @task
    def link(number):
        return number + 1

    link(link(link(0)))

with DAG("gated"):

    @task
    def hold():
        print("waiting at the gate", flush=True)
        wait_for_gate()

    @task
    def after():
        pass

    hold() >> after()

with DAG("one_at_a_time", max_active_runs=1):

    @task
    def hold_one():
        wait_for_gate()

    hold_one()

with DAG("starts_paused", is_paused_upon_creation=True):

    @task
    def noop():
        pass

    noop()

with DAG(
    "with_params",
    params={
        "count": Param(1, type="integer", minimum=1),
        "name": Param("nobody", type="string"),
        "must": Param(type="string", enum=["a", "b"]),
    },
):

    @task
    def show(params=None):
        return dict(params)

    show()

with DAG("impatient", dagrun_timeout=timedelta(seconds=0.6)):

    @task
    def too_long():
        wait_for_gate()

    @task
    def never():
        pass

    too_long() >> never()

with DAG("fails_and_pauses", max_consecutive_failed_dag_runs=2):

    @task
    def fail():
        raise ValueError("no")

    fail()

with DAG("dated", start_date=datetime(2020, 1, 1)):

    @task
    def date(logical_date=None, data_interval_start=None, data_interval_end=None):
        return [str(logical_date), str(data_interval_start), str(data_interval_end)]

    date()
