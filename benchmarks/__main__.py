"""Measure Airgate and its peer, and print the table.

Usage: `python -m benchmarks [--only NAME ...] [--skip-peer] [--json FILE] [--write-docs] [--from FILE]`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import msgspec

from benchmarks import report
from benchmarks.peers.airflow import Airflow
from benchmarks.processes import end_on_sigterm
from benchmarks.report import Results
from benchmarks.scenario import BENCH_DAGS, Found, Scenario, dag_folder
from benchmarks.scenarios import batch, gets, lists, posts, rest, runs, triggers, webhooks

SCENARIOS: tuple[Scenario, ...] = (
    *runs.SCENARIOS,
    *posts.SCENARIOS,
    *batch.SCENARIOS,
    *triggers.SCENARIOS,
    *webhooks.SCENARIOS,
    *gets.SCENARIOS,
    *lists.SCENARIOS,
    *rest.SCENARIOS,
)
PEER_ORDER = ("idle", "start", "post", "gets", "one_task", "chain_10", "chain_40", "burst", "posts", "posts_running")
"""On the one Airflow: what needs quiet first, what leaves a backlog last."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; 1 if a scenario could not be measured or missed its bound."""
    end_on_sigterm()
    given = _parse(arguments)
    chosen = [scenario for scenario in SCENARIOS if not given.only or scenario.name in given.only]
    if given.results is not None:
        results = msgspec.json.decode(given.results.read_bytes(), type=Results)
    else:
        results = measure(chosen, peer=not given.skip_peer)
    lines = list(report.rows(chosen, results))
    print(f"\n{report.machine_line(results)}\n\n{report.as_text(lines)}")
    for name, reason in results.failures.items():
        print(f"not measured: {name}: {reason}")
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    if given.write_docs:
        report.write_document(chosen, results)
    return 1 if results.failures or any(line.reached == "missed" for line in lines) else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Airgate beside its peers, in ratios.")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", action="append", choices=names, help="measure only this; may be given more than once")
    parser.add_argument("--skip-peer", action="store_true", help="leave Airflow out")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--from", dest="results", type=Path, help="measure nothing, take the figures of such a file")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/benchmarks.md")
    return parser.parse_args(arguments)


def measure(scenarios: Sequence[Scenario], *, peer: bool) -> Results:
    """Run the scenarios, Airgate first, the peer after it: never both at once."""
    results = Results(measured_at=datetime.now(UTC), machine=report.this_machine(), airgate={}, airflow={})
    with dag_folder() as folder:
        for scenario in scenarios:
            begin = _announce("Airgate", scenario)
            try:
                results.airgate[scenario.name] = scenario.airgate(folder)
            except Exception as error:  # noqa: BLE001  # one broken scenario must not cost the others' figures
                results.failures[scenario.name] = f"{type(error).__name__}: {error}"
            _conclude(begin, results.airgate.get(scenario.name), scenario)
        if peer:
            _measure_peer(folder, scenarios, results)
    return results


def _measure_peer(folder: Path, scenarios: Sequence[Scenario], results: Results) -> None:
    wanted = {scenario.name for scenario in scenarios} | {scenario.compare_with for scenario in scenarios}
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    order = [by_name[name] for name in PEER_ORDER if name in wanted]
    if not order:
        return
    with Airflow(folder) as airflow:
        airflow.wait_for_dags(BENCH_DAGS)
        for scenario in order:
            assert scenario.airflow is not None
            begin = _announce(airflow.name, scenario)
            try:
                results.airflow[scenario.name] = scenario.airflow(airflow)
            except Exception as error:  # noqa: BLE001  # as above
                results.failures[f"{scenario.name} on {airflow.name}"] = f"{type(error).__name__}: {error}"
            _conclude(begin, results.airflow.get(scenario.name), scenario)


def _announce(name: str, scenario: Scenario) -> float:
    print(f"{name}: {scenario.title} ...", end=" ", flush=True)
    return monotonic()


def _conclude(begin: float, found: Found | None, scenario: Scenario) -> None:
    figure = "failed" if found is None else f"{found.figure:.4g} {scenario.unit}"
    print(f"{figure} (took {monotonic() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
