"""What is wrong with a webhook, all of it at once, each with its place and what to do. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from airgate.model.webhook import Rule, TargetKind, Webhook
from airgate.orchestration.facts import VARIABLES
from airgate.orchestration.requests import check_header_name
from airgate.orchestration.rules import MOST_RULES, RuleError, check
from airgate.orchestration.templates import Name, TemplateError, names_of, parse, render_url

LONGEST_DESCRIPTION: Final = 255
LONGEST_URL: Final = 1000
LARGEST_BODY: Final = 256 * 1024
MOST_JOBS: Final = 1000
MOST_GROUPS: Final = 20
MOST_HEADERS: Final = 50
LONGEST_WINDOW: Final = 7 * 86400
RUN_NAMES: Final = frozenset(
    {
        *("id", "deployment", "dag_id", "run_id", "state", "run_type", "logical_date", "run_after", "start_date"),
        *("end_date", "duration", "data_interval_start", "data_interval_end", "conf", "note", "triggering_user"),
        *("failed_tasks", "url", "count"),
    }
)
"""First steps below ``${{run.…}}``."""

Fault = tuple[str, str]


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook may refer to. Names are case-folded."""

    variables: Collection[str]
    secrets: Collection[str]
    jobs: Collection[UUID]
    deployments: Collection[str]


def faults_of(webhook: Webhook, around: Surroundings) -> list[Fault]:
    """Everything that is wrong with a webhook; empty where nothing is."""
    return [
        *_description(webhook),
        *_jobs(webhook, around),
        *_rules("/rules", webhook.rules),
        *_groups(webhook),
        *_target(webhook, around),
        *_texts(webhook, around),
        *_headers(webhook),
        *_times(webhook),
        *_limits(webhook),
    ]


def _description(webhook: Webhook) -> Iterator[Fault]:
    if not webhook.description.strip():
        yield "/description", "This field may not be blank."
    if len(webhook.description) > LONGEST_DESCRIPTION:
        yield "/description", f"Ensure this field has no more than {LONGEST_DESCRIPTION} characters."


def _jobs(webhook: Webhook, around: Surroundings) -> Iterator[Fault]:
    if not webhook.jobs:
        yield "/jobs", "This list may not be empty: a webhook fires when one of its jobs ends."
    if len(webhook.jobs) > MOST_JOBS:
        yield "/jobs", f"A webhook has at most {MOST_JOBS} jobs."
    for index, job in enumerate(webhook.jobs[:MOST_JOBS]):
        if job not in around.jobs:
            yield f"/jobs/{index}", f"There is no job {job} in this workspace."


def _rules(pointer: str, rules: Sequence[Rule]) -> Iterator[Fault]:
    if len(rules) > MOST_RULES:
        yield pointer, f"There are at most {MOST_RULES} rules."
    for index, rule in enumerate(rules[:MOST_RULES]):
        try:
            check(rule)
        except RuleError as error:
            yield f"{pointer}/{index}/{error.field}", error.message


def _groups(webhook: Webhook) -> Iterator[Fault]:
    if len(webhook.any_of) > MOST_GROUPS:
        yield "/any_of", f"There are at most {MOST_GROUPS} groups."
    for index, group in enumerate(webhook.any_of[:MOST_GROUPS]):
        if not group:
            yield f"/any_of/{index}", "A group has at least one rule."
        yield from _rules(f"/any_of/{index}", group)


def _target(webhook: Webhook, around: Surroundings) -> Iterator[Fault]:
    target = webhook.target
    match target.kind:
        case TargetKind.HTTP | TargetKind.SLACK | TargetKind.DISCORD:
            yield from _url(webhook.url)
        case TargetKind.DAG:
            if target.deployment not in around.deployments:
                yield "/target/deployment", f"There is no deployment '{target.deployment}' in this workspace."
            if not target.dag_id:
                yield "/target/dag_id", "This field is required."
        case TargetKind.EMAIL:
            if not target.to or len(target.to) > 50:
                yield "/target/to", "There are 1 to 50 addresses."
            for index, address in enumerate(target.to):
                if not _is_address(address):
                    yield f"/target/to/{index}", f"'{address}' is no e-mail address."


def _is_address(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain) and text.isprintable() and not any(sign in text for sign in ' ,;<>"')


def _url(url: str) -> Iterator[Fault]:
    if not url:
        yield "/url", "This field is required."
        return
    if len(url) > LONGEST_URL:
        yield "/url", f"Ensure this field has no more than {LONGEST_URL} characters."
    try:
        first = parse(url)[0]
        sample = render_url(url, lambda name: "https://x.test" if name == first else "x")
    except TemplateError as error:
        yield "/url", str(error)
        return
    yield from _address_of(sample)


