"""May this caller do that, there? Pure decisions over what authentication found out."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec

from airgate.access.permissions import VERBS, Permission
from airgate.model.identity import DagGrant, Identity

_ANYWHERE_LIMITED: Final = frozenset({Permission.WEBSITE_READ})
"""What belongs to no DAG, and an identity limited to some DAGs may do all the same."""


class Place(msgspec.Struct, frozen=True):
    """Where something is to be done: a deployment, and the workspace it belongs to."""

    deployment: str
    workspace: str = "default"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated identity, with what its roles allow and the key it came with (None: a password or a token)."""

    identity: Identity
    permissions: frozenset[Permission]
    key_id: UUID | None = None
    batch: bool = False
    """The key asks for the batch plugin's dialect where two dialects share a path."""

    @property
    def name(self) -> str:
        """The user that appears on whatever the caller does."""
        return self.identity.name


def may(caller: Caller, permission: Permission, place: Place, dag_id: str | None = None) -> bool:
    """Whether the caller may do this, there, to this DAG.

    `dag_id` None, for a permission about DAGs, asks whether there could be any DAG for which the answer is yes; lists
    then show only those that `visible` lets through.
    """
    if permission not in caller.permissions:
        return False
    if not caller.identity.scope.covers(deployment=place.deployment, workspace=place.workspace):
        return False
    grants = caller.identity.limits.dags
    if grants is None:
        return True
    verb = VERBS.get(permission)
    if verb is None:
        return permission in _ANYWHERE_LIMITED
    return any(verb in grant.verbs and (dag_id is None or _matches(grant.pattern, dag_id)) for grant in grants)


def visible(caller: Caller, permission: Permission) -> Callable[[str], bool] | None:
    """Which DAG ids the caller may do this to, as a test of an id; None: all of them."""
    grants = caller.identity.limits.dags
    if grants is None:
        return None
    verb = VERBS[permission]
    return functools.partial(_granted, tuple(grant for grant in grants if verb in grant.verbs))


def _granted(grants: tuple[DagGrant, ...], dag_id: str) -> bool:
    return any(_matches(grant.pattern, dag_id) for grant in grants)


def _matches(pattern: str, dag_id: str) -> bool:
    return _compiled(pattern).fullmatch(dag_id) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # The translation takes linear time, however many stars there are. Brackets mean themselves.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
