"""The table: what was found, beside the peer, against what was promised."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from benchmarks.peers.airflow import VERSION
from benchmarks.scenario import Found, Scenario

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Machine(msgspec.Struct, kw_only=True):
    """Where it was measured."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str


class Results(msgspec.Struct, kw_only=True):
    """All figures of one run of the benchmarks."""

    measured_at: datetime
    machine: Machine
    airgate: dict[str, Found]
    airflow: dict[str, Found]
    failures: dict[str, str] = {}
    """Scenarios that could not be measured, and why."""


@dataclass(frozen=True)
class Row:
    """One line of the table, in words."""

    title: str
    peer: str
    ours: str
    ratio: str
    must: str
    aim: str
    reached: str


HEAD = Row("", f"Airflow {VERSION}", "Airgate", "ratio", "must", "aim", "reached")


def this_machine() -> Machine:
    """The facts that figures depend on."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def rows(scenarios: Sequence[Scenario], results: Results) -> Iterator[Row]:
    """The lines of the table, in the order of the scenarios; a failed one says so."""
    for scenario in scenarios:
        ours = results.airgate.get(scenario.name)
        peer = results.airflow.get(scenario.compare_with or scenario.name)
        if ours is None:
            if scenario.name in results.failures:
                yield Row(scenario.title, "", "not measured", "", "", "", "failed")
            continue
        yield _row(scenario.title, scenario.unit, (scenario.must, scenario.aim), ours, peer, _figure, scenario)
        for extra in scenario.extras:
            read = _note(extra.note)
            yield _row(extra.title, extra.unit, (extra.must, extra.aim), ours, peer, read, None)


Bounds = tuple[float | None, float | None]
Reading = Callable[[Found], float | None]


def _figure(found: Found) -> float | None:
    return found.figure


def _note(name: str) -> Reading:
    return lambda found: found.notes.get(name)


def _row(
    title: str,
    unit: str,
    bounds: Bounds,
    ours: Found,
    peer: Found | None,
    read: Reading,
    scenario: Scenario | None,
) -> Row:
    more = scenario is not None and scenario.more_is_better
    mine, theirs = read(ours), None if peer is None else read(peer)
    return Row(
        title=title,
        peer=_shown(theirs, unit),
        ours=_shown(mine, unit),
        ratio=_ratio(mine, theirs, more=more),
        must=_shown(bounds[0], unit),
        aim=_shown(bounds[1], unit),
        reached=reached(mine, bounds, more=more),
    )


def reached(figure: float | None, bounds: Bounds, *, more: bool) -> str:
    """``aim``, ``must`` or ``missed``; nothing where nothing was promised."""
    if bounds == (None, None):
        return ""
    for word, bound in (("aim", bounds[1]), ("must", bounds[0])):
        if figure is not None and bound is not None and ((figure >= bound) if more else (figure <= bound)):
            return word
    return "missed"


def _ratio(mine: float | None, theirs: float | None, *, more: bool) -> str:
    if mine is None or theirs is None or 0 in {mine, theirs}:
        return "-"
    ratio = mine / theirs if more else theirs / mine
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.1f} x"


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    if value >= 100:
        return f"{value:,.0f} {unit}".strip()
    return f"{value:.3g} {unit}".strip()


def as_markdown(lines: Sequence[Row]) -> str:
    """The table for the document."""
    cells = [_cells(HEAD), ["---"] * len(_cells(HEAD)), *(_cells(line) for line in lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def as_text(lines: Sequence[Row]) -> str:
    """The table for a terminal."""
    table = [_cells(HEAD), *(_cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)


def _cells(row: Row) -> list[str]:
    return [row.title, row.peer, row.ours, row.ratio, row.must, row.aim, row.reached]


def machine_line(results: Results) -> str:
    """When and where, in a sentence."""
    machine = results.machine
    return (
        f"Measured on {results.measured_at:%d %B %Y}: {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gb:g} GB, {machine.system}, Python {machine.python}."
    )


def write_document(scenarios: Sequence[Scenario], results: Results) -> None:
    """Put the table and the machine between the two marks of the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    figures = f"{machine_line(results)}\n\n{as_markdown(list(rows(scenarios, results)))}{_troubles(results.failures)}"
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")


def _troubles(failures: Mapping[str, str]) -> str:
    return "".join(f"\n\nNot measured: `{name}` ({reason})." for name, reason in failures.items())
