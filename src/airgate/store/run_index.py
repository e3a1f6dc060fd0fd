"""Long lists of runs, in any order and with any filter, from bits that are kept in memory.

No index of a database finds the 900,000th of the runs that started in March, failed, and ended before noon, nor counts
them. `RunIndex` keeps what lists are filtered and sorted by as bits (see `_bits`), some 30 bytes per run. It finds out
which few runs a page may hold; the database then sorts and reads these.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Boolean, Text, func, select, type_coerce
from sqlalchemy import cast as sql_cast

from airgate.model.query import Listing, Order, Page, RunFilter, Span
from airgate.model.run import DagRun
from airgate.model.states import RunState
from airgate.store import _bits as bits
from airgate.store import _schema as schema
from airgate.store import runs
from airgate.store._bits import Selection, Slices
from airgate.store._types import EPOCH, MICROSECOND
from airgate.store.database import Tx

FEW = 5_000
"""So many runs any database sorts and counts at once; the index is not made for them."""
MANY = 50_000
"""From so many runs on, the index is read part by part, and after a start before it is asked for."""
NEAR = 500
"""So far into a list the database walks without an index of its own."""
MOST = 1_000
"""Longer pages are read from the database as a whole."""

_RUN = schema.dag_run
_BLOCKS_OF_CHUNK_BITS = bits.ROW_BITS - schema.RUN_BLOCK_BITS
_ONE_BY_ONE = 8
"""Where more blocks of a chunk have changed than this, all of it is read again."""
_ZERO = 1 << 58
"""What stands for 1970: every date there is becomes positive. None becomes 0, less than any date."""
_STATES = {state.value: code for code, state in enumerate(sorted(RunState))}
_TEXT_BYTES = 48
_DATES = ("execution_date", "start_date", "end_date", "updated_at")
_TEXTS = ("dag_id", "run_id", "conf")
_BY_PLACE = "seq"

Encode = Callable[[Sequence[Any]], bytes]
"""Numbers that compare as the values of a column do, written one after another in big-endian bytes."""


def is_short(which: RunFilter, order: Order, page: Page) -> bool:
    """Whether an index of the database gives this page, and counters the total, whatever the tables hold."""
    if which.run_ids is not None:
        return True
    if page.offset > NEAR or which != RunFilter(dag_ids=which.dag_ids, states=which.states):
        return False
    one_dag = which.dag_ids is not None and len(which.dag_ids) == 1
    if which.dag_ids is not None and not one_dag:
        return False
    if which.states is None:
        return order.field == _BY_PLACE or (one_dag and order.field in {"run_id", *_DATES[:3]})
    return order.field == _BY_PLACE and one_dag and len(which.states) == 1


class RunIndex:
    """The index, as of the snapshot of the newest call. Used by one thread only: see `Database.read_apart`."""

    def __init__(self, few: int = FEW, many: int = MANY) -> None:
        self._few = few
        self._many = many
        self._dags = _Codes()
        self._common = _Sheet(
            {
                "state": _Column(1, _states),
                "external_trigger": _Column(1, _flags),
                "dag": _Column(4, self._dags.encode),
                **{name: _Column(8, _moments) for name in _DATES},
            }
        )
        # Texts are wide, and seldom sorted by: each is read when one sorts by it first.
        self._texts = {name: _Sheet({name: _Column(_TEXT_BYTES + 1, _texts)}) for name in _TEXTS}
        self._prepared: set[str] = set()

    def prepared(self, name: str) -> bool:
        """Whether lists in this order need not read much first. Any thread may ask."""
        return name in self._prepared

    def prepare(self, tx: Tx, name: str) -> bool:
        """Read a part of what lists in this order need, where that takes long; say whether more is left.

        Called until nothing is left, so that other lists come in between.
        """
        left = False
        if runs.count(tx, RunFilter()) > self._many:
            versions = runs.block_versions(tx)
            left = self._common.catch_up(tx, versions, chunks=1)
            if not left and name in self._texts:
                left = self._texts[name].catch_up(tx, versions, chunks=1)
        if not left:
            self._prepared.add(name)
        return left

    def list_runs(self, tx: Tx, which: RunFilter, order: Order, page: Page) -> Listing[DagRun]:
        """As `runs.list_runs`: one page of the runs that match, and how many match."""
        fields = {_BY_PLACE, "state", "external_trigger", *_DATES, *_TEXTS}
        plain = order.field not in fields or page.limit > MOST or which.run_ids is not None
        if plain or runs.count(tx, RunFilter()) <= self._few or runs.few_changed(tx, which, NEAR):
            return runs.list_runs(tx, which, order, page)
        column = self._catch_up(tx, order.field)
        matching = self._matching(which)
        total = bits.size(matching)
        first, last = _ranks(total, order, page)
        if first >= last:
            return Listing((), total)
        if column is None:
            return Listing(runs.page_of(tx, list(bits.places(bits.numbered(matching, first, last))), order), total)
        found = bits.narrow(matching, column, first, last, 2 * page.limit)
        if order.field in _TEXTS and any(part.rows & column[part.chunk][-1] for part in found.tied):
            return Listing(runs.page(tx, which, order, page), total)  # alike as far as the index has read them
        skip = bits.size(found.rows) - found.skip - (last - first) if order.descending else found.skip
        window = Page(last - first, skip)
        return Listing(runs.page_of(tx, list(bits.places(found.rows)), order, window), total)

    def _catch_up(self, tx: Tx, name: str) -> Mapping[int, Slices] | None:
        """Read what has changed, and give the column to sort by; None where that is the order of creation."""
        versions = runs.block_versions(tx)
        self._common.catch_up(tx, versions)
        if name == _BY_PLACE:
            return None
        if name not in _TEXTS:
            return self._common.columns[name].slices
        self._texts[name].catch_up(tx, versions)
        return self._texts[name].columns[name].slices

    def _matching(self, which: RunFilter) -> Selection:
        columns = self._common.columns
        sets = []
        if which.dag_ids is not None:
            sets.append((columns["dag"].slices, self._dags.known(which.dag_ids)))
        if which.states is not None:
            sets.append((columns["state"].slices, {_STATES[state.value] for state in which.states}))
        spans = [(columns[name].slices, *_bounds(getattr(which, name))) for name in _DATES]
        found: Selection = []
        for chunk, present in sorted(self._common.present.items()):
            rows = present
            for slices, numbers in sets:
                rows = bits.among(rows, slices[chunk], numbers)
            for slices, low, high in spans:
                rows = bits.between(rows, slices[chunk], low, high)
            if rows:
                found.append(bits.Part(chunk, rows, rows.bit_count()))
        return found


def _ranks(total: int, order: Order, page: Page) -> tuple[int, int]:
    """Which of the matching runs are on the page, counted in rising order."""
    first, last = min(page.offset, total), min(page.offset + page.limit, total)
    return (total - last, total - first) if order.descending else (first, last)


@dataclass
class _Column:
    """One column of all runs, per chunk."""

    width: int
    """Bytes of a number."""
    encode: Encode
    slices: dict[int, list[int]] = field(default_factory=dict)


class _Sheet:
    """Columns that are read together, and of which block versions they are."""

    def __init__(self, columns: Mapping[str, _Column]) -> None:
        self.columns = columns
        self.present: dict[int, int] = {}
        """Which places of a chunk hold a run."""
        self._versions: dict[int, int] = {}

    def catch_up(self, tx: Tx, versions: Mapping[int, int], chunks: int | None = None) -> bool:
        """Read the blocks of runs that have changed, of so many chunks; say whether others are left."""
        stale = sorted(block for block, _ in versions.items() - self._versions.items())
        by_chunk = [(chunk, list(blocks)) for chunk, blocks in groupby(stale, lambda one: one >> _BLOCKS_OF_CHUNK_BITS)]
        for chunk, changed in by_chunk[:chunks]:
            if len(changed) > _ONE_BY_ONE:
                self._read(tx, chunk, 0, bits.ROWS)
            else:
                for block in changed:
                    at = (block << schema.RUN_BLOCK_BITS) - (chunk << bits.ROW_BITS)
                    self._read(tx, chunk, at, 1 << schema.RUN_BLOCK_BITS)
            self._versions.update((block, versions[block]) for block in changed)
        return chunks is not None and len(by_chunk) > chunks

    def _read(self, tx: Tx, chunk: int, at: int, length: int) -> None:
        """Replace a window of a chunk by what is stored now."""
        start = (chunk << bits.ROW_BITS) + at
        wanted = [_RUN.c.seq, *(_raw(tx, _SOURCES.get(name, name)) for name in self.columns)]
        found = tx.run(select(*wanted).where(_RUN.c.seq >= start, _RUN.c.seq < start + length))
        rows = found.cursor.fetchall()  # as the driver gives them: a million rows are read here at times
        seqs, *values = zip(*rows, strict=True) if rows else ((), *(() for _ in self.columns))
        places = [seq - start for seq in seqs]
        held = sum(map((1).__lshift__, places)) if len(places) < length else (1 << length) - 1
        self.present[chunk] = bits.paste(self.present.get(chunk, 0), held, at, length)
        for column, given in zip(self.columns.values(), values, strict=True):
            new = bits.cut(column.encode(_spread(given, places, length)), column.width) if given else None
            old = column.slices.setdefault(chunk, new or [0] * column.width * 8)
            column.slices[chunk] = [bits.paste(*pair, at, length) for pair in zip(old, new or old, strict=True)]


_SOURCES = {"dag": "dag_id"}


def _spread(values: Sequence[Any], places: Sequence[int], length: int) -> Sequence[Any]:
    """The values at their places. What stands at the others matters to nobody, and is like one that is there."""
    if len(values) == length:
        return values
    spread = [values[0]] * length
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return spread


def _raw(tx: Tx, name: str) -> Any:
    """A column as the cheapest Python value: dates as microseconds since 1970."""
    column = _RUN.c[name]
    if name not in _DATES:
        return type_coerce(column, Boolean if name == "external_trigger" else Text)
    if tx.connection.dialect.name == "postgresql":
        return sql_cast(func.extract("epoch", column) * 1_000_000, BigInteger)
    return type_coerce(column, BigInteger)


def _moments(values: Sequence[int | None]) -> bytes:
    numbers = array("Q", [0 if value is None else value + _ZERO for value in values])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _bounds(span: Span) -> tuple[int, int]:
    """The least number in the span, and the least above it; 0 for a bound that is not there."""
    low = 0 if span.start is None else _number(span.start)
    high = 0 if span.end is None else _number(span.end) + 1
    return (1 if high and not low else low), high  # no date lies in no span


def _number(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND + _ZERO


def _states(values: Sequence[str]) -> bytes:
    return bytes(map(_STATES.__getitem__, values))


def _flags(values: Sequence[bool]) -> bytes:
    return bytes(values)


def _texts(values: Sequence[str]) -> bytes:
    return b"".join(map(_text, values))


def _text(value: str) -> bytes:
    """The beginning of a text, and whether that is all of it: bytes of UTF-8 sort as code points do."""
    written = value.encode("utf-8", "surrogatepass")
    whole = len(written) <= _TEXT_BYTES and b"\0" not in written
    return written[:_TEXT_BYTES].ljust(_TEXT_BYTES, b"\0") + (b"\0" if whole else b"\1")


class _Codes:
    """A number for every DAG, in the order in which they are met."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def encode(self, names: Sequence[str]) -> bytes:
        """The numbers of these, four bytes each."""
        codes = self._codes
        for name in set(names) - codes.keys():
            codes[name] = len(codes)
        return b"".join([codes[name].to_bytes(4) for name in names])

    def known(self, names: Iterable[str]) -> set[int]:
        """The numbers of those that have one."""
        return {self._codes[name] for name in names if name in self._codes}
