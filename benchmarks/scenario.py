"""The form of a scenario and of what it finds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.peers.airflow import Airflow
from benchmarks.peers.airgate import Airgate

DAGS = Path(__file__).parent / "dags"
FILES = 20
"""DAG files in the folder, those that are only there to be there included."""
IDLE_FILE = '''"""A DAG that nobody triggers."""

from airflow.sdk import DAG, task

with DAG("idle_{number:02}", schedule=None, catchup=False):

    @task
    def nothing():
        return None

    nothing()
'''


class Found(msgspec.Struct, kw_only=True):
    """What one peer did in one scenario."""

    rounds: list[float]
    """One figure per round, in the scenario's unit."""
    notes: dict[str, Any] = {}
    """Further facts, e.g. a p99, or how many answers were no 2xx."""

    @property
    def figure(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)


@dataclass(frozen=True)
class Extra:
    """One more row from a scenario's notes."""

    title: str
    note: str
    unit: str
    must: float | None
    aim: float | None


@dataclass(frozen=True)
class Scenario:
    """One row of the table, or more."""

    name: str
    title: str
    unit: str
    airgate: Callable[[Path], Found]
    """Measures Airgate on a filled DAG folder, with servers of its own."""
    airflow: Callable[[Airflow], Found] | None
    """Measures a running Airflow that other scenarios use too. None: there is nothing to compare with."""
    must: float | None
    aim: float | None
    """What is promised; None for a figure that is shown for what it is."""
    more_is_better: bool = False
    compare_with: str | None = None
    """The scenario whose Airflow figure this row shows; its own where None."""
    extras: tuple[Extra, ...] = ()


@contextmanager
def dag_folder() -> Iterator[Path]:
    """A DAG folder of twenty files: the benchmarks' own, and idle ones."""
    folder = Path(tempfile.mkdtemp(prefix="bench-dags-"))
    try:
        for file in DAGS.glob("*.py"):
            shutil.copy(file, folder)
        for number in range(FILES - len(list(folder.glob("*.py")))):
            (folder / f"idle_{number:02}.py").write_text(IDLE_FILE.format(number=number), encoding="utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


BENCH_DAGS = {"bench_one", "bench_burst", "bench_paused", "bench_busy", "bench_chain_10", "bench_chain_40"}


@contextmanager
def airgate(folder: Path, **settings: str) -> Iterator[Airgate]:
    """A fresh Airgate that knows all DAGs; `engine_isolation="reuse"` and the like become its environment."""
    extra = {f"AIRGATE_{name.upper()}": value for name, value in settings.items()}
    with Airgate(folder, extra) as server:
        server.wait_for_dags(BENCH_DAGS)
        yield server
