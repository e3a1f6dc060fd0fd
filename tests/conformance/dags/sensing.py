"""Sensors in poke mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.bash import BashSensor
from airflow.providers.standard.sensors.date_time import DateTimeSensor
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.providers.standard.sensors.python import PythonSensor
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, BaseSensorOperator, PokeReturnValue, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from witness import count

QUICK = {"poke_interval": 0.5, "timeout": 60, "mode": "poke"}
IMPATIENT = {"poke_interval": 0.5, "timeout": 2, "mode": "poke"}


def third_time(**context):
    return count(context, context["ti"].task_id) >= 3


with DAG("sensor_python", schedule=None):
    PythonSensor(task_id="third", python_callable=third_time, **QUICK) >> EmptyOperator(task_id="after")
    PythonSensor(task_id="backing_off", python_callable=third_time, exponential_backoff=True, **QUICK)
    PythonSensor(task_id="asked", python_callable=lambda word: word == "yes", op_args=["yes"], **QUICK)

with DAG("sensor_times_out", schedule=None):
    slow = PythonSensor(task_id="never", python_callable=lambda: False, **IMPATIENT)
    slow >> EmptyOperator(task_id="after")
    soft = PythonSensor(task_id="never_softly", python_callable=lambda: False, soft_fail=True, **IMPATIENT)
    soft >> EmptyOperator(task_id="after_soft")
    soft >> EmptyOperator(task_id="after_soft_anyway", trigger_rule="none_failed")

with DAG("sensor_times_out_with_retries", schedule=None):
    # A sensor's timeout is not retried.
    PythonSensor(
        task_id="never", python_callable=lambda: False, retries=2, retry_delay=timedelta(seconds=1), **IMPATIENT
    )


def raises(error):
    def poke():
        raise error("from poke")

    return poke


with DAG("sensor_raises", schedule=None):
    PythonSensor(task_id="plain", python_callable=raises(ValueError), **QUICK)
    PythonSensor(task_id="plain_soft", python_callable=raises(ValueError), soft_fail=True, **QUICK)
    PythonSensor(task_id="skips", python_callable=raises(AirflowSkipException), **QUICK)
    PythonSensor(task_id="fails", python_callable=raises(AirflowFailException), **QUICK)
    PythonSensor(task_id="fails_soft", python_callable=raises(AirflowFailException), soft_fail=True, **QUICK)
    PythonSensor(task_id="never_fail", python_callable=raises(ValueError), never_fail=True, **QUICK)
    PythonSensor(task_id="silent", python_callable=raises(ValueError), silent_fail=True, **IMPATIENT)
    PythonSensor(
        task_id="retried", python_callable=raises(ValueError), retries=1, retry_delay=timedelta(seconds=1), **QUICK
    )

with DAG("sensor_kinds", schedule=None):
    BashSensor(task_id="shell", bash_command="true", **QUICK)
    BashSensor(task_id="shell_false", bash_command="false", **IMPATIENT)
    DateTimeSensor(task_id="past", target_time=datetime(2020, 1, 1, tzinfo=UTC), **QUICK)
    DateTimeSensor(task_id="past_by_template", target_time="{{ logical_date }}", **QUICK)
    TimeDeltaSensor(task_id="after_interval", delta=timedelta(seconds=1), **QUICK)
    FileSensor(task_id="file", filepath="/etc/hostname", **QUICK)
    FileSensor(task_id="no_file", filepath="/nonexistent/file", soft_fail=True, **IMPATIENT)


class Returns(BaseSensorOperator):
    """Done at the third poke, with a value."""

    def poke(self, context):
        times = count(context, self.task_id)
        return PokeReturnValue(is_done=times >= 3, xcom_value={"pokes": times})


with DAG("sensor_own_class", schedule=None):
    Returns(task_id="returns", **QUICK)


@dag(schedule=None)
def sensor_decorated():
    @task.sensor(poke_interval=0.5, timeout=60, mode="poke")
    def ready(word):
        return PokeReturnValue(is_done=True, xcom_value=f"{word} is ready")

    @task.sensor(poke_interval=0.5, timeout=60, mode="poke")
    def plain():
        return True

    @task
    def use(value):
        return value

    use(ready("it"))
    plain()


sensor_decorated()
