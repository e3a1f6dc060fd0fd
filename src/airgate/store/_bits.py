"""Columns of many rows as bits: which rows match, and which come n-th in an order, without looking at any one row.

A column of numbers, all of one width, is kept as one integer per binary digit (a *slice*): bit r of slice d is digit d
of row r's number. Comparing all rows with a number is then one operation on integers per digit, and so is one step
towards the rows that come n-th. Integers of Python are endless; an operation on 65,536 bits takes half a microsecond.

Rows come in chunks of `ROWS`, so that a change costs no more than a chunk's integers. A *selection* is the part of each
chunk that matches, as an integer too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

ROW_BITS = 16
ROWS = 1 << ROW_BITS
"""Rows of a chunk. Fewer cost more steps in Python, more make each change dearer."""
EVERY = -1
"""As a slice: the digit is 1 in every row. (0 says that it is 0 in every row.) Both spare memory and work."""

Slices = Sequence[int]
"""One integer per binary digit, the most significant first."""

_DIGITS = [bytes(48 + (value >> digit & 1) for value in range(256)) for digit in range(7, -1, -1)]


class Part(NamedTuple):
    """The rows of one chunk that are selected."""

    chunk: int
    rows: int
    """As bits; never 0."""
    size: int


Selection = list[Part]
"""In rising order of chunks."""


def cut(numbers: bytes, width: int) -> list[int]:
    """The slices of numbers that are written one after another, each in `width` bytes, most significant first."""
    slices: list[int] = []
    for place in range(width):
        lane = numbers[len(numbers) - width + place :: -width]  # the last row first: it is the highest bit
        if lane.count(lane[0]) == len(lane):
            slices.extend(EVERY if lane[0] >> digit & 1 else 0 for digit in range(7, -1, -1))
            continue
        for digits in _DIGITS:
            written = lane.translate(digits)
            slices.append(int(written, 2) if b"0" in written else EVERY)
    return slices


def paste(old: int, new: int, at: int, length: int) -> int:
    """A slice with `length` of its bits, from `at` on, replaced by those of another."""
    if old == new and old in {0, EVERY}:
        return old
    window = (1 << length) - 1
    whole = (1 << ROWS) - 1
    return (old & whole & ~(window << at)) | ((new & window) << at)


def size(selection: Selection) -> int:
    """How many rows are selected."""
    return sum(one.size for one in selection)


def between(rows: int, slices: Slices, low: int, high: int) -> int:
    """Those of the rows whose number is not less than `low`, and less than `high`. 0: that side is open."""
    if rows and low:
        rows &= _at_least(slices, low)
    if rows and high:
        rows ^= rows & _at_least(slices, high)
    return rows


def _at_least(slices: Slices, bound: int) -> int:
    """All rows whose number is not less than `bound`, which has no more digits than there are slices."""
    alike = 0
    for weight, one in zip(range(len(slices) - 1, -1, -1), slices, strict=True):
        wanted = EVERY if bound >> weight & 1 else 0
        if one != wanted:
            if one in {0, EVERY}:
                return one  # rows made at about the same time are often all on one side
            break
        alike += 1
    found = EVERY
    for one in reversed(slices[alike:]):
        found = one & found if bound & 1 else one | found
        bound >>= 1
    return found


def among(rows: int, slices: Slices, numbers: Collection[int], digit: int = 0) -> int:
    """Those of the rows whose number is one of these."""
    if not rows or not numbers:
        return 0
    left = len(slices) - digit
    if len(numbers) == 1 << left:
        return rows
    weight = 1 << (left - 1)
    ones = rows & slices[digit]
    high = {number - weight for number in numbers if number >= weight}
    low = {number for number in numbers if number < weight}
    return among(ones, slices, high, digit + 1) | among(rows ^ ones, slices, low, digit + 1)


class Narrowed(NamedTuple):
    """A stretch of an order that holds the rows that were asked for."""

    rows: Selection
    skip: int
    """How many rows of the stretch come before those that were asked for."""
    tied: Selection
    """Rows of the stretch that were chosen from others with the same number, by their place."""


def narrow(
    selection: Selection, column: Mapping[int, Slices], first: int, last: int, enough: int, digit: int = 0
) -> Narrowed:
    """In the rising order of a column, a stretch that holds the selected rows number `first` up to before `last`.

    Rows with the same number come in the order of their places. The stretch holds no more than twice `enough` rows,
    where `enough` is not less than what was asked for.
    """
    count = size(selection)
    while count > enough:
        if digit == len(column[selection[0].chunk]):
            chosen = numbered(selection, first, last)
            return Narrowed(chosen, 0, chosen)
        ones = _ones(selection, column, digit)
        digit += 1
        low = count - size(ones)
        if first >= low:
            selection, count, first, last = ones, count - low, first - low, last - low
        elif last <= low:
            selection, count = _without(selection, ones), low
        else:
            left = narrow(_without(selection, ones), column, first, low, enough, digit)
            right = narrow(ones, column, 0, last - low, enough, digit)
            return Narrowed(_union(left.rows, right.rows), left.skip, _union(left.tied, right.tied))
    return Narrowed(selection, first, [])


def _ones(selection: Selection, column: Mapping[int, Slices], digit: int) -> Selection:
    """The selected rows that have a 1 in this digit."""
    found: Selection = []
    for one in selection:
        bits = column[one.chunk][digit]
        if bits == EVERY:
            found.append(one)
        elif bits and (rows := one.rows & bits):
            found.append(Part(one.chunk, rows, rows.bit_count()))
    return found


def _without(selection: Selection, others: Selection) -> Selection:
    """The selection without some of its rows."""
    if not others:
        return selection
    away = {other.chunk: other for other in others}
    kept: Selection = []
    for one in selection:
        other = away.get(one.chunk)
        if other is None:
            kept.append(one)
        elif other.size < one.size:
            kept.append(Part(one.chunk, one.rows ^ other.rows, one.size - other.size))
    return kept


def _union(one: Selection, other: Selection) -> Selection:
    """Two selections that have no row in common, as one."""
    rows = {part.chunk: part.rows for part in one}
    for part_ in other:
        rows[part_.chunk] = rows.get(part_.chunk, 0) | part_.rows
    return [Part(chunk, bits, bits.bit_count()) for chunk, bits in sorted(rows.items())]


def numbered(selection: Selection, first: int, last: int) -> Selection:
    """The selected rows number `first` up to before `last`, in the order of their places."""
    found: Selection = []
    for chunk, rows, count in selection:
        low, high = max(first, 0), min(last, count)
        if low < high:
            stretch = (1 << _place(rows, high)) - (1 << _place(rows, low))
            found.append(Part(chunk, rows & stretch, high - low))
        first, last = first - count, last - count
    return found


def _place(rows: int, number: int) -> int:
    """The place of bit `number` of those that are set; `ROWS` where there are not so many."""
    at, width = 0, ROWS
    if number >= rows.bit_count():
        return ROWS
    while width > 1:
        width >>= 1
        low = rows & ((1 << width) - 1)
        count = low.bit_count()
        if number < count:
            rows = low
        else:
            rows, number, at = rows >> width, number - count, at + width
    return at


def places(selection: Selection) -> Iterator[int]:
    """The places of the selected rows among all rows, rising."""
    for chunk, rows, _ in selection:
        written = bin(rows)[:1:-1]
        at = written.find("1")
        while at >= 0:
            yield (chunk << ROW_BITS) + at
            at = written.find("1", at + 1)
