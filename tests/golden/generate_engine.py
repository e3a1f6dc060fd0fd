"""Makes the golden files of the engine's rules by asking Airflow's own code.

Run it with an interpreter that has Airflow 3.3 and the standard provider; it needs no database and no server:

    AIRFLOW_HOME=/some/empty/folder python tests/golden/generate_engine.py

Writes trigger_rules.json, retry_times.json, related_tasks.json and whole_runs.json next to itself.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.task.trigger_rule import TriggerRule
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.deps.not_previously_skipped_dep import NotPreviouslySkippedDep
from airflow.ti_deps.deps.trigger_rule_dep import TriggerRuleDep
from airflow.utils.state import State, TaskInstanceState

logging.disable(logging.CRITICAL)
HERE = Path(__file__).parent
RULES = [str(rule.value) for rule in TriggerRule]
STATES = [None, "success", "failed", "skipped", "upstream_failed", "removed"]
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class FakeInstance:
    """As much of a task instance as the dependencies read and write."""

    def __init__(self, task, state=None, map_index=-1):
        self.task, self.task_id, self.state, self.map_index = task, task.task_id, state, map_index
        self.dag_id, self.run_id, self.xcoms = "d", "r", None
        self.log = logging.getLogger("golden")

    def get_dagrun(self, session=None):
        return None

    def set_state(self, state, session=None):
        changed = self.state != state
        self.state = state
        return changed

    def xcom_pull(self, *, task_ids, key, session, map_indexes):
        return self.xcoms.get(task_ids)


def serialized(dag):
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def ask_rule(instance, finished):
    """(state the rule sets or None, whether the instance may run)."""
    context = DepContext(flag_upstream_failed=True, finished_tis=finished)
    statuses = list(TriggerRuleDep()._get_dep_statuses(instance, context, session=None))
    state = None if instance.state is None else str(TaskInstanceState(instance.state).value)
    return state, state is None and all(status.passed for status in statuses)


def finished_of(instances):
    return [one for one in instances if one.state in State.finished]


def member(state):
    return None if state is None else TaskInstanceState(state)


def multisets(size):
    return itertools.combinations_with_replacement(STATES, size)


def rule_cases():
    """What surrounds the task that is asked about; each is answered for every rule (teardowns: for theirs)."""
    kinds = [(state, setup) for setup in (False, True) for state in STATES]
    for size in (1, 2, 3):
        for upstream in itertools.combinations_with_replacement(kinds, size):
            yield {"upstream": upstream}
    # A mapped instance looks at how many of its upstream instances succeeded.
    for states in multisets(3):
        for map_index in (0, 1, 2):
            yield {"upstream": [(state, False) for state in states], "map_index": map_index}
    # Setups further up.
    for setups in itertools.chain(multisets(1), multisets(2)):
        for state in STATES:
            for map_index in (-1, 1):
                yield {"upstream": [(state, False)], "setups": setups, "map_index": map_index}
    # Teardowns, and what lies between their setups and them.
    for setup, work, between in itertools.product(STATES, STATES, STATES):
        yield {"upstream": [(setup, True), (work, False)], "scope": [between], "teardown": True}


_dags = {}


def dag_for(case, rule):
    flags = tuple(setup for _, setup in case["upstream"])
    shape = (rule, flags, len(case.get("setups", [])), len(case.get("scope", [])))
    if shape not in _dags:
        with DAG("d", start_date=START, schedule=None) as dag:
            target = EmptyOperator(task_id="target", trigger_rule=rule)
            direct = []
            for number, setup in enumerate(flags):
                one = EmptyOperator(task_id=f"up{number}")
                if setup:
                    one.is_setup = True
                direct.append(one)
            direct >> target
            for number in range(len(case.get("setups", []))):
                one = EmptyOperator(task_id=f"setup{number}")
                one.is_setup = True
                one >> direct[0]
            for number in range(len(case.get("scope", []))):
                direct[0] >> EmptyOperator(task_id=f"between{number}") >> direct[1]
            if case.get("teardown"):
                target.is_teardown = True
        _dags[shape] = serialized(dag)
    return _dags[shape]


LETTERS = {
    None: "-",
    "success": "s",
    "failed": "f",
    "skipped": "k",
    "upstream_failed": "u",
    "removed": "r",
    "scheduled": "y",
}
"""One letter per state or verdict; a capital one is a setup's, a dot was not asked."""


