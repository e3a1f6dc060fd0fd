"""What imports what in a source tree, read from the text alone: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Import:
    """One import of one own module."""

    importer: str
    imported: str
    line: int
    deferred: bool

    def __str__(self) -> str:
        return f"{self.importer} -> {self.imported}"


def modules(source: Path = SOURCE) -> dict[str, Path]:
    """Every module of the tree by its dotted name; a package goes by the name of its folder."""
    found = {}
    for file in sorted(source.rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def own_imports(source: Path = SOURCE) -> list[Import]:
    """Every import of a module of the tree by another, wherever in the file it stands."""
    known = modules(source)
    return [
        Import(name, imported, node.lineno, deferred)
        for name, file in known.items()
        for node, deferred in _statements(ast.parse(file.read_text(encoding="utf-8")))
        for imported in _targets(node, set(known))
        if imported != name
    ]


def cycles(edges: list[Import]) -> list[list[str]]:
    """The groups of modules that reach each other, each sorted by name."""
    graph: dict[str, set[str]] = {}
    for edge in edges:
        graph.setdefault(edge.importer, set()).add(edge.imported)
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {
        frozenset(other for other in reach[name] if name in reach.get(other, set()))
        for name in graph
        if name in reach[name]
    }
    return sorted(sorted(group) for group in groups)


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph.get(waiting.pop(), set()) - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def _statements(tree: ast.AST, *, deferred: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Import statements, each with whether it stands inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, deferred
        else:
            inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _statements(node, deferred=inside)


def _targets(node: ast.Import | ast.ImportFrom, known: set[str]) -> list[str]:
    """Own modules a statement names: `from room import name` is the module `room.name` if there is one, else `room`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name in known]
    base = node.module or ""
    names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]
    return sorted({name for name in names if name in known})
