"""PythonOperator and @task in their many forms."""

from __future__ import annotations

import sys

from airflow.providers.standard.operators.python import ExternalPythonOperator, PythonOperator
from airflow.sdk import DAG, dag, get_current_context, task


def arguments(*args, **kwargs):
    return {"args": list(args), "ds": kwargs["ds"], "named": kwargs["named"], "task": kwargs["task"].task_id}


def by_name(ds, ti, params, run_id, logical_date):
    return [ds, ti.task_id, dict(params), run_id, logical_date.isoformat()]


def defaults(value=5, *, keyword="k"):
    return [value, keyword]


def elsewhere():
    return {"sum": 1 + 1}


class Callable:
    def __call__(self, number):
        return number * 2


with DAG("python_operator", schedule=None, params={"p": 1}):
    PythonOperator(task_id="arguments", python_callable=arguments, op_args=[1, "two"], op_kwargs={"named": "n"})
    PythonOperator(task_id="by_name", python_callable=by_name)
    PythonOperator(task_id="defaults", python_callable=defaults)
    PythonOperator(task_id="an_object", python_callable=Callable(), op_args=[21])
    PythonOperator(task_id="hidden", python_callable=lambda: "value", show_return_value_in_logs=False)
    PythonOperator(task_id="too_many", python_callable=defaults, op_args=[1, 2, 3])
    PythonOperator(task_id="nothing", python_callable=lambda: None)
    ExternalPythonOperator(task_id="other_python", python=sys.executable, python_callable=elsewhere)


@dag(schedule=None, default_args={"owner": "someone"})
def python_taskflow():
    @task(task_id="renamed", task_display_name="A name to show", doc_md="*doc*")
    def original():
        return get_current_context()["ti"].task_id

    @task
    def repeated(number):
        return number

    @task
    async def asynchronous():
        return "awaited"

    @task
    def generator():
        yield from (1, 2)

    @task.python
    def spelled_out():
        return {"owner": get_current_context()["task"].owner}

    @task
    def context_by_keywords(**context):
        return sorted(key for key in context if key in {"ds", "ti", "params", "dag_run", "logical_date", "var", "conn"})

    original()
    for number in range(3):
        repeated(number)
    asynchronous()
    generator()
    spelled_out()
    context_by_keywords()


python_taskflow()
