"""Callbacks of tasks and DAGs write lines; the outcome holds them, sorted."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseNotifier, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from witness import note


def writes(name):
    def callback(context):
        ti = context.get("ti")
        error = context.get("exception")
        note(
            context,
            f"{name} task={getattr(ti, 'task_id', None)} try={getattr(ti, 'try_number', None)} "
            f"error={type(error).__name__ if isinstance(error, BaseException) else error is not None}",
        )

    return callback


def breaks(context):
    raise RuntimeError("a callback that fails")


ALL = {
    "on_execute_callback": writes("execute"),
    "on_success_callback": writes("success"),
    "on_failure_callback": writes("failure"),
    "on_retry_callback": writes("retry"),
    "on_skipped_callback": writes("skipped"),
}


@dag(schedule=None)
def callback_tasks():
    @task(**ALL)
    def good():
        return 1

    @task(**ALL)
    def bad():
        raise ValueError

    @task(retries=1, retry_delay=timedelta(seconds=1), **ALL)
    def second_time(ti=None):
        if ti.try_number == 1:
            raise ValueError

    @task(**ALL)
    def skips():
        raise AirflowSkipException

    good()
    bad() >> EmptyOperator(task_id="blocked", **ALL)
    second_time()
    skips() >> EmptyOperator(task_id="below_skipped", **ALL)
    EmptyOperator(task_id="empty_with_callbacks", **ALL)


@dag(schedule=None)
def callback_lists():
    @task(on_success_callback=[writes("one"), breaks, writes("two")])
    def many():
        return 1

    @task(on_execute_callback=breaks)
    def breaks_before():
        return "still runs?"

    @task(on_failure_callback=[breaks, writes("after a broken one")])
    def bad():
        raise ValueError

    many()
    breaks_before()
    bad()


class Tell(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        note(context, self.text)


@dag(schedule=None)
def callback_notifier():
    @task(on_success_callback=Tell("{{ ti.task_id }} of {{ dag.dag_id }}"))
    def good():
        return 1

    good()


def run_callback(name):
    def callback(context):
        note(context, f"{name} dag={context['dag'].dag_id} run={context['run_id']} reason={context.get('reason')}")

    return callback


def dag_with_callbacks(dag_id, command, **arguments):
    with DAG(
        dag_id,
        schedule=None,
        on_success_callback=run_callback("dag success"),
        on_failure_callback=run_callback("dag failure"),
        **arguments,
    ) as made:
        BashOperator(task_id="work", bash_command=command)
    return made


dag_good = dag_with_callbacks("callback_dag_success", "true")
dag_bad = dag_with_callbacks("callback_dag_failure", "exit 3")
dag_slow = dag_with_callbacks("callback_dag_timeout", "sleep 60", dagrun_timeout=timedelta(seconds=8))

callback_tasks()
callback_lists()
callback_notifier()
