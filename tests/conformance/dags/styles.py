"""The import paths of Airflow 2 that Airflow 3.3 still takes, some with a deprecation warning."""

from __future__ import annotations

from datetime import datetime

from airflow import DAG
from airflow.decorators import dag, task
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.hooks.base import BaseHook
from airflow.models import BaseOperator, Variable
from airflow.models.baseoperator import chain
from airflow.models.param import Param
from airflow.operators.bash import BashOperator
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator, get_current_context
from airflow.sensors.base import BaseSensorOperator
from airflow.sensors.python import PythonSensor
from airflow.utils.edgemodifier import Label
from airflow.utils.task_group import TaskGroup
from airflow.utils.trigger_rule import TriggerRule

default_args = {"owner": "airflow", "depends_on_past": False, "retries": 0, "email_on_failure": False}


class Hello(BaseOperator):
    template_fields = ("name",)

    def __init__(self, name, **kwargs):
        super().__init__(**kwargs)
        self.name = name

    def execute(self, context):
        self.log.info("Hello %s", self.name)
        return f"Hello {self.name}"


class Ready(BaseSensorOperator):
    def poke(self, context):
        return True


def push_pull(**kwargs):
    ti = kwargs["ti"]
    ti.xcom_push(key="pushed", value=kwargs["ds"])
    return ti.xcom_pull(task_ids="bash")


def skip():
    raise AirflowSkipException


def fail():
    raise AirflowFailException


with DAG(
    dag_id="style_of_two",
    default_args=default_args,
    description="as written for Airflow 2",
    start_date=datetime(2021, 1, 1),
    schedule=None,
    catchup=False,
    tags=["old", "style"],
    params={"name": Param("world", type="string")},
) as style_of_two:
    begin = EmptyOperator(task_id="begin")
    bash = BashOperator(task_id="bash", bash_command='echo "{{ ds }}"')
    python = PythonOperator(task_id="python", python_callable=push_pull)
    hello = Hello(task_id="hello", name="{{ params.name }} {{ var.value.greeting }}")
    branch = BranchPythonOperator(task_id="branch", python_callable=lambda **_: "yes")
    yes, no = EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")
    join = EmptyOperator(task_id="join", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    with TaskGroup("group") as group:
        Ready(task_id="ready", poke_interval=1) >> PythonSensor(task_id="sensor", python_callable=lambda: True)
    skipping = PythonOperator(task_id="skipping", python_callable=skip)
    gate = ShortCircuitOperator(task_id="gate", python_callable=lambda: False)
    end = EmptyOperator(task_id="end", trigger_rule="all_done")
    chain(begin, [bash, hello], python, branch)
    branch >> Label("sure") >> yes >> join
    branch >> no >> join >> group >> [skipping, gate] >> end
    python.set_upstream(bash)
    hello.set_downstream(join)


@dag(start_date=datetime(2021, 1, 1), schedule=None, default_args=default_args)
def style_of_two_taskflow():
    @task()
    def extract():
        return {"1001": 301.27, "1002": 433.21}

    @task(multiple_outputs=True)
    def transform(orders: dict):
        return {"total": sum(orders.values())}

    @task()
    def load(total: float):
        return f"{total:.2f} {get_current_context()['dag'].dag_id} {Variable.get('greeting')}"

    @task()
    def connected():
        return BaseHook.get_connection("shop").host

    @task()
    def failing():
        fail()

    load(transform(extract())["total"])
    connected() >> failing()


style_of_two_taskflow()
