"""Branches: one of many, many of many, none, nested, into groups, joined, wrong."""

from __future__ import annotations

from airflow.providers.standard.operators.branch import BaseBranchOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG, Label, TaskGroup, dag, task
from airflow.sdk.exceptions import AirflowSkipException


def empties(*names, **arguments):
    return [EmptyOperator(task_id=name, **arguments) for name in names]


with DAG("branch_one", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "left")
    left, right, after_left, after_right = empties("left", "right", "after_left", "after_right")
    choose >> left >> after_left
    choose >> right >> after_right
    [after_left, after_right] >> EmptyOperator(task_id="join_all_success")
    [after_left, after_right] >> EmptyOperator(task_id="join_none_failed", trigger_rule="none_failed_min_one_success")

with DAG("branch_many", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: ["a", "c"])
    choose >> empties("a", "b", "c", "d") >> EmptyOperator(task_id="join", trigger_rule="one_success")

with DAG("branch_none", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: None)
    choose >> empties("a", "b") >> EmptyOperator(task_id="join", trigger_rule="none_failed")

with DAG("branch_empty_list", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=list)
    choose >> empties("a", "b") >> EmptyOperator(task_id="join", trigger_rule="all_done")

with DAG("branch_unknown", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "nowhere")
    choose >> empties("a", "b")

with DAG("branch_not_a_name", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: 5)
    choose >> empties("a", "b")

with DAG("branch_not_direct", schedule=None):
    # A name that exists, further down than directly below.
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "below")
    a, b, below = empties("a", "b", "below")
    choose >> [a, b]
    a >> below

with DAG("branch_kept", schedule=None):
    # `shared` is directly below the branch and also below the chosen task: it must not be skipped by the branch.
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "left")
    left, right, shared = empties("left", "right", "shared")
    choose >> [left, right, shared]
    left >> shared

with DAG("branch_nested", schedule=None):
    outer = BranchPythonOperator(task_id="outer", python_callable=lambda: "inner")
    inner = BranchPythonOperator(task_id="inner", python_callable=lambda: "deep_b")
    other, deep_a, deep_b = empties("other", "deep_a", "deep_b")
    joined = EmptyOperator(task_id="inner_join", trigger_rule="none_failed_min_one_success")
    done = EmptyOperator(task_id="outer_join", trigger_rule="none_failed_min_one_success")
    outer >> [inner, other]
    inner >> [deep_a, deep_b] >> joined
    [joined, other] >> done

with DAG("branch_to_group", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "second")
    with TaskGroup("first") as first:
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    with TaskGroup("second") as second:
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    choose >> [first, second] >> EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")

with DAG("branch_inside_group", schedule=None):
    with TaskGroup("group") as group:
        choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "group.yes")
        yes, no = empties("yes", "no")
        choose >> [yes, no]
    group >> EmptyOperator(task_id="after", trigger_rule="none_failed")

with DAG("branch_skips_itself", schedule=None):

    def refuse():
        raise AirflowSkipException

    choose = BranchPythonOperator(task_id="choose", python_callable=refuse)
    choose >> empties("a", "b") >> EmptyOperator(task_id="join", trigger_rule="all_done")

with DAG("branch_labelled", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "warm")
    warm, cold = empties("warm", "cold")
    choose >> Label("more than 20 degrees") >> warm
    choose >> Label("less") >> cold

with DAG("branch_own_operator", schedule=None):

    class ByConf(BaseBranchOperator):
        def choose_branch(self, context):
            return context["dag_run"].conf["way"]

    ByConf(task_id="choose") >> empties("a", "b")

with DAG("branch_always_below", schedule=None):
    choose = BranchPythonOperator(task_id="choose", python_callable=lambda: "left")
    left, right = empties("left", "right")
    choose >> [left, right]
    right >> EmptyOperator(task_id="whatever_happens", trigger_rule="all_done")
    right >> EmptyOperator(task_id="only_if_good")


@dag(schedule=None)
def branch_taskflow():
    @task
    def measure():
        return 7

    @task.branch
    def choose(value):
        return "high" if value > 5 else ["low", "lower"]

    @task
    def high():
        return "high"

    @task
    def low():
        return "low"

    @task(trigger_rule="none_failed_min_one_success")
    def join(high_value=None, low_value=None):
        return [high_value, low_value]

    way = choose(measure())
    one, two, three = high(), low(), low.override(task_id="lower")()
    way >> [one, two, three]
    join(one, two)
    [three] >> EmptyOperator(task_id="below_lower")


branch_taskflow()
