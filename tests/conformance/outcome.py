"""How a case ended: read over HTTP, the same way from both, in one shape that can be kept and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, Protocol
from urllib.parse import quote

from benchmarks.processes import pause, wait_for
from tests.conformance.cases import Case, Start

Outcome = dict[str, Any]
"""``{"runs": {dag_id/run_id: {state, run_type, logical_date, …, tasks: {…}}}, "lines": {…}}``"""

VARIES = "varies"
"""Stands for a value that no two runs share: links name a host and a port, and some tasks tell the time."""
RECENT = datetime(2025, 1, 1, tzinfo=UTC)
"""Dates that the cases name lie before it; what lies behind it was the time of the run."""
FINISHED = frozenset({"success", "failed"})
GOLDEN = Path(__file__).parent / "golden" / "airflow-3.3.2"


class System(Protocol):
    """What conformance asks of Airflow and of Airgate."""

    out: Path
    """The folder that its tasks write their witness lines to."""
    bound: float
    """Seconds in which a run should end."""
    linger: float
    """Seconds in which a scheduled run too many would show up."""

    def get(self, path: str) -> Any:
        """GET below the dialect's base path, decoded; raises for a status other than 2xx."""

    def pause(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG, or let its runs start."""

    def start(self, dag_id: str, start: Start) -> None:
        """Post a run."""

    def xcom_query(self) -> str:
        """The query that makes an XCom's value come as JSON."""


@dataclass
class Reader:
    """Performs a case on a system and reads how it ended."""

    system: System

    def perform(self, case: Case) -> Outcome:
        """Start the case's runs, wait for their ends, and read them."""
        keys = self._scheduled(case) if case.scheduled else self._started(case)
        for child, runs in case.children.items():
            for run_id in runs:
                self._await(child, run_id)
                keys.append((child, run_id))
        return {"runs": {f"{dag_id}/{run_id}": self.run(case, dag_id, run_id) for dag_id, run_id in keys}}

    def _started(self, case: Case) -> list[tuple[str, str]]:
        for child in case.children:
            self.system.pause(child, paused=False)
        self.system.pause(case.dag_id, paused=False)
        for start in case.starts:
            self.system.start(case.dag_id, start)
            if not start.at_once:
                self._await(case.dag_id, start.run_id)
        for start in case.starts:
            self._await(case.dag_id, start.run_id)
        if not case.children:
            self.system.pause(case.dag_id, paused=True)
        return [(case.dag_id, start.run_id) for start in case.starts]

    def _await(self, dag_id: str, run_id: str) -> None:
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        wait_for(
            lambda: self._state(path) in FINISHED, within=self.system.bound, every=0.2, what=f"{dag_id} {run_id} ends"
        )

    def _state(self, path: str) -> str:
        return str(self.system.get(path)["state"])

    def _scheduled(self, case: Case) -> list[tuple[str, str]]:
        self.system.pause(case.dag_id, paused=False)
        found: list[str] = []

        def all_ended() -> bool:
            runs = self.system.get(f"/dags/{case.dag_id}/dagRuns?limit=100")["dag_runs"]
            found[:] = sorted(run["dag_run_id"] for run in runs if run["state"] in FINISHED)
            return len(found) >= case.scheduled

        wait_for(all_ended, within=self.system.bound, every=0.5, what=f"{case.scheduled} runs of {case.dag_id} end")
        pause(self.system.linger)
        all_ended()
        self.system.pause(case.dag_id, paused=True)
        return [(case.dag_id, run_id) for run_id in found]

    def run(self, case: Case, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run with its tasks, tries and XComs."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        run = self.system.get(path)
        tasks = {_name(task): self._task(path, task) for task in self._pages(f"{path}/taskInstances", "task_instances")}
        for entry in self._pages(f"{path}/taskInstances/~/xcomEntries", "xcom_entries"):
            name, key = _name(entry), entry["key"]
            fixed = f"{name}.{key}" not in case.varying and not key.startswith("_link_")
            tasks[name]["xcoms"][key] = _value_of(key, self._value(path, entry)) if fixed else VARIES
        for task in tasks.values():
            task["xcoms"] = dict(sorted(task["xcoms"].items()))
        return {
            "state": run["state"],
            "run_type": run["run_type"],
            "logical_date": moment(run["logical_date"]),
            "data_interval": [moment(run["data_interval_start"]), moment(run["data_interval_end"])],
            "conf": run["conf"] or {},
            "tasks": dict(sorted(tasks.items())),
        }

    def _task(self, path: str, task: Mapping[str, Any]) -> dict[str, Any]:
        index = "" if task["map_index"] < 0 else f"/{task['map_index']}"
        tries = self._pages(f"{path}/taskInstances/{task['task_id']}{index}/tries", "task_instances")
        return {
            "state": task["state"],
            "try_number": task["try_number"],
            "tries": _tries(tries),
            "xcoms": {},
        }

    def _value(self, path: str, entry: Mapping[str, Any]) -> Any:
        key = quote(entry["key"], safe="")
        query = self.system.xcom_query()
        where = f"{path}/taskInstances/{entry['task_id']}/xcomEntries/{key}?map_index={entry['map_index']}{query}"
        return self.system.get(where)["value"]

    def _pages(self, path: str, plural: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self.system.get(f"{path}?limit=100&offset={offset}")
            yield from page[plural]
            offset += len(page[plural])
            if not page[plural] or offset >= page["total_entries"]:
                return

    def lines(self, outcome: Outcome) -> dict[str, list[str]]:
        """The witness lines of an outcome's runs, sorted: processes write them in no fixed order."""
        found = {}
        for key in outcome["runs"]:
            path = self.system.out / f"{key.replace('/', '.', 1)}.lines"
            if path.exists():
                found[key] = sorted(path.read_text(encoding="utf-8").splitlines())
        return found


def _tries(tries: Iterable[Mapping[str, Any]]) -> list[str]:
    """How each try ended. What was never tried is listed as try 0; that is no try."""
    return [
        f"{number} {state}" for number, state in sorted((one["try_number"], one["state"]) for one in tries) if number
    ]


def _name(task: Mapping[str, Any]) -> str:
    return str(task["task_id"]) if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


def moment(text: str | None) -> str | None:
    """A date in one spelling, whichever dialect it came from."""
    if text is None:
        return None
    date = datetime.fromisoformat(text).astimezone(UTC)
    return date.isoformat() if date < RECENT else VARIES


def _value_of(key: str, value: Any) -> Any:
    """What an XCom says. What a branch followed or skipped is a set, its order an accident."""
    if key == "skipmixin_key":
        return {word: sorted(names) for word, names in value.items()}
    return value


@dataclass
class Performance:
    """Cases performed beside each other, a few at once."""

    outcomes: dict[str, Future[Outcome]]
    pool: ThreadPoolExecutor

    @classmethod
    def begin(cls, system: System, cases: Sequence[Case], *, at_once: int) -> Performance:
        """Start with all cases, in their order. A case that waits for another comes later in the list."""
        reader = Reader(system)
        done = {case.dag_id: Event() for case in cases}

        def perform(case: Case) -> Outcome:
            try:
                for other in case.after:
                    if other in done:
                        done[other].wait(system.bound)
                return reader.perform(case)
            finally:
                done[case.dag_id].set()

        pool = ThreadPoolExecutor(at_once)
        return cls({case.dag_id: pool.submit(perform, case) for case in cases}, pool)

    def end(self) -> None:
        """Leave out what has not begun."""
        self.pool.shutdown(wait=True, cancel_futures=True)


def golden_path(case: Case) -> Path:
    """Where the outcome on Airflow is kept."""
    return GOLDEN / f"{case.dag_id}.json"


def read_golden(case: Case) -> Outcome:
    """The outcome on Airflow."""
    outcome: Outcome = json.loads(golden_path(case).read_text(encoding="utf-8"))
    return outcome


def write_golden(case: Case, outcome: Outcome) -> None:
    """Keep the outcome on Airflow."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    text = json.dumps(outcome, indent=1, ensure_ascii=False, sort_keys=False)
    golden_path(case).write_text(text + os.linesep, encoding="utf-8")


def differences(expected: Any, actual: Any, where: str = "") -> Iterator[str]:
    """Every place where two outcomes differ, one line each."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            place = f"{where}.{key}" if where else key
            if key not in actual:
                yield f"{place}: Airflow has {_short(expected[key])}, Airgate nothing"
            elif key not in expected:
                yield f"{place}: Airflow has nothing, Airgate {_short(actual[key])}"
            else:
                yield from differences(expected[key], actual[key], place)
    elif expected != actual or isinstance(expected, bool) is not isinstance(actual, bool):
        yield f"{where}: Airflow has {_short(expected)}, Airgate {_short(actual)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:200]}…"
