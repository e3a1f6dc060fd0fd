"""What each role may do. Airflow's own four roles, each allowed all that the one before it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from airgate.model.identity import DagVerb, Role


class Permission(StrEnum):
    """One kind of thing, and one way to touch it. Operations of every dialect name the permissions they need."""

    WEBSITE_READ = "website.read"
    DAGS_READ = "dags.read"
    DAGS_EDIT = "dags.edit"
    DAGS_DELETE = "dags.delete"
    RUNS_READ = "runs.read"
    RUNS_CREATE = "runs.create"
    RUNS_EDIT = "runs.edit"
    RUNS_DELETE = "runs.delete"
    TASKS_READ = "tasks.read"
    TASKS_EDIT = "tasks.edit"
    LOGS_READ = "logs.read"
    XCOMS_READ = "xcoms.read"
    XCOMS_DELETE = "xcoms.delete"
    IMPORT_ERRORS_READ = "import_errors.read"
    POOLS_READ = "pools.read"
    POOLS_EDIT = "pools.edit"
    VARIABLES_READ = "variables.read"
    VARIABLES_EDIT = "variables.edit"
    CONNECTIONS_READ = "connections.read"
    CONNECTIONS_EDIT = "connections.edit"
    CONFIG_READ = "config.read"
    AUDIT_READ = "audit.read"
    USERS_READ = "users.read"
    USERS_EDIT = "users.edit"
    SERVICE_ACCOUNTS_READ = "service_accounts.read"
    SERVICE_ACCOUNTS_EDIT = "service_accounts.edit"
    WEBHOOKS_READ = "webhooks.read"
    WEBHOOKS_EDIT = "webhooks.edit"
    SECRETS_EDIT = "secrets.edit"
    WORKSPACES_EDIT = "workspaces.edit"


_ADDED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset(
        {
            Permission.WEBSITE_READ,
            Permission.DAGS_READ,
            Permission.RUNS_READ,
            Permission.TASKS_READ,
            Permission.LOGS_READ,
            Permission.XCOMS_READ,
            Permission.IMPORT_ERRORS_READ,
            Permission.POOLS_READ,
            Permission.SERVICE_ACCOUNTS_READ,
            Permission.WEBHOOKS_READ,
        }
    ),
    Role.USER: frozenset(
        {
            Permission.DAGS_EDIT,
            Permission.DAGS_DELETE,
            Permission.RUNS_CREATE,
            Permission.RUNS_EDIT,
            Permission.RUNS_DELETE,
            Permission.TASKS_EDIT,
            Permission.SERVICE_ACCOUNTS_EDIT,
        }
    ),
    Role.OP: frozenset(
        {
            Permission.XCOMS_DELETE,
            Permission.POOLS_EDIT,
            Permission.VARIABLES_READ,
            Permission.VARIABLES_EDIT,
            Permission.CONNECTIONS_READ,
            Permission.CONNECTIONS_EDIT,
            Permission.CONFIG_READ,
            Permission.WEBHOOKS_EDIT,
            Permission.SECRETS_EDIT,
        }
    ),
    Role.ADMIN: frozenset(
        {Permission.AUDIT_READ, Permission.USERS_READ, Permission.USERS_EDIT, Permission.WORKSPACES_EDIT}
    ),
}
"""What a role may do beyond the role before it."""


def _accumulate() -> dict[Role, frozenset[Permission]]:
    granted: frozenset[Permission] = frozenset()
    table = {}
    for role in Role:
        granted |= _ADDED[role]
        table[role] = granted
    return table


GRANTED: Final = _accumulate()
"""All that a role may do."""

VERBS: Final = {
    Permission.DAGS_READ: DagVerb.READ,
    Permission.RUNS_READ: DagVerb.READ,
    Permission.TASKS_READ: DagVerb.READ,
    Permission.LOGS_READ: DagVerb.READ,
    Permission.XCOMS_READ: DagVerb.READ,
    Permission.IMPORT_ERRORS_READ: DagVerb.READ,
    Permission.RUNS_CREATE: DagVerb.TRIGGER,
    Permission.DAGS_EDIT: DagVerb.EDIT,
    Permission.DAGS_DELETE: DagVerb.EDIT,
    Permission.RUNS_EDIT: DagVerb.EDIT,
    Permission.RUNS_DELETE: DagVerb.EDIT,
    Permission.TASKS_EDIT: DagVerb.EDIT,
    Permission.XCOMS_DELETE: DagVerb.EDIT,
}
"""Permissions about a DAG, and the verb a DAG grant must name for each. All others are about no DAG."""
