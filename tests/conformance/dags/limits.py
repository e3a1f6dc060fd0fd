"""Everything that holds a task back: pools, slots, limits of tasks and runs. Tasks record when they ran."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from witness import interval, most_at_once


def crowd(dag_id, size=4, task_arguments=None, **dag_arguments):
    """Equal tasks that could all run at once, and one that says how many did."""
    with DAG(dag_id, schedule=None, **dag_arguments) as made:

        @task(**(task_arguments or {}))
        def busy():
            with interval(dag_id, seconds=0.5):
                pass

        @task(trigger_rule="all_done")
        def together():
            return most_at_once(dag_id)

        [busy.override(task_id=f"busy_{number}")() for number in range(size)] >> together()
    return made


pool_of_one = crowd("limit_pool_of_one", task_arguments={"pool": "narrow"})
pool_slots = crowd("limit_pool_slots", task_arguments={"pool": "three_slots", "pool_slots": 2})
dag_tasks = crowd("limit_max_active_tasks", max_active_tasks=1)

with DAG("limit_task_in_run", schedule=None):

    @task
    def measured():
        return most_at_once("limit_task_in_run")

    with_limit = []
    for number in range(3):

        @task(task_id=f"limited_{number}", max_active_tis_per_dagrun=1, max_active_tis_per_dag=1)
        def limited():
            with interval("limit_task_in_run", seconds=0.2):
                pass

        with_limit.append(limited())
    [*with_limit] >> EmptyOperator(task_id="done")

with DAG("limit_task_over_runs", schedule=None, max_active_runs=4):

    @task(max_active_tis_per_dag=1)
    def one_at_a_time():
        with interval("limit_task_over_runs", seconds=0.5):
            pass

    one_at_a_time()

with DAG("limit_runs", schedule=None, max_active_runs=1):

    @task
    def alone():
        with interval("limit_runs", seconds=0.5):
            pass

    alone() >> EmptyOperator(task_id="after")

with DAG("limit_measured", schedule=None):
    # Started after the two DAGs above have finished their runs.
    @task
    def over_runs():
        return most_at_once("limit_task_over_runs")

    @task
    def runs():
        return most_at_once("limit_runs")

    over_runs()
    runs()

with DAG("limit_too_many_slots", schedule=None, dagrun_timeout=timedelta(seconds=10)):
    # Needs more slots than its pool will ever have, beside one that fits.
    EmptyOperator(task_id="fits")
    BashOperator(task_id="never_fits", bash_command="true", pool="three_slots", pool_slots=5)

with DAG("limit_priority", schedule=None):
    # One slot: what has the higher weight goes first once both wait.
    @task(pool="narrow", priority_weight=100)
    def first():
        with interval("limit_priority", seconds=0.2):
            pass

    @task(pool="narrow", weight_rule="absolute", priority_weight=7)
    def absolute():
        return "absolute"

    @task(pool="narrow", weight_rule="upstream", priority_weight=3)
    def upstream():
        return "upstream"

    first() >> absolute() >> upstream()
