from __future__ import annotations

import itertools
from datetime import UTC, datetime
from uuid import UUID

import pytest

from airgate.access.permissions import GRANTED, Permission, allowed
from airgate.model.identity import Identity, Role


def somebody(role: Role) -> Identity:
    return Identity(id=UUID(int=1), name="somebody", role=role, created_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("role", "permission", "answer"),
    [
        (Role.VIEWER, Permission.POOLS_READ, True),
        (Role.VIEWER, Permission.LOGS_READ, True),
        (Role.VIEWER, Permission.VARIABLES_READ, False),
        (Role.VIEWER, Permission.RUNS_CREATE, False),
        (Role.USER, Permission.RUNS_CREATE, True),
        (Role.USER, Permission.DAGS_DELETE, True),
        (Role.USER, Permission.CONNECTIONS_READ, False),
        (Role.USER, Permission.XCOMS_DELETE, False),
        (Role.OP, Permission.VARIABLES_EDIT, True),
        (Role.OP, Permission.CONFIG_READ, True),
        (Role.OP, Permission.USERS_READ, False),
        (Role.ADMIN, Permission.USERS_EDIT, True),
    ],
)
def test_role_may_do_what_airflow_lets_it_do(role: Role, permission: Permission, answer: bool) -> None:
    assert allowed(somebody(role), permission) is answer


def test_each_role_may_do_more_than_the_one_before_it() -> None:
    roles = list(Role)
    for weaker, stronger in itertools.pairwise(roles):
        assert GRANTED[weaker] < GRANTED[stronger]


def test_administrator_may_do_everything() -> None:
    assert GRANTED[Role.ADMIN] == frozenset(Permission)
