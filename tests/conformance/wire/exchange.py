"""Requests as data, answers as they came, and what tells two answers apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

HEADERS: Final = ("content-type", "allow", "www-authenticate", "location")
"""Headers that matter to clients, where either side sends one."""

_LISTED: Final = frozenset({"allow"})
"""Headers whose value is a set of words."""

_NOW: Final = re.compile(r"20[23]\d-\d\d-\d\d[T +]\d\d(?::|%3A)\d\d(?::|%3A)\d\d(?:\.\d+)?")
"""A present moment. Requests of a list that name a date take one before 2022."""


class Credential(Enum):
    """Whose credentials a request carries. Each system has its own good ones."""

    GOOD = "good"
    WRONG = "wrong"
    NONE = "none"


class Verdict(Enum):
    """What is promised of Airgate's answer beside Airflow's."""

    SAME = "same"
    BETTER = "better"
    DIFFERS = "differs"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a list, and what is promised of its answers.

    Args:
        operation: the row of the documentation's table it belongs to, e.g. ``GET /pools``.
        path: below the dialect's prefix.
        body: sent as JSON, or as it is where it is bytes.
        verdict: SAME means no difference at all; for the others there must be one, and `why` says it.
        status: Airgate's, where the verdict is not SAME.
        volatile: keys of JSON objects whose values depend on the system; their types count all the same.
        patient: what it asks for takes a moment; asked again until both systems answer with one status.
        where: variants of the real Airflow it is sent to; empty: to all.
    """

    operation: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = {}
    credential: Credential = Credential.GOOD
    verdict: Verdict = Verdict.SAME
    why: str = ""
    status: int = 200
    volatile: frozenset[str] = frozenset()
    patient: bool = False
    where: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """A short name, for lists of tests."""
        body = "" if self.body is None else " " + (self.content or b"").decode("utf-8", "replace")[:60]
        credential = "" if self.credential is Credential.GOOD else f" ({self.credential.value} credential)"
        return f"{self.method} {self.path}{body}{credential}"

    @property
    def content(self) -> bytes | None:
        """The body's bytes."""
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Answer(NamedTuple):
    """What a system answered; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body; raises ValueError where it is no JSON."""
        return json.loads(self.body)

    @property
    def is_json(self) -> bool:
        """Whether it says it is JSON, and says anything."""
        return bool(self.body) and "json" in self.headers.get("content-type", "")


def differences(request: Request, theirs: Answer, ours: Answer) -> list[str]:
    """What tells Airgate's answer from Airflow's, one line each."""
    found = []
    if theirs.status != ours.status:
        found.append(f"status: Airflow {theirs.status}, Airgate {ours.status}")
    for name in HEADERS:
        one, other = _header(name, theirs), _header(name, ours)
        if one != other:
            found.append(f"{name}: Airflow {one!r}, Airgate {other!r}")
    if request.method == "HEAD":
        return found
    if theirs.is_json and ours.is_json:
        found += _unlike(theirs.json, ours.json, "body", request.volatile)
        if not found and _laid_out(theirs) != _laid_out(ours):
            found.append("the JSON is laid out otherwise")
    elif theirs.body.strip() != ours.body.strip():
        found.append(f"body: Airflow {theirs.body[:80]!r}…, Airgate {ours.body[:80]!r}…")
    return found


def _header(name: str, answer: Answer) -> Any:
    value = answer.headers.get(name)
    return frozenset(re.split(r",\s*", value)) if value and name in _LISTED else value


def _laid_out(answer: Answer) -> tuple[bool, bool, bool]:
    """How JSON is printed, apart from what it says."""
    body = answer.body
    return body.endswith(b"\n"), b'": ' in body, b"\n  " in body


def _unlike(theirs: Any, ours: Any, where: str, volatile: frozenset[str]) -> Iterator[str]:
    if type(theirs) is not type(ours):
        yield f"{where}: Airflow {theirs!r}, Airgate {ours!r}"
    elif isinstance(theirs, dict):
        yield from _unlike_objects(theirs, ours, where, volatile)
    elif isinstance(theirs, list):
        if len(theirs) != len(ours):
            yield f"{where}: Airflow has {len(theirs)} items, Airgate {len(ours)}"
        for index, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from _unlike(one, other, f"{where}[{index}]", volatile)
    elif _timeless(theirs) != _timeless(ours):
        yield f"{where}: Airflow {theirs!r}, Airgate {ours!r}"


def _unlike_objects(
    theirs: dict[str, Any], ours: dict[str, Any], where: str, volatile: frozenset[str]
) -> Iterator[str]:
    if list(theirs) != list(ours):
        yield f"{where}: keys {_one_sided(theirs, ours)}"
    for key in theirs.keys() & ours.keys():
        if key not in volatile:
            yield from _unlike(theirs[key], ours[key], f"{where}.{key}", volatile)
        elif type(theirs[key]) is not type(ours[key]):
            yield f"{where}.{key}: Airflow {theirs[key]!r}, Airgate {ours[key]!r}"


def _one_sided(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    lacking, more = sorted(theirs.keys() - ours.keys()), sorted(ours.keys() - theirs.keys())
    return f"lacking {lacking}, more {more}" if lacking or more else "in another order"


def _timeless(value: Any) -> Any:
    return _NOW.sub(_printed, value) if isinstance(value, str) else value


def _printed(match: re.Match[str]) -> str:
    """The present moment without its value: how it is written still counts."""
    moment = match.group()
    if moment < "2022":
        return moment
    return "now" + moment[10] + ("with microseconds" if "." in moment else "")
