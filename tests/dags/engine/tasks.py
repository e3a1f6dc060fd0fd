"""Small DAGs for the acceptance tests: tasks of all kinds."""

import logging
import os
import time
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, BaseHook, Variable, get_current_context, setup, task, teardown


def conf():
    return get_current_context()["dag_run"].conf


def witness(word):
    """Leave a line that the test can read."""
    with Path(conf()["witness"]).open("a") as file:
        file.write(word + "\n")


def wait_for_gate():
    gate = Path(conf()["gate"])
    while not gate.exists():
        time.sleep(0.02)


with DAG("retries_once"):

    @task(retries=2, retry_delay=timedelta(seconds=0.3))
    def second_time_lucky(ti=None):
        print(f"this is try {ti.try_number}")
        if ti.try_number < 2:
            raise ValueError("not yet")

    second_time_lucky()

with DAG("limited_time"):

    @task(execution_timeout=timedelta(seconds=1))
    def sleeper():
        time.sleep(60)

    sleeper()

with DAG("pooled"):
    for number in range(3):

        @task(task_id=f"swim_{number}", pool="narrow")
        def swim():
            witness("in")
            time.sleep(0.15)
            witness("out")

        swim()

with DAG("by_priority"):
    for weight in (1, 5, 3):

        @task(task_id=f"weight_{weight}", pool="narrow", priority_weight=weight)
        def weigh(number):
            witness(str(number))

        weigh(weight)

with DAG("few_at_once", max_active_tasks=2):
    for number in range(4):

        @task(task_id=f"crowd_{number}")
        def crowd():
            witness("in")
            time.sleep(0.15)
            witness("out")

        crowd()

with DAG("branches"):

    @task.branch
    def choose():
        return "left"

    @task
    def left():
        pass

    @task
    def right():
        pass

    @task(trigger_rule="none_failed_min_one_success")
    def join():
        pass

    @task.short_circuit
    def stop_here():
        return False

    @task
    def cut_off():
        pass

    choose() >> [left(), right()] >> join()
    stop_here() >> cut_off()

with DAG("sets_up"):

    @setup
    def make():
        pass

    @task
    def work():
        raise ValueError("broken")

    @teardown
    def tidy():
        pass

    make() >> work() >> tidy()

with DAG("triggers_one"):
    TriggerDagRunOperator(
        task_id="go",
        trigger_dag_id="one",
        trigger_run_id="{{ dag_run.conf['target'] }}",
        conf={"from": "triggers_one"},
        wait_for_completion=True,
        poke_interval=0.2,
    )

with DAG("triggers_again"):
    TriggerDagRunOperator(
        task_id="go", trigger_dag_id="one", trigger_run_id="{{ dag_run.conf['target'] }}", reset_dag_run=True
    )

with DAG("surroundings"):

    @task
    def read():
        logging.getLogger("airflow.task").info("the password is %s", BaseHook.get_connection("stored").password)
        print("printed too:", Variable.get("stored_secret"))
        return {
            "stored": Variable.get("stored"),
            "from_environment": Variable.get("from_environment"),
            "absent": Variable.get("absent", default="nothing"),
            "connection": BaseHook.get_connection("stored").host,
            "connection_from_environment": BaseHook.get_connection("from_environment").host,
            "server_secrets": [name for name in os.environ if name in {"AIRGATE_SECRET_KEY", "AIRGATE_ADMIN_PASSWORD"}],
        }

    @task
    def write():
        Variable.set("written", "by a task")

    read()
    write()

with DAG("templates", params={"who": "world"}):
    BashOperator(task_id="render", bash_command="echo {{ params.who }} {{ run_id }} {{ ti.try_number }}")

with DAG("xcoms"):

    @task(multiple_outputs=True)
    def several():
        return {"a": 1, "b": [1, {"c": None}]}

    @task
    def push(ti=None):
        ti.xcom_push("own_key", "own value")
        return ti.xcom_pull(task_ids="push", key="own_key")

    @task
    def pull(given, ti=None):
        return [given, ti.xcom_pull(task_ids="push", key="own_key")]

    pull(several()["b"]) << push()


def call_back(context):
    with Path(context["dag_run"].conf["witness"]).open("a") as file:
        file.write(f"callback of {context['ti'].task_id}\n")


def call_back_dag(context):
    with Path(context["dag_run"].conf["witness"]).open("a") as file:
        file.write(f"callback of the DAG: {context['reason']}\n")


with DAG("calls_back", on_failure_callback=call_back_dag):

    @task(on_failure_callback=call_back)
    def raises():
        raise ValueError("no")

    @task(on_failure_callback=call_back)
    def is_killed():
        os.kill(os.getpid(), 9)

    @task(on_success_callback=call_back)
    def succeeds():
        pass

    raises()
    is_killed()
    succeeds()

with DAG("calls_back_on_success", on_success_callback=call_back_dag):

    @task
    def fine():
        pass

    fine()

with DAG("odd_values"):
    for name, value in {
        "nul": "a\x00b",
        "surrogate": "\ud800",
        "large": 2**70,
        "infinite": float("inf"),
        "not_a_number": float("nan"),
        "bytes": b"\xff\x00",
        "deep": __import__("functools").reduce(lambda inner, _: [inner], range(500), []),
        "not_a_key": {1: 2, None: 3},
        "unknown": object(),
    }.items():

        @task(task_id=name)
        def give(value):
            print(repr(value)[:100])
            get_current_context()["ti"].xcom_push(f"key {name}", "x")
            return value

        give(value)

    BashOperator(task_id="renders_nul", bash_command="echo {{ 'a\x00b' }}", env={"ODD": "\ud800"})

with DAG("fails_downstream"):

    @task
    def first():
        witness("first")

    @task
    def second():
        witness("second")
        if not Path(conf()["gate"]).exists():
            raise ValueError("closed")

    @task
    def third():
        witness("third")

    first() >> second() >> third()
