"""Task groups: nested, unprefixed, with default arguments, chained, as decorators."""

from __future__ import annotations

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Label, TaskGroup, chain, chain_linear, cross_downstream, dag, task, task_group

with DAG("group_nested", schedule=None):
    start = EmptyOperator(task_id="start")
    with TaskGroup("outer", tooltip="two levels") as outer:
        first = EmptyOperator(task_id="first")
        with TaskGroup("inner") as inner:
            EmptyOperator(task_id="deep") >> EmptyOperator(task_id="deeper")
        with TaskGroup("bare", prefix_group_id=False) as bare:
            EmptyOperator(task_id="unprefixed")
        first >> [inner, bare]
    start >> outer >> EmptyOperator(task_id="end")

with DAG("group_default_args", schedule=None, default_args={"retries": 0}):
    with TaskGroup("patient", default_args={"retries": 1, "retry_delay": 0.5}):
        BashOperator(task_id="second_time", bash_command="test {{ ti.try_number }} = 2")
    BashOperator(task_id="first_time", bash_command="test {{ ti.try_number }} = 2")

with DAG("group_failing", schedule=None):
    with TaskGroup("work") as work:
        BashOperator(task_id="breaks", bash_command="exit 1") >> EmptyOperator(task_id="blocked")
        EmptyOperator(task_id="beside")
    work >> EmptyOperator(task_id="after")
    work >> EmptyOperator(task_id="after_all", trigger_rule="all_done")
    work >> EmptyOperator(task_id="after_failure", trigger_rule="one_failed")

with DAG("group_chained", schedule=None):
    groups = []
    for number in range(3):
        with TaskGroup(f"stage_{number}") as group:
            EmptyOperator(task_id="a")
            EmptyOperator(task_id="b")
        groups.append(group)
    chain(EmptyOperator(task_id="begin"), Label("go"), *groups, EmptyOperator(task_id="finish"))

with DAG("group_chain_forms", schedule=None):
    made = {name: EmptyOperator(task_id=name) for name in "abcdefghij"}
    chain(made["a"], [made["b"], made["c"]], [made["d"], made["e"]], made["f"])
    cross_downstream([made["b"], made["c"]], [made["g"], made["h"]])
    chain_linear([made["g"], made["h"]], [made["i"], made["j"]])

with DAG("group_empty", schedule=None):
    with TaskGroup("nothing") as nothing:
        pass
    EmptyOperator(task_id="before") >> nothing >> EmptyOperator(task_id="after")


@dag(schedule=None)
def group_decorated():
    @task
    def one():
        return 1

    @task
    def add(left, right):
        return left + right

    @task_group
    def twice(value):
        first = add(value, value)

        @task_group(group_id="again")
        def again(value):
            return add(value, 100)

        return again(first)

    @task(trigger_rule="all_done")
    def report(value, ti=None):
        return {"value": value, "task": ti.task_id}

    report(twice(twice(one())))


group_decorated()
