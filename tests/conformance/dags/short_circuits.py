"""Short circuits, with and without respect for the trigger rules below."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import DAG, TaskGroup, dag, task


def below(gate):
    """Two steps, then a join that would run whatever happened."""
    first, second = EmptyOperator(task_id="first"), EmptyOperator(task_id="second")
    join = EmptyOperator(task_id="join_all_done", trigger_rule="all_done")
    other = EmptyOperator(task_id="other_root")
    gate >> first >> second >> join
    other >> join
    join >> EmptyOperator(task_id="last")


with DAG("circuit_closed", schedule=None):
    below(ShortCircuitOperator(task_id="gate", python_callable=lambda: "truthy"))

with DAG("circuit_open_ignores_rules", schedule=None):
    below(ShortCircuitOperator(task_id="gate", python_callable=lambda: 0))

with DAG("circuit_open_respects_rules", schedule=None):
    below(ShortCircuitOperator(task_id="gate", python_callable=lambda: False, ignore_downstream_trigger_rules=False))

with DAG("circuit_before_group", schedule=None):
    with TaskGroup("group") as group:
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b", trigger_rule="always")
    ShortCircuitOperator(task_id="gate", python_callable=lambda: None) >> group

with DAG("circuit_without_downstream", schedule=None):
    ShortCircuitOperator(task_id="gate", python_callable=lambda: False)

with DAG("circuit_before_teardown", schedule=None):
    make = EmptyOperator(task_id="make").as_setup()
    gate = ShortCircuitOperator(task_id="gate", python_callable=lambda: False)
    work = EmptyOperator(task_id="work")
    remove = EmptyOperator(task_id="remove").as_teardown(setups=make)
    make >> gate >> work >> remove


@dag(schedule=None)
def circuit_taskflow():
    @task.short_circuit
    def gate(value):
        return value

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def kind_gate(value):
        return value

    gate(value=1) >> EmptyOperator(task_id="behind_closed")
    gate.override(task_id="opened")(value=0) >> EmptyOperator(task_id="behind_open", trigger_rule="all_done")
    direct = EmptyOperator(task_id="directly_below")
    kind_gate(value=0) >> direct >> EmptyOperator(task_id="one_below", trigger_rule="all_done")


circuit_taskflow()
