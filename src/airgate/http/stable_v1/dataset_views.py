"""Datasets in v1's shapes, as the DAGs tell of them: who waits for one, and which tasks bring it up to date. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from airgate.http.dates import iso
from airgate.model.dag import Dag


class Reference(msgspec.Struct, frozen=True, order=True):
    """A DAG that waits for a dataset, or, with `task_id`, a task that updates it; since when it is known to."""

    dag_id: str
    task_id: str = ""
    since: datetime | None = None


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that some DAG speaks of."""

    uri: str
    extra: dict[str, Any] = {}
    consumers: tuple[Reference, ...] = ()
    producers: tuple[Reference, ...] = ()

    @property
    def id(self) -> int:
        """A number that depends on the URI alone, so that it stays whatever else there is."""
        return int.from_bytes(blake2b(self.uri.encode(), digest_size=4).digest()) & 0x7FFFFFFF

    @property
    def dag_ids(self) -> frozenset[str]:
        """Every DAG that speaks of it."""
        return frozenset(one.dag_id for one in (*self.consumers, *self.producers))

    @property
    def created_at(self) -> datetime | None:
        """Since when the first of them speaks of it."""
        return min(self._times(), default=None)

    @property
    def updated_at(self) -> datetime | None:
        """Since when the last of them does."""
        return max(self._times(), default=None)

    def _times(self) -> Iterator[datetime]:
        return (one.since for one in (*self.consumers, *self.producers) if one.since is not None)


def datasets_of(dags: Iterable[Dag]) -> tuple[Dataset, ...]:
    """Every dataset that the schedules and outlets of these DAGs name, by URI."""
    consumers: dict[str, set[Reference]] = {}
    producers: dict[str, set[Reference]] = {}
    extras: dict[str, dict[str, Any]] = {}
    for dag in dags:
        since = dag.version.created_at
        for uri in _uris(dag.spec.schedule.asset_expression):
            consumers.setdefault(uri, set()).add(Reference(dag.dag_id, since=since))
        for task in dag.spec.tasks:
            for outlet in task.outlets:
                if outlet.get("__type") == "asset":
                    producers.setdefault(outlet["uri"], set()).add(Reference(dag.dag_id, task.task_id, since))
                    extras.setdefault(outlet["uri"], outlet.get("extra") or {})
    return tuple(
        Dataset(
            uri=uri,
            extra=extras.get(uri, {}),
            consumers=tuple(sorted(consumers.get(uri, ()))),
            producers=tuple(sorted(producers.get(uri, ()))),
        )
        for uri in sorted(consumers.keys() | producers.keys())
    )


def _uris(expression: Any) -> Iterator[str]:
    """The URIs in an asset expression: a tree of ``all`` and ``any`` over assets, aliases and references by name."""
    if not isinstance(expression, Mapping):
        return
    for kind, inside in expression.items():
        if kind in ("all", "any"):
            for part in inside:
                yield from _uris(part)
        elif kind == "asset":
            yield inside["uri"]


def dataset_expression(expression: Any) -> Any:
    """An asset expression as v1 writes it: assets by their URI, aliases and references by what they name."""
    if not isinstance(expression, Mapping):
        return expression
    kind, inside = _only(expression)
    match kind:
        case "all" | "any":
            return {kind: [dataset_expression(part) for part in inside]}
        case "asset":
            return inside["uri"]
        case "alias":
            return {"alias": inside["name"]}
        case _:
            return dict(expression)


def _only(expression: Mapping[str, Any]) -> tuple[str, Any]:
    return next(iter(expression.items()), ("", None))


def dataset_view(dataset: Dataset) -> dict[str, Any]:
    """A dataset as v1 shows it."""
    return {
        "aliases": [],
        "consuming_dags": [
            {"created_at": iso(one.since), "dag_id": one.dag_id, "updated_at": iso(one.since)}
            for one in dataset.consumers
        ],
        "created_at": iso(dataset.created_at),
        "extra": dataset.extra,
        "id": dataset.id,
        "producing_tasks": [
            {
                "created_at": iso(one.since),
                "dag_id": one.dag_id,
                "task_id": one.task_id,
                "updated_at": iso(one.since),
            }
            for one in dataset.producers
        ],
        "updated_at": iso(dataset.updated_at),
        "uri": dataset.uri,
    }
