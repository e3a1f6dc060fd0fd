"""Options that limit an identity: to DAGs, until a moment, to so many requests, to networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import typer

from airgate.cli import moments
from airgate.cli.exits import ExitCode, Problem
from airgate.cli.output import when
from airgate.cli.register import Option, option

VERBS: Final = ("read", "trigger", "edit")
NAMES: Final = ("dag", "expires", "rate", "network")
_RATE: Final = re.compile(r"(\d+)/(\S+)")

OPTIONS: Final[Sequence[Option]] = (
    option(
        "dag",
        typer.Option(
            "--dag", metavar="PATTERN=VERBS", help="Only these DAGs, such as 'etl_*=read,trigger'. Repeatable."
        ),
        list[str],
    ),
    option("expires", typer.Option("--expires", help="Until when: 90d, 2026-12-31, 2026-12-31T12:00:00Z.")),
    option("rate", typer.Option("--rate", metavar="REQUESTS/SECONDS", help="How fast at most, such as 100/60.")),
    option(
        "network", typer.Option("--network", metavar="CIDR", help="Only from these addresses. Repeatable."), list[str]
    ),
)


def of(given: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The limits that were given, as the API takes them. Raises Problem."""
    limits: dict[str, Any] = {}
    if given["dag"]:
        limits["dags"] = [_grant(text) for text in given["dag"]]
    if given["expires"] is not None:
        limits["expires_at"] = moments.later("--expires", given["expires"], now)
    if given["rate"] is not None:
        limits["rate_limit"] = _rate(given["rate"])
    if given["network"]:
        limits["networks"] = list(given["network"])
    return limits


def told(limits: dict[str, Any]) -> str:
    """Limits of the API in a few words; nothing where there are none."""
    said = [f"{grant['pattern']}={','.join(grant['verbs'])}" for grant in limits["dags"] or []]
    if limits["dags"] == []:
        said.append("no DAG")
    if limits["expires_at"]:
        said.append(f"until {when(limits['expires_at'])}")
    if limits["rate_limit"]:
        said.append(f"{limits['rate_limit']['requests']}/{limits['rate_limit']['seconds']}")
    return " ".join([*said, *limits["networks"]])


def _grant(text: str) -> dict[str, Any]:
    pattern, equals, verbs = text.rpartition("=")
    words = [verb.strip().lower() for verb in verbs.split(",")]
    if not equals or not pattern or not set(words) <= set(VERBS):
        raise Problem(
            f"--dag {text!r} must be a pattern, = and verbs out of {', '.join(VERBS)}; such as 'etl_*=read,trigger'",
            ExitCode.USAGE,
        )
    return {"pattern": pattern, "verbs": list(dict.fromkeys(words))}


def _rate(text: str) -> dict[str, int]:
    found = _RATE.fullmatch(text)
    seconds = _seconds(found[2]) if found else None
    if found is None or seconds is None:
        raise Problem(f"--rate {text!r} must be requests, / and seconds, such as 100/60", ExitCode.USAGE)
    return {"requests": int(found[1]), "seconds": seconds}


def _seconds(text: str) -> int | None:
    if text.isdecimal():
        return int(text)
    span = moments.span(text)
    return None if span is None else int(span.total_seconds())
