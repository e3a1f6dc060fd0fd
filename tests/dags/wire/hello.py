"""DAGs that every Airflow from 1.10 to 3 can read."""

from datetime import datetime

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    try:
        from airflow.operators.bash import BashOperator
    except ImportError:
        from airflow.operators.bash_operator import BashOperator

START = datetime(2021, 1, 1)


def dag_of(dag_id, **more):
    try:
        return DAG(dag_id, schedule=None, catchup=False, **more)
    except TypeError:
        return DAG(dag_id, schedule_interval=None, catchup=False, **more)
    except Exception as error:  # AirflowException: 1.10 has its own word for an unknown argument
        if "schedule" not in str(error):
            raise
        return DAG(dag_id, schedule_interval=None, catchup=False, **more)


with dag_of("hello", start_date=START, default_args={"owner": "me"}) as hello:
    a = BashOperator(task_id="a", bash_command="echo a")
    b = BashOperator(task_id="b", bash_command="echo b")
    a >> b

with dag_of("fussy", default_args={"owner": "me", "start_date": START}) as fussy:
    BashOperator(task_id="a", bash_command="echo a")

with dag_of("doomed", start_date=START, default_args={"owner": "me"}) as doomed:
    BashOperator(task_id="a", bash_command="echo a")
