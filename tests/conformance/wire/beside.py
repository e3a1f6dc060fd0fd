"""Airgate beside a real Airflow: the same DAG files, the same requests in the same order, and the answers of both."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.airgate import PASSWORD, USER, Airgate
from benchmarks.processes import NotInTime, wait_for
from tests.conformance.wire.exchange import Answer, Request, Verdict, differences
from tests.conformance.wire.real import DAGS, RealAirflow, send

PATIENCE = 20.0
"""Seconds within which what takes a moment has happened."""


class Outcome(NamedTuple):
    """What both answered to a request, and what tells the answers apart."""

    request: Request
    theirs: Answer
    ours: Answer

    @property
    def found(self) -> list[str]:
        """The differences, one line each."""
        return differences(self.request, self.theirs, self.ours)

    @property
    def complaint(self) -> str | None:
        """What is wrong with the promise; None where it is kept."""
        found = self.found
        if self.request.verdict is Verdict.SAME:
            return "\n".join(["not the same:", *found]) if found else None
        if not found:
            return f"promised to be {self.request.verdict.value}, but there is no difference"
        wanted = self.request.status
        return None if self.ours.status == wanted else f"Airgate answers {self.ours.status}, not {wanted}"


def dag_files(folder: Path) -> Path:
    """A DAG folder of a system's own, filled."""
    shutil.copytree(DAGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def airgate(scratch: Path) -> Airgate:
    """An Airgate, not yet started, with the same DAG files, paused at first as Airflow's are."""
    settings = {"AIRGATE_ENGINE_DAGS_PAUSED_AT_CREATION": "true"}
    return Airgate(dag_files(scratch / "dags"), settings, data=scratch / "data")


def compare(requests: Sequence[Request], airflow: RealAirflow, airgate: Airgate) -> list[Outcome]:
    """Send every request to both, in their order."""
    return [_ask_both(request, airflow, f"http://127.0.0.1:{airgate.port}{airflow.prefix}") for request in requests]


def _ask_both(request: Request, airflow: RealAirflow, base: str) -> Outcome:
    theirs = airflow.send(request)
    ours = send(base, (USER, PASSWORD), request)
    if request.patient and theirs.status != ours.status:

        def alike() -> bool:
            nonlocal ours
            ours = send(base, (USER, PASSWORD), request)
            return ours.status == theirs.status

        with contextlib.suppress(NotInTime):  # the comparison will show it
            wait_for(alike, within=PATIENCE, every=0.05, what=request.name)
    return Outcome(request, theirs, ours)


def table(requests: Sequence[Request]) -> list[str]:
    """The promises as rows of a table, one per operation, in the order in which they first appear.

    An operation is the worst of what is promised of its requests, and names every reason once.
    """
    operations: dict[str, list[Request]] = {}
    for request in requests:
        operations.setdefault(request.operation, []).append(request)
    rows = ["| operation | beside Airflow |", "|---|---|"]
    for operation, sent in operations.items():
        notes = [f"**{verdict.value}**: {why}" for verdict, why in _reasons(sent)]
        rows.append(f"| `{operation}` | {'; '.join(['same', *notes] if _some_same(sent) else notes)} |")
    return rows


def _some_same(sent: Sequence[Request]) -> bool:
    return any(request.verdict is Verdict.SAME for request in sent)


def _reasons(sent: Sequence[Request]) -> list[tuple[Verdict, str]]:
    found = dict.fromkeys((request.verdict, request.why) for request in sent if request.verdict is not Verdict.SAME)
    return sorted(found, key=lambda reason: reason[0] is Verdict.DIFFERS)