def answer(case, rule):
    if case.get("teardown") and rule != "all_done_setup_success":
        return "."
    dag = dag_for(case, rule)
    states = {f"up{n}": state for n, (state, _) in enumerate(case["upstream"])}
    states |= {f"setup{n}": state for n, state in enumerate(case.get("setups", []))}
    states |= {f"between{n}": state for n, state in enumerate(case.get("scope", []))}
    others = [FakeInstance(dag.get_task(task_id), member(state)) for task_id, state in states.items()]
    target = FakeInstance(dag.get_task("target"), map_index=case.get("map_index", -1))
    state, ready = ask_rule(target, finished_of(others))
    return LETTERS[state or ("scheduled" if ready else None)]


def answered(case):
    """[direct upstream, indirect setups, teardown scope, map index, one verdict per rule]."""
    direct = "".join(LETTERS[state].upper() if setup else LETTERS[state] for state, setup in case["upstream"])
    # A setup that has not finished has no capital dash.
    direct = "".join("+" if letter == "-" and setup else letter for letter, (_, setup) in zip(direct, case["upstream"]))
    setups = "".join(LETTERS[state] for state in case.get("setups", []))
    scope = "".join(LETTERS[state] for state in case.get("scope", []))
    verdicts = "".join(answer(case, rule) for rule in RULES)
    return [direct, setups, scope, case.get("map_index", -1), verdicts]


def retry_cases():
    dice = random.Random(3)
    for number in range(400):
        factor = dice.choice([0, 0, 1.0, 1.5, 2.0, 2.0, 3.3, 10.0, 0.5, 1e300])
        delay = dice.choice([0.0, 0.4, 1.0, 7.5, 300.0, 86400.0, 200000.0])
        longest = dice.choice([None, None, 60.0, 3600.0, 100000.0])
        logical = dice.choice([None, START + timedelta(seconds=number), START + timedelta(microseconds=number * 997 + 1)])
        instance = SimpleNamespace(
            dag_id=f"dag{number % 7}",
            task_id=f"group.task{number % 5}",
            try_number=dice.choice([1, 1, 2, 3, 5, 17, 60]),
            logical_date=logical,
            end_date=START + timedelta(hours=1, microseconds=number),
            retry_delay_override=None,
            log=logging.getLogger("golden"),
            task=SimpleNamespace(
                retry_delay=timedelta(seconds=delay),
                retry_exponential_backoff=factor,
                max_retry_delay=None if longest is None else timedelta(seconds=longest),
            ),
        )
        yield {
            "dag_id": instance.dag_id,
            "task_id": instance.task_id,
            "try_number": instance.try_number,
            "logical_date": None if logical is None else logical.isoformat(),
            "ended_at": instance.end_date.isoformat(),
            "retry_delay": delay,
            "factor": factor,
            "max_retry_delay": longest,
            "retry_at": TaskInstance.next_retry_datetime(instance).isoformat(),
        }


ORDINARY = [rule for rule in RULES if rule != "all_done_setup_success"]


def random_dag(dice, *, plain_rules=False):
    """A DAG of up to nine tasks, some of them setups with teardowns, and some branches."""
    size = dice.randint(2, 9)
    with DAG("d", start_date=START, schedule=None) as dag:
        tasks = []
        for number in range(size):
            rule = "all_success" if plain_rules or dice.random() < 0.5 else dice.choice(ORDINARY)
            tasks.append(EmptyOperator(task_id=f"t{number}", trigger_rule=rule))
        for later, earlier in itertools.combinations(reversed(range(size)), 2):
            if dice.random() < 0.3:
                tasks[earlier] >> tasks[later]
        for number in range(dice.choice([0, 0, 1, 2])):
            setup, teardown = EmptyOperator(task_id=f"s{number}"), EmptyOperator(task_id=f"x{number}")
            first, last = sorted(dice.sample(range(size), 2))
            setup >> tasks[first]
            tasks[last] >> teardown
            setup.as_setup()
            teardown.as_teardown(setups=setup, on_failure_fail_dagrun=dice.random() < 0.4)
    return serialized(dag)


def sorted_tasks(dag):
    left = dict(sorted(dag.task_dict.items()))
    while left:
        free = [task for task in left.values() if left.keys().isdisjoint(task.upstream_task_ids)]
        yield from free
        for task in free:
            del left[task.task_id]


