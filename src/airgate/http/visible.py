"""Which DAGs a caller's lists may show. A caller that is not limited to some DAGs pays nothing for the question."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from airgate.access.decisions import visible
from airgate.access.permissions import Permission
from airgate.http.operations import Call
from airgate.model.errors import PermissionDenied
from airgate.model.query import DagFilter, Order, Page

_ALL: Final = Page(100_000)


def limit_of(call: Call, permission: Permission | None = None) -> Callable[[str], bool] | None:
    """Whether the caller may do this (default: what the operation needs) to a DAG, by its id; None: to any."""
    wanted = permission or call.operation.permission
    return None if call.caller is None or wanted is None else visible(call.caller, wanted)


async def dag_ids(call: Call, asked: Iterable[str] | None = None) -> tuple[str, ...] | None:
    """The DAGs a list may tell of: of those `asked` for (None: of all) the ones the caller may see.

    None: no restriction. Give it to a filter's `dag_ids`, so that totals count nothing else either.
    """
    test = limit_of(call)
    if test is None:
        return None if asked is None else tuple(asked)
    return tuple(filter(test, await call.deployment.dags.ids() if asked is None else asked))


def require(call: Call, dag_ids: Iterable[str]) -> None:
    """Raise PermissionDenied unless the caller may do what the operation does to every one of these DAGs."""
    test = limit_of(call)
    if test is not None and not all(map(test, dag_ids)):
        raise PermissionDenied("This needs the permission for every DAG that it is about")


async def require_file(call: Call, file: str) -> None:
    """Raise PermissionDenied unless the caller may do what the operation does to every DAG this file defines.

    A file that defines none is for callers who are not limited: nobody can say whose it is.
    """
    if limit_of(call) is not None:
        defined = await dags_of_file(call, file)
        if not defined:
            raise PermissionDenied("This file defines no DAG that a permission could be about")
        require(call, defined)


async def dags_of_file(call: Call, file: str) -> tuple[str, ...]:
    """The DAGs that a file defines, or did when it was last read without an error."""
    listing = await call.deployment.dags.list(DagFilter(file=file, only_active=False), Order("dag_id"), _ALL)
    return tuple(dag.dag_id for dag in listing.items)
