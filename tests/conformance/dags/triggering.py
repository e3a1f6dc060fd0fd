"""DAGs that trigger DAGs, and a sensor that waits for another DAG's task."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, task


def trigger(task_id, dag_id, run, **arguments):
    return TriggerDagRunOperator(task_id=task_id, trigger_dag_id=dag_id, trigger_run_id=run, **arguments)


WAIT = {"wait_for_completion": True, "poke_interval": 1}

with DAG("child_good", schedule=None, max_active_runs=16):

    @task
    def received(dag_run=None):
        return dag_run.conf

    received() >> EmptyOperator(task_id="end")

with DAG("child_bad", schedule=None, max_active_runs=16):

    @task
    def breaks():
        raise RuntimeError

    breaks()

with DAG("trigger_and_forget", schedule=None):
    trigger(
        "start", "child_good", "from_forget", conf={"who": "{{ run_id }}", "list": [1, "{{ ds }}"]}
    ) >> EmptyOperator(task_id="after")

with DAG("trigger_and_wait", schedule=None):
    trigger("start", "child_good", "from_wait", **WAIT) >> EmptyOperator(task_id="after")

with DAG("trigger_and_wait_for_failure", schedule=None):
    trigger("strict", "child_bad", "from_strict", **WAIT) >> EmptyOperator(task_id="after_strict")
    trigger(
        "content", "child_bad", "from_content", allowed_states=["failed"], failed_states=[], **WAIT
    ) >> EmptyOperator(task_id="after_content")

with DAG("trigger_twice", schedule=None):
    first = trigger("first", "child_good", "same", logical_date=datetime(2024, 1, 1, tzinfo=UTC), **WAIT)
    again = trigger("again", "child_good", "same", logical_date=datetime(2024, 1, 1, tzinfo=UTC))
    skips = trigger(
        "skips", "child_good", "same", logical_date=datetime(2024, 1, 1, tzinfo=UTC), skip_when_already_exists=True
    )
    resets = trigger(
        "resets", "child_good", "same", logical_date=datetime(2024, 1, 1, tzinfo=UTC), reset_dag_run=True, **WAIT
    )
    skips.trigger_rule = resets.trigger_rule = "all_done"
    first >> again >> skips >> resets

with DAG("trigger_unknown", schedule=None):
    trigger("start", "no_such_dag_anywhere", "r")

with DAG("trigger_unserialisable_conf", schedule=None):
    trigger("start", "child_good", "never", conf={"bad": object})

with DAG("awaited", schedule=None):
    PythonOperator(task_id="good", python_callable=lambda: "good")
    PythonOperator(task_id="bad", python_callable=lambda: 1 / 0)

with DAG("awaits", schedule=None):
    common = {"external_dag_id": "awaited", "poke_interval": 0.5, "timeout": 3, "mode": "poke"}
    ExternalTaskSensor(task_id="good_task", external_task_id="good", **common)
    ExternalTaskSensor(task_id="failed_task", external_task_id="bad", failed_states=["failed"], **common)
    ExternalTaskSensor(task_id="failed_is_fine", external_task_id="bad", allowed_states=["failed"], **common)
    ExternalTaskSensor(task_id="whole_dag", external_task_id=None, allowed_states=["failed"], **common)
    ExternalTaskSensor(
        task_id="no_such_run", external_task_id="good", execution_date_fn=lambda d: d.add(days=1), **common
    )
    ExternalTaskSensor(task_id="no_such_task", external_task_id="absent", check_existence=True, **common)
