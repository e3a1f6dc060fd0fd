"""The table of permissions in the documentation is the one that counts."""

from __future__ import annotations

from pathlib import Path

from airgate.access.permissions import GRANTED, VERBS, Permission
from airgate.model.identity import Role

PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def row(permission: Permission) -> str:
    granted = ("✓" if permission in GRANTED[role] else " " for role in Role)
    verb = VERBS.get(permission)
    return f"| `{permission.value}` | {' | '.join(granted)} | {verb.value if verb else ' '} |"


def test_permissions_of_the_roles_are_documented_as_they_are() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.startswith("| `") and "." in line.split("`")[1]]
    assert shown == [row(permission) for permission in Permission]
