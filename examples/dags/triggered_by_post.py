"""Three DAGs that other systems start: by a plain POST, by one with a conf, and by one that chooses the run id."""

from __future__ import annotations

import pendulum

try:  # Airflow 3
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.python import PythonOperator

START = pendulum.datetime(2024, 1, 1, tz="UTC")


def say_what_ran(**context):
    print("run", context["dag_run"].run_id)


def load_dataset(**context):
    conf = context["dag_run"].conf or {}
    name = conf.get("dataset_name", "daily_sales")
    kind = conf.get("file_type", "csv")
    since = conf.get("start_date", "the beginning")
    print(f"loading {name}.{kind} since {since}")
    return f"{name}.{kind}"


with DAG(dag_id="my_example_dag", schedule=None, start_date=START, catchup=False, tags=["example"]):
    PythonOperator(task_id="say_what_ran", python_callable=say_what_ran)

with DAG(dag_id="my_parameterized_dag", schedule=None, start_date=START, catchup=False, tags=["example"]):
    PythonOperator(task_id="load_dataset", python_callable=load_dataset)

with DAG(dag_id="my_custom_run_id_dag", schedule=None, start_date=START, catchup=False, tags=["example"]):
    PythonOperator(task_id="say_what_ran", python_callable=say_what_ran)
