"""The import graph has no cycles, no hidden edges, and a few doors only some may use.

The layers themselves are contracts of import-linter in pyproject.toml; this is what they cannot say.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.imports import Import, cycles, modules, own_imports

# Imports inside functions that are allowed, each with its reason. Write it as `"importer -> imported": "reason"`.
DEFERRED: dict[str, str] = {}

# Modules everybody else leaves alone, with who may import them (besides what is inside them).
DOORS: dict[str, tuple[str, ...]] = {
    "airgate.app": ("airgate.cli",),
    "airgate.settings": ("airgate.app", "airgate.cli", "airgate.data_folder"),
    "airgate.data_folder": ("airgate.app", "airgate.cli"),
    "airgate.sdk.protocol": ("airgate.engine", "airgate.sdk"),
    "airgate.sdk": ("airgate.sdk",),
}


@pytest.fixture(scope="module")
def edges() -> list[Import]:
    return own_imports()


def test_modules_do_not_import_each_other_in_a_circle(edges: list[Import]) -> None:
    assert cycles(edges) == []


def test_own_imports_stand_at_the_top_of_the_file(edges: list[Import]) -> None:
    hidden = [f"{edge} (line {edge.line})" for edge in edges if edge.deferred and str(edge) not in DEFERRED]
    assert hidden == []


def test_allowed_deferred_imports_are_needed_and_explained(edges: list[Import]) -> None:
    deferred = {str(edge) for edge in edges if edge.deferred}
    assert [name for name, reason in DEFERRED.items() if name not in deferred or not reason] == []


def test_doors_are_used_only_by_those_who_may(edges: list[Import]) -> None:
    trespassers = [str(edge) for edge in edges if not _may_import(edge)]
    assert trespassers == []


def _may_import(edge: Import) -> bool:
    """The longest door that fits the imported module decides."""
    door = max((door for door in DOORS if _inside(edge.imported, door)), key=len, default=None)
    return door is None or any(_inside(edge.importer, user) for user in (door, *DOORS[door]))


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


# ---------------------------------------------------------------------------------------- the reader of imports itself


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "room/__init__.py": "",
        "room/a.py": "from room import b\nimport json\n",
        "room/b.py": "def late():\n    from room.c import thing\n",
        "room/c.py": "import room.a\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def test_modules_are_named_by_their_path(tree: Path) -> None:
    assert list(modules(tree)) == ["room", "room.a", "room.b", "room.c"]


def test_imports_of_submodules_and_of_names_are_told_apart(tree: Path) -> None:
    assert [str(edge) for edge in own_imports(tree)] == ["room.a -> room.b", "room.b -> room.c", "room.c -> room.a"]


def test_an_import_inside_a_function_counts_as_deferred(tree: Path) -> None:
    assert [str(edge) for edge in own_imports(tree) if edge.deferred] == ["room.b -> room.c"]


def test_a_circle_is_found_even_through_a_deferred_import(tree: Path) -> None:
    assert cycles(own_imports(tree)) == [["room.a", "room.b", "room.c"]]


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("airgate.engine.tree", "airgate.sdk.protocol", True),
        ("airgate.sdk.child", "airgate.sdk.protocol", True),
        ("airgate.sdk.child", "airgate.sdk.parse", True),
        ("airgate.engine.tree", "airgate.sdk.parse", False),
        ("airgate.engine.tree", "airgate.sdk", False),
        ("airgate.http.v1", "airgate.sdk.protocol", False),
        ("airgate.cli.up", "airgate.app", True),
        ("airgate.http.v1", "airgate.settings", False),
        ("airgate.http.v1", "airgate.model.run", True),
    ],
)
def test_a_door_lets_in_whom_it_names(importer: str, imported: str, *, allowed: bool) -> None:
    assert _may_import(Import(importer, imported, 1, deferred=False)) is allowed
