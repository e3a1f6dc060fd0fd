"""Slowing down the guessing of passwords. Pure but for its own memory; times are seconds of a steady clock."""

from __future__ import annotations

from typing import Final

import msgspec

FREE_GUESSES: Final = 5
"""Wrong passwords in a row that cost nothing: people mistype."""
LONGEST_DELAY: Final = 30.0
FORGOTTEN_AFTER: Final = 900.0
NAMES_REMEMBERED: Final = 10_000


class _Guesses(msgspec.Struct):
    wrong: int
    latest: float


class Throttle:
    """Remembers wrong guesses by name, or by address. Each beyond the free ones doubles the time it is not looked at.

    Names count whether or not they exist, so the delay tells nothing. Credentials that are known good already are never
    delayed: guessing cannot lock out a client that works.

    Args:
        free: wrong guesses in a row that cost nothing.
    """

    def __init__(self, free: int = FREE_GUESSES) -> None:
        self._free = free
        self._names: dict[str, _Guesses] = {}

    def delay(self, name: str, now: float) -> float:
        """Seconds until a password for this name will be looked at; 0: at once."""
        guesses = self._names.get(name)
        if guesses is None:
            return 0.0
        return max(0.0, guesses.latest + _penalty(guesses.wrong - self._free) - now)

    def wrong(self, name: str, now: float) -> None:
        """A wrong password was given for the name."""
        guesses = self._names.pop(name, None)
        if guesses is None or now - guesses.latest > FORGOTTEN_AFTER:
            guesses = _Guesses(0, now)
        guesses.wrong += 1
        guesses.latest = now
        self._names[name] = guesses
        if len(self._names) > NAMES_REMEMBERED:
            del self._names[next(iter(self._names))]

    def right(self, name: str) -> None:
        """The right password was given: earlier mistakes are forgiven."""
        self._names.pop(name, None)


def _penalty(beyond: int) -> float:
    return 0.0 if beyond < 0 else min(LONGEST_DELAY, 2.0 ** min(beyond, 10))
