from __future__ import annotations

import itertools

import pytest

from airgate.access.permissions import GRANTED, VERBS, Permission
from airgate.model.identity import DagVerb, Role


@pytest.mark.parametrize(
    ("role", "permission", "answer"),
    [
        (Role.VIEWER, Permission.POOLS_READ, True),
        (Role.VIEWER, Permission.LOGS_READ, True),
        (Role.VIEWER, Permission.VARIABLES_READ, False),
        (Role.VIEWER, Permission.RUNS_CREATE, False),
        (Role.VIEWER, Permission.SERVICE_ACCOUNTS_EDIT, False),
        (Role.USER, Permission.RUNS_CREATE, True),
        (Role.USER, Permission.DAGS_DELETE, True),
        (Role.USER, Permission.SERVICE_ACCOUNTS_EDIT, True),
        (Role.USER, Permission.CONNECTIONS_READ, False),
        (Role.USER, Permission.XCOMS_DELETE, False),
        (Role.OP, Permission.VARIABLES_EDIT, True),
        (Role.OP, Permission.CONFIG_READ, True),
        (Role.OP, Permission.USERS_READ, False),
        (Role.ADMIN, Permission.USERS_EDIT, True),
    ],
)
def test_role_may_do_what_airflow_lets_it_do(role: Role, permission: Permission, answer: bool) -> None:
    assert (permission in GRANTED[role]) is answer


def test_each_role_may_do_more_than_the_one_before_it() -> None:
    for weaker, stronger in itertools.pairwise(Role):
        assert GRANTED[weaker] < GRANTED[stronger]


def test_administrator_may_do_everything() -> None:
    assert GRANTED[Role.ADMIN] == frozenset(Permission)


def test_reading_is_no_other_verb_than_reading() -> None:
    reading = {permission for permission, verb in VERBS.items() if verb is DagVerb.READ}
    assert reading
    assert all(permission.value.endswith(".read") for permission in reading)
    assert all(not permission.value.endswith(".read") for permission in set(VERBS) - reading)
