"""BashOperator and @task.bash."""

from __future__ import annotations

import os
import signal

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, dag, task

with DAG("bash_operator", schedule=None):
    BashOperator(task_id="last_line", bash_command="echo first; echo last")
    BashOperator(task_id="no_output", bash_command="true")
    BashOperator(task_id="no_xcom", bash_command="echo hidden", do_xcom_push=False)
    BashOperator(task_id="standard_error", bash_command="echo out; echo err >&2")
    BashOperator(task_id="only_env", bash_command='echo "[$GIVEN][$CONFORMANCE_WORD]"', env={"GIVEN": "yes"})
    BashOperator(
        task_id="more_env", bash_command='echo "[$GIVEN][$CONFORMANCE_WORD]"', env={"GIVEN": "yes"}, append_env=True
    )
    BashOperator(task_id="same_env", bash_command='echo "$CONFORMANCE_WORD"')
    BashOperator(
        task_id="context", bash_command="echo $AIRFLOW_CTX_DAG_ID $AIRFLOW_CTX_TASK_ID $AIRFLOW_CTX_TRY_NUMBER"
    )
    BashOperator(task_id="folder", bash_command="pwd", cwd="/usr")
    BashOperator(task_id="no_folder", bash_command="pwd", cwd="/nonexistent")
    BashOperator(task_id="processed", bash_command="echo '{\"a\": 1}'", output_processor=lambda text: text.upper())
    BashOperator(task_id="listed", bash_command=["bash", "-c", "echo $0 $1", "zero", "one"])

with DAG("bash_exit_codes", schedule=None):
    BashOperator(task_id="one", bash_command="exit 1")
    BashOperator(task_id="skips", bash_command="exit 99") >> EmptyOperator(task_id="below_skipped")
    BashOperator(task_id="skips_by_list", bash_command="exit 8", skip_on_exit_code=[7, 8])
    BashOperator(task_id="no_skip", bash_command="exit 99", skip_on_exit_code=None)
    BashOperator(task_id="killed", bash_command="kill -9 $$")
    BashOperator(task_id="in_a_pipe", bash_command="false | true")
    BashOperator(task_id="strict_pipe", bash_command="set -o pipefail; false | true")
    BashOperator(task_id="not_found", bash_command="no-such-command-anywhere")


@dag(schedule=None)
def bash_decorated():
    @task
    def word():
        return "it's quoted"

    @task.bash
    def say(text, ti=None):
        return f'echo {ti.task_id}: "{text}"'

    @task.bash(env={"GIVEN": "{{ dag.dag_id }}"})
    def environment():
        return "echo $GIVEN"

    @task.bash
    def skips():
        return "exit 99"

    @task.bash
    def no_text():
        return 5

    say(word())
    environment()
    skips()
    no_text()


@dag(schedule=None)
def signals():
    @task
    def terminated():
        os.kill(os.getpid(), signal.SIGTERM)
        return "survived"

    terminated()


bash_decorated()
signals()
