"""Semantics that a later release covers: mapping, reschedule, deferral, assets. Recorded now, compared then."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.sdk import DAG, Asset, dag, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from witness import count


@dag(schedule=None)
def mapped_tasks():
    @task
    def numbers():
        return [1, 2, 3]

    @task
    def nothing():
        return []

    @task
    def double(value):
        if value == 2:
            raise AirflowSkipException
        return value * 2

    @task(trigger_rule="all_done")
    def total(values):
        return sum(values)

    total(double.expand(value=numbers()))
    total.override(task_id="total_of_none")(double.override(task_id="double_none").expand(value=nothing()))
    BashOperator.partial(task_id="say").expand(bash_command=["echo a", "echo b"])
    double.override(task_id="kwargs").expand_kwargs([{"value": 5}, {"value": 6}])


@dag(schedule=None)
def mapped_groups():
    @task
    def names():
        return ["a", "b"]

    @task
    def step(name):
        return name * 2

    @task
    def both(first, second):
        return first + second

    @task_group
    def each(name):
        first = step(name)
        both(first, step.override(task_id="again")(first))

    each.expand(name=names())


def third_time(**context):
    return count(context, context["ti"].task_id) >= 3


with DAG("sensor_reschedule", schedule=None):
    PythonSensor(
        task_id="third", python_callable=third_time, mode="reschedule", poke_interval=6, timeout=120
    ) >> EmptyOperator(task_id="after")
    PythonSensor(
        task_id="never", python_callable=lambda: False, mode="reschedule", poke_interval=6, timeout=10, soft_fail=True
    )

with DAG("deferred", schedule=None):
    DateTimeSensorAsync(task_id="past", target_time=datetime(2020, 1, 1, tzinfo=UTC)) >> EmptyOperator(task_id="after")

thing = Asset("file:///conformance/thing")

with DAG("asset_producer", schedule=None):

    @task(outlets=[thing])
    def produce(outlet_events=None):
        outlet_events[thing].extra = {"rows": 5}

    produce()

with DAG("asset_consumer", schedule=[thing]):

    @task
    def consume(triggering_asset_events=None):
        return [event.extra for event in triggering_asset_events[thing]]

    consume()

mapped_tasks()
mapped_groups()
