"""Every trigger rule over every interesting mixture of upstream ends.

A rule may decide as soon as it has seen enough, so the order of ends matters, and is fixed: what succeeds ends first,
then what fails and what is blocked by it, then what skips. In a second DAG per rule, skipping comes before failing.
"""

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


@task
def ok():
    return "ok"


@task(trigger_rule="all_done")
def broken():
    raise ValueError("broken on purpose")


@task(trigger_rule="all_done")
def skipped():
    raise AirflowSkipException("skipped on purpose")


def sources(skips_first):
    """The tasks that end in every way, one kind after the other."""
    good = [ok().operator, EmptyOperator(task_id="fine")]
    bad = [broken().operator, broken.override(task_id="broken_too")().operator]
    gone = [skipped().operator, skipped.override(task_id="skipped_too")().operator]
    behind = EmptyOperator(task_id="behind_broken")
    bad[0] >> behind
    for one in gone if skips_first else bad:
        good >> one
    for one in bad if skips_first else gone:
        (gone if skips_first else [behind, bad[1]]) >> one
    return {one.task_id: one for one in (*good, *bad, *gone, behind)}


for rule in sorted(rule.value for rule in TriggerRule):
    for suffix in ("", "_skips_first"):
        with DAG(f"rule_{rule}{suffix}", schedule=None) as dag:
            upstream = sources(bool(suffix))
            EmptyOperator(task_id="without_upstream", trigger_rule=rule)
            for name, parts in MIXTURES.items():
                join = EmptyOperator(task_id=name, trigger_rule=rule)
                [upstream[part] for part in parts] >> join
                EmptyOperator(task_id=f"after_{name}") << join
        globals()[dag.dag_id] = dag
