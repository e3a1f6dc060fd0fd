"""Airflow's pairs of action and resource, of which its roles are made, and Airgate's permissions: both ways. Pure.

Airgate's permissions are coarser. Each stands for the pairs it *needs*, which make it up in a role that a client sends,
and for those it *includes*, which it gives along with them and which mean nothing without them. What would give more
than was sent is refused, with the pairs that belong together; nothing is granted by guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from airgate.access.permissions import Permission
from airgate.http.stable_v1.problems import bad_request

P = Permission

READ, CREATE, EDIT, DELETE, MENU = "can_read", "can_create", "can_edit", "can_delete", "menu_access"
ACTIONS: Final = (EDIT, READ, CREATE, DELETE, MENU)


class Pair(NamedTuple):
    """May do `action` to `resource`."""

    action: str
    resource: str


class Meaning(NamedTuple):
    """The pairs a permission is made of, and those it gives along."""

    needs: tuple[Pair, ...]
    includes: tuple[Pair, ...] = ()


def _pairs(resource: str, *actions: str) -> tuple[Pair, ...]:
    return tuple(Pair(action, resource) for action in actions)


_WRITES: Final = (CREATE, EDIT, DELETE)

MEANINGS: Final[dict[Permission, Meaning]] = {
    P.WEBSITE_READ: Meaning(_pairs("Website", READ)),
    P.DAGS_READ: Meaning(
        _pairs("DAGs", READ),
        (
            *_pairs("DAG Code", READ),
            *_pairs("DAG Dependencies", READ),
            *_pairs("DAG Warnings", READ),
            *_pairs("Datasets", READ),
        ),
    ),
    P.DAGS_EDIT: Meaning(_pairs("DAGs", EDIT), _pairs("Datasets", DELETE)),
    P.DAGS_DELETE: Meaning(_pairs("DAGs", DELETE)),
    P.RUNS_READ: Meaning(_pairs("DAG Runs", READ)),
    P.RUNS_CREATE: Meaning(_pairs("DAG Runs", CREATE), _pairs("Datasets", CREATE)),
    P.RUNS_EDIT: Meaning(_pairs("DAG Runs", EDIT)),
    P.RUNS_DELETE: Meaning(_pairs("DAG Runs", DELETE)),
    P.TASKS_READ: Meaning(_pairs("Task Instances", READ)),
    P.TASKS_EDIT: Meaning(_pairs("Task Instances", EDIT), _pairs("Task Instances", CREATE, DELETE)),
    P.LOGS_READ: Meaning(_pairs("Task Logs", READ)),
    P.XCOMS_READ: Meaning(_pairs("XComs", READ)),
    P.XCOMS_DELETE: Meaning(_pairs("XComs", DELETE)),
    P.IMPORT_ERRORS_READ: Meaning(_pairs("ImportError", READ)),
    P.POOLS_READ: Meaning(_pairs("Pools", READ)),
    P.POOLS_EDIT: Meaning(_pairs("Pools", *_WRITES)),
    P.VARIABLES_READ: Meaning(_pairs("Variables", READ)),
    P.VARIABLES_EDIT: Meaning(_pairs("Variables", *_WRITES)),
    P.CONNECTIONS_READ: Meaning(_pairs("Connections", READ)),
    P.CONNECTIONS_EDIT: Meaning(_pairs("Connections", *_WRITES)),
    P.CONFIG_READ: Meaning(_pairs("Configurations", READ), (*_pairs("Plugins", READ), *_pairs("Providers", READ))),
    P.AUDIT_READ: Meaning(_pairs("Audit Logs", READ)),
    P.USERS_READ: Meaning(
        (*_pairs("Users", READ), *_pairs("Roles", READ)),
        (*_pairs("Permissions", READ), *_pairs("Permission Views", READ), *_pairs("View Menus", READ)),
    ),
    P.USERS_EDIT: Meaning((*_pairs("Users", *_WRITES), *_pairs("Roles", *_WRITES)), _pairs("Passwords", READ, EDIT)),
    P.SERVICE_ACCOUNTS_READ: Meaning(_pairs("Service Accounts", READ)),
    P.SERVICE_ACCOUNTS_EDIT: Meaning(_pairs("Service Accounts", *_WRITES)),
    P.WEBHOOKS_READ: Meaning(_pairs("Webhooks", READ)),
    P.WEBHOOKS_EDIT: Meaning(_pairs("Webhooks", *_WRITES)),
    P.SECRETS_EDIT: Meaning(_pairs("Secrets", *_WRITES)),
    P.WORKSPACES_EDIT: Meaning(_pairs("Workspaces", *_WRITES)),
}
"""Service accounts, webhooks, secrets and workspaces are no resources of Airflow's; the rest are its words."""

_PAGES: Final = frozenset(
    {
        "Actions", "Admin", "Browse", "Cluster Activity", "Docs", "Documentation", "Jobs", "List Roles", "List Users",
        "My Password", "My Profile", "Permission Pairs", "Resources", "SLA Misses", "Security", "Task Reschedules",
        "Triggers", "User Stats Chart", "User's Statistics",
    }
)  # fmt: skip
"""Resources of Airflow's pages, of which Airgate has none: what is said of them is taken and means nothing."""

_KNOWN: Final = frozenset(pair for meaning in MEANINGS.values() for pair in (*meaning.needs, *meaning.includes))
_RESOURCES: Final = _PAGES | {pair.resource for pair in _KNOWN}


def actions_of(permissions: Iterable[Permission]) -> list[dict[str, Any]]:
    """Permissions as v1 writes the actions of a role."""
    granted = frozenset(permissions)
    pairs = (
        pair
        for permission, meaning in MEANINGS.items()
        if permission in granted
        for pair in (*meaning.needs, *meaning.includes)
    )
    return [{"action": {"name": pair.action}, "resource": {"name": pair.resource}} for pair in pairs]


def permissions_of(pairs: Sequence[Pair]) -> frozenset[Permission]:
    """The permissions that these pairs make up. Raises the problem of a pair that makes up none."""
    for pair in pairs:
        if pair.action not in ACTIONS:
            raise bad_request(f"The specified action: {pair.action!r} was not found")
        if pair.resource not in _RESOURCES:
            raise bad_request(f"The specified resource: {pair.resource!r} was not found{_hint(pair.resource)}")
    given = frozenset(pairs)
    granted = {permission for permission, meaning in MEANINGS.items() if given.issuperset(meaning.needs)}
    covered = {pair for permission in granted for pair in (*MEANINGS[permission].needs, *MEANINGS[permission].includes)}
    for pair in pairs:
        if pair not in covered and pair.action != MENU and pair.resource not in _PAGES:
            raise bad_request(_unfit(pair))
    return frozenset(granted)


def _hint(resource: str) -> str:
    if not resource.startswith(("DAG:", "DAG Run:")):
        return ""
    return ". Which DAGs somebody may touch is no matter of roles here, but of their limits"


def _unfit(pair: Pair) -> str:
    word = f"{pair.action!r} on {pair.resource!r}"
    for meaning in MEANINGS.values():
        if pair in meaning.needs or pair in meaning.includes:
            needed = ", ".join(f"{need.action!r} on {need.resource!r}" for need in meaning.needs if need != pair)
            return f"{word} cannot be granted alone: it comes with {needed}"
    return f"{word} is nothing that can be granted"