def _address_of(sample: str) -> Iterator[Fault]:
    try:
        parts = urlsplit(sample)
        _ = parts.port
    except ValueError as error:
        yield "/url", f"Enter a valid URL: {error}."
        return
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield "/url", "Enter a valid URL: it begins with https:// or http:// and names a host."
    elif "@" in parts.netloc:
        yield "/url", "A URL carries no user and password here; send them in the header, with a secret."
    elif any(sign in sample for sign in ' <>"{}|\\^`') or not sample.isprintable() or not sample.isascii():
        yield "/url", "Enter a valid URL: it holds a sign that must be escaped (is a placeholder spelled wrongly?)."


def _texts(webhook: Webhook, around: Surroundings) -> Iterator[Fault]:
    """Names in templates that nobody knows, and texts that are no templates."""
    texts: dict[str, Any] = {"/url": webhook.url, "/body": webhook.body, "/header": webhook.header}
    texts |= {"/target/title": webhook.target.title, "/target/text": webhook.target.text}
    if webhook.coalesce is not None:
        texts["/coalesce/key"] = webhook.coalesce.key
    for pointer, value in texts.items():
        try:
            for place, name in names_of(value, pointer):
                unknown = _unknown(name, around)
                if unknown is not None:
                    yield place, unknown
                elif name.kind == "secrets" and webhook.target.kind is TargetKind.DAG:
                    yield place, "A run's conf is kept and shown, so no secret goes there; let the DAG read one."
        except TemplateError as error:
            place, _, words = str(error).partition(": ")
            if pointer != "/url":  # of the URL it is said already
                yield (place, words) if place.startswith(pointer) else (pointer, str(error))


def _unknown(name: Name, around: Surroundings) -> str | None:
    head = name.path[0].casefold()
    match name.kind:
        case "variables" if len(name.path) > 1 or head not in around.variables:
            return _no_such("variable", name, around.variables)
        case "secrets" if len(name.path) > 1 or head not in around.secrets:
            return _no_such("secret", name, around.secrets)
        case "erathos" if len(name.path) > 1 or head.upper() not in VARIABLES:
            names = ", ".join(known.lower() for known in VARIABLES)
            return f"${{{{{name}}}}} is not known. Below erathos there are: {names}."
        case "run" if head not in RUN_NAMES:
            return f"${{{{{name}}}}} is not known. Below run there are: {', '.join(sorted(RUN_NAMES))}."
        case "variables" | "secrets" | "erathos" | "run":
            return None
        case kind:
            return f"'{kind}' is not known; a placeholder begins with variables, secrets, erathos or run."


def _no_such(noun: str, name: Name, known: Collection[str]) -> str:
    others = f" There are: {', '.join(sorted(known)[:20])}." if known else ""
    return f"The workspace has no {noun} '{'.'.join(name.path)}'. Create it first.{others}"


def _headers(webhook: Webhook) -> Iterator[Fault]:
    header = webhook.header or {}
    if len(header) > MOST_HEADERS:
        yield "/header", f"There are at most {MOST_HEADERS} headers."
    for name, value in header.items():
        try:
            if not any(isinstance(part, Name) for part in parse(name)):
                check_header_name(name)
        except TemplateError as error:
            yield f"/header/{name}", str(error).removeprefix("header: ")
        if "\n" in value or "\r" in value:
            yield f"/header/{name}", "A header's value is one line."


def _times(webhook: Webhook) -> Iterator[Fault]:
    try:
        ZoneInfo(webhook.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "/time_zone", f"'{webhook.time_zone}' is no time zone; write one like America/Sao_Paulo."
    ways = [name for name in ("coalesce", "gather", "absence", "watch") if getattr(webhook, name) is not None]
    if len(ways) > 1:
        both = f"not both {ways[0]} and {ways[1]}"
        yield f"/{ways[1]}", f"A webhook has one of coalesce, gather, absence and watch, {both}."
    for name in ("coalesce", "gather", "watch"):
        window = getattr(webhook, name)
        if window is not None and not 1 <= window.seconds <= LONGEST_WINDOW:
            yield f"/{name}/seconds", f"This lasts 1 to {LONGEST_WINDOW} seconds."
    if webhook.absence is not None and not _are_weekdays(webhook.absence.weekdays):
        yield "/absence/weekdays", "Name at least one day of the week: 0 is Sunday, 6 is Saturday."


def _are_weekdays(days: Sequence[int]) -> bool:
    return bool(days) and all(0 <= day <= 6 for day in days)


def _limits(webhook: Webhook) -> Iterator[Fault]:
    if not 0.1 <= webhook.timeout <= 60:
        yield "/timeout", "A timeout lies between 0.1 and 60 seconds."
    if not 1 <= webhook.max_concurrency <= 100:
        yield "/max_concurrency", "Between 1 and 100 requests may be under way at the same time."
    if webhook.max_per_second is not None and not 0.01 <= webhook.max_per_second <= 1000:
        yield "/max_per_second", "A rate lies between 0.01 and 1000 per second."
    try:
        size = len(msgspec.json.encode(webhook.body))
    except (TypeError, OverflowError, RecursionError):
        yield "/body", "The body is no JSON that could be kept."
    else:
        if size > LARGEST_BODY:
            yield "/body", f"The body has at most {LARGEST_BODY} bytes."
