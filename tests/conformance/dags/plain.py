"""The smallest DAGs."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, dag, task

with DAG("plain_no_tasks", schedule=None):
    pass

with DAG("plain_one_empty", schedule=None):
    EmptyOperator(task_id="only")

with DAG("plain_wide", schedule=None):
    EmptyOperator(task_id="begin") >> [EmptyOperator(task_id=f"t{number:02}") for number in range(40)]

with DAG("plain_long", schedule=None):
    last = None
    for number in range(15):
        step = EmptyOperator(task_id=f"step_{number:02}")
        if last is not None:
            last >> step
        last = step

with DAG("plain_empty_that_runs", schedule=None):
    # An EmptyOperator with something to do at its start is really started.
    EmptyOperator(task_id="with_hooks", pre_execute=lambda context: None)
    EmptyOperator(task_id="renders", inlets=[Asset("file:///nothing")])


@dag(
    schedule=None,
    dag_display_name="Shown so",
    description="text",
    doc_md="# doc",
    owner_links={"me": "https://example.org"},
)
def plain_described():
    @task(owner="me", task_display_name="Shown")
    def only(dag=None):
        return [dag.dag_id, dag.dag_display_name, dag.description]

    only()


plain_described()
