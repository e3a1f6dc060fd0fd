"""Every trigger rule over every interesting mixture of upstream ends. One DAG per rule."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

MIXTURES = {
    "good": ["ok"],
    "bad": ["broken"],
    "gone": ["skipped"],
    "blocked": ["behind_broken"],
    "good_good": ["ok", "fine"],
    "good_bad": ["ok", "broken"],
    "good_gone": ["ok", "skipped"],
    "good_blocked": ["ok", "behind_broken"],
    "bad_bad": ["broken", "broken_too"],
    "bad_gone": ["broken", "skipped"],
    "gone_gone": ["skipped", "skipped_too"],
    "gone_blocked": ["skipped", "behind_broken"],
    "good_bad_gone": ["ok", "broken", "skipped"],
    "all_of_them": ["ok", "fine", "broken", "broken_too", "skipped", "skipped_too", "behind_broken"],
}


def sources():
    """The tasks that end in every way."""

    @task
    def ok():
        return "ok"

    @task
    def broken():
        raise ValueError("broken on purpose")

    @task
    def skipped():
        raise AirflowSkipException("skipped on purpose")

    failing = broken()
    behind = EmptyOperator(task_id="behind_broken")
    failing >> behind
    made = [
        ok(),
        EmptyOperator(task_id="fine"),
        failing,
        broken.override(task_id="broken_too")(),
        skipped(),
        skipped.override(task_id="skipped_too")(),
        behind,
    ]
    return {getattr(one, "operator", one).task_id: one for one in made}


for rule in sorted(rule.value for rule in TriggerRule):
    with DAG(f"rule_{rule}", schedule=None) as dag:
        upstream = sources()
        EmptyOperator(task_id="without_upstream", trigger_rule=rule)
        for name, parts in MIXTURES.items():
            join = EmptyOperator(task_id=name, trigger_rule=rule)
            [upstream[part] for part in parts] >> join
            EmptyOperator(task_id=f"after_{name}") << join
    globals()[dag.dag_id] = dag