def described(dag):
    """The parts of the DAG that scheduling looks at, by Airflow's own reckoning, in topological order."""
    described_tasks = []
    for task in sorted_tasks(dag):
        scope = set()
        if task.is_teardown:
            indirect = task.get_flat_relative_ids(upstream=True) - task.upstream_task_ids
            for setup in (one for one in task.upstream_list if one.is_setup):
                scope |= indirect & setup.get_flat_relative_ids(upstream=False)
        described_tasks.append(
            {
                "task_id": task.task_id,
                "upstream": sorted(task.upstream_task_ids),
                "downstream": sorted(task.downstream_task_ids),
                "trigger_rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                "is_setup": task.is_setup,
                "is_teardown": task.is_teardown,
                "on_failure_fail_dagrun": task.on_failure_fail_dagrun,
                "setups": sorted({one.task_id for one in task.get_upstreams_only_setups()}),
                "teardown_scope": sorted(scope),
            }
        )
    return described_tasks


def related_cases():
    dice = random.Random(5)
    for _ in range(120):
        dag = random_dag(dice, plain_rules=True)
        chosen = dice.sample(sorted(dag.task_dict), dice.choice([1, 1, 2]))
        answers = []
        for upstream, downstream in itertools.product((False, True), repeat=2):
            subset = dag.partial_subset(chosen, include_upstream=upstream, include_downstream=downstream)
            answers.append({"upstream": upstream, "downstream": downstream, "tasks": sorted(subset.task_dict)})
        yield {"tasks": described(dag), "chosen": sorted(chosen), "answers": answers}


def passes(instances):
    """Airflow's scheduling loops until nothing changes; returns what got ready."""
    ready = []
    while True:
        finished = finished_of(instances.values())
        before = [one.state for one in instances.values()]
        for one in instances.values():
            if one.state is None:
                _, may_run = ask_rule(one, finished)
                context = DepContext(finished_tis=finished)
                skips = list(NotPreviouslySkippedDep()._get_dep_statuses(one, context, session=None))
                if may_run and not skips:
                    one.state = TaskInstanceState.SCHEDULED
                    ready.append(one.task_id)
        if before == [one.state for one in instances.values()]:
            return ready


def whole_run(dice):
    dag = random_dag(dice)
    order = [task.task_id for task in sorted_tasks(dag)]
    instances = {task_id: FakeInstance(dag.get_task(task_id)) for task_id in order}
    xcoms = {}
    outcomes, choices = {}, {}
    for task_id, instance in instances.items():
        instance.xcoms = xcoms
        outcomes[task_id] = dice.choice(["success", "success", "success", "failed", "skipped"])
        teardowns = {one for one in instance.task.downstream_task_ids if dag.get_task(one).is_teardown}
        downstream = sorted(instance.task.downstream_task_ids - teardowns)
        if downstream and dice.random() < 0.25 and not instance.task.is_setup:
            outcomes[task_id] = "success"
            choices[task_id] = sorted({*dice.sample(downstream, dice.randint(0, len(downstream))), *teardowns})
            instance.task._can_skip_downstream = True
    waiting = passes(instances)
    ran = []
    while waiting:
        task_id = waiting.pop(dice.randrange(len(waiting)))
        ran.append(task_id)
        instance = instances[task_id]
        if task_id in choices:
            xcoms[task_id] = {"followed": choices[task_id]}
            for other in sorted(instance.task.downstream_task_ids):
                skippable = instances[other].state not in (
                    TaskInstanceState.RUNNING, TaskInstanceState.SUCCESS, TaskInstanceState.FAILED
                )
                if other not in choices[task_id] and skippable:
                    instances[other].state = TaskInstanceState.SKIPPED
                    if other in waiting:
                        waiting.remove(other)
        instance.state = TaskInstanceState(outcomes[task_id])
        waiting += passes(instances)
    counted = DagRun._tis_for_dagrun_state(None, dag=dag, tis=instances.values())
    unfinished = [one for one in instances.values() if one.state not in State.finished]
    failed = bool(unfinished) or any(one.state in State.failed_states for one in counted)
    return {
        "tasks": described(dag),
        "outcomes": outcomes,
        "followed": choices,
        "order": ran,
        "states": {one.task_id: None if one.state is None else str(one.state.value) for one in instances.values()},
        "run": "failed" if failed else "success",
        "deadlocked": bool(unfinished),
    }


def write(name, rows):
    rows = list(rows)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    (HERE / name).write_text(f"[\n{lines}\n]\n")
    print(name, len(rows))


def main():
    write("trigger_rules.json", [RULES, *(answered(case) for case in rule_cases())])
    write("retry_times.json", retry_cases())
    write("related_tasks.json", related_cases())
    dice = random.Random(7)
    write("whole_runs.json", (whole_run(dice) for _ in range(300)))


main()
