"""Paths to operations: a small tree of segments. A literal segment wins over a placeholder, per method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

from airgate.http.errors import MethodNotAllowed, RouteNotFound
from airgate.http.operations import Operation

T = TypeVar("T")

_MAX_DIGITS = 9
"""Longer numbers name nothing: the ids behind ``{name:int}`` are 32-bit integers."""


class _Node(Generic[T]):
    __slots__ = ("literals", "methods", "names", "placeholders")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.placeholders: dict[str, _Node[T]] = {}
        self.methods: dict[str, T] = {}
        self.names: tuple[str, ...] = ()


class Router(Generic[T]):
    """Matches a method and the raw segments of a path.

    The last placeholder of a path takes its name and kind from the operation; ``{name:int}`` matches digits alone, and
    ``{name:path}``, which must be the last segment, all that is left.
    """

    def __init__(self, rows: Iterable[tuple[Operation, T]]) -> None:
        self._root: _Node[T] = _Node()
        for operation, target in rows:
            self._add(operation, target)

    def _add(self, operation: Operation, target: T) -> None:
        node = self._root
        names: list[str] = []
        for segment in operation.path.removeprefix("/").split("/"):
            if segment.startswith("{"):
                name, _, kind = segment[1:-1].partition(":")
                names.append(name)
                node = node.placeholders.setdefault(kind, _Node())
            else:
                node = node.literals.setdefault(segment, _Node())
        if operation.method in node.methods:
            raise ValueError(f"{operation.method} {operation.path} is in the table twice")
        if node.names and node.names != tuple(names):
            raise ValueError(f"{operation.path} names its placeholders otherwise than its neighbours")
        node.names = tuple(names)
        node.methods[operation.method] = target

    def match(self, method: str, segments: list[str]) -> tuple[T, dict[str, Any]]:
        """The target for a method (HEAD: as GET) and the values of its placeholders.

        Raises:
            RouteNotFound: nothing has this path.
            MethodNotAllowed: something has, with other methods.
        """
        wanted = "GET" if method == "HEAD" else method
        found = self._find(segments)
        for node, values in found:
            target = node.methods.get(wanted)
            if target is not None:
                return target, dict(zip(node.names, values, strict=True))
        if not found:
            raise RouteNotFound
        raise MethodNotAllowed(_allowed(node.methods for node, _ in found))

    def methods(self, segments: list[str]) -> tuple[str, ...]:
        """The methods a path has, HEAD and OPTIONS among them. Raises RouteNotFound."""
        found = self._find(segments)
        if not found:
            raise RouteNotFound
        return _allowed(node.methods for node, _ in found)

    def _find(self, segments: list[str]) -> list[tuple[_Node[T], tuple[Any, ...]]]:
        found: list[tuple[_Node[T], tuple[Any, ...]]] = []
        _descend(self._root, segments, 0, (), found)
        return found


def _descend(
    node: _Node[T],
    segments: list[str],
    depth: int,
    values: tuple[Any, ...],
    found: list[tuple[_Node[T], tuple[Any, ...]]],
) -> None:
    if depth == len(segments):
        if node.methods:
            found.append((node, values))
        return
    segment = segments[depth]
    literal = node.literals.get(segment)
    if literal is not None:
        _descend(literal, segments, depth + 1, values, found)
    if not segment:
        return
    for kind, child in node.placeholders.items():
        if kind == "path":
            if child.methods:
                found.append((child, (*values, "/".join(segments[depth:]))))
        elif kind == "int":
            if segment.isascii() and segment.isdigit() and len(segment) <= _MAX_DIGITS:
                _descend(child, segments, depth + 1, (*values, int(segment)), found)
        else:
            _descend(child, segments, depth + 1, (*values, segment), found)


def _allowed(tables: Iterable[dict[str, T]]) -> tuple[str, ...]:
    methods = {method for table in tables for method in table}
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods | {"OPTIONS"}))


def split_path(raw_path: bytes) -> list[str]:
    """The decoded segments of a raw request path. An escaped slash stays inside its segment.

    Raises:
        RouteNotFound: a segment holds a NUL, which nothing is ever named.
    """
    text = raw_path.decode("ascii", "replace")
    segments = text[1:].split("/")
    if "%" in text:
        segments = [unquote(segment) if "%" in segment else segment for segment in segments]
        if any("\0" in segment for segment in segments):
            raise RouteNotFound
    return segments
