"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WITHOUT_TERMINAL: Final = 1000

STATE_STYLES: Final = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "dark_orange",
    "running": "bright_cyan",
    "queued": "bright_black",
    "scheduled": "bright_black",
    "skipped": "magenta",
    "up_for_retry": "yellow",
    "removed": "bright_black",
}


class Output:
    """Where a command's results go.

    Results go to the standard output; remarks go to the standard error, and are left out for scripts.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = _console()
        self._errors = _console(stderr=True)

    def json(self, value: Any) -> None:
        """Print a value as JSON."""
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def rows(self, value: list[Any], columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
        """Print a list: its items for scripts, a table for people, or a word on why there is nothing in it."""
        if self.as_json:
            self.json(value)
        elif value:
            self.console.print(table(columns, rows))
        else:
            self.remark(empty)

    def facts(self, value: Any, pairs: Iterable[tuple[str, Any]]) -> None:
        """Print one thing: whole for scripts, its main facts for people."""
        if self.as_json:
            self.json(value)
            return
        grid = Table.grid(padding=(0, 2))
        for name, fact in pairs:
            if fact not in (None, "", [], {}):
                grid.add_row(Text(name, style="bright_black"), cell(fact))
        self.console.print(grid)

    def done(self, value: Any, sentence: str) -> None:
        """Say what was done: the thing itself for scripts, a sentence for people."""
        if self.as_json:
            self.json(value)
        else:
            self.console.print(sentence)

    def text(self, text: str) -> None:
        """Print text as it is."""
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")

    def remark(self, sentence: str) -> None:
        """Say something that is no result."""
        if not self.as_json:
            self._errors.print(sentence)


def _console(*, stderr: bool = False) -> Console:
    """A console that prints what it is given. Only a terminal makes it break long lines."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WITHOUT_TERMINAL
    return console


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table in the house style."""
    drawn = Table(box=None, header_style="bright_black", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(cell(value) for value in row))
    return drawn


def plain(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that no terminal folds: what is copied out of it stays whole."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        " " + "     ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def when(date: str | None) -> str | None:
    """A date of the API, to the second and without its offset, which is always UTC's."""
    return None if date is None else datetime.fromisoformat(date).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def cell(value: Any) -> Text:
    """A value as text; states have their colours."""
    if value is None:
        return Text("-", style="bright_black")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, float):
        return Text(f"{value:.2f}s")
    if isinstance(value, (list, dict)):
        return Text(json.dumps(value, ensure_ascii=False))
    return Text(str(value), style=STATE_STYLES.get(str(value), ""))
