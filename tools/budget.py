"""The size budget: long functions, long files and wide classes fail the build.

Usage: `make budget`, or `python tools/budget.py FILE_OR_FOLDER ...`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 600
FUNCTION_LINES = 60
PUBLIC_METHODS = 15
SKIPPED_FOLDERS = {"golden", "__pycache__"}

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def main(arguments: list[str]) -> int:
    """Print each excess as `file:line: what`, and fail if there is one."""
    files = sorted({file for argument in arguments for file in _files(Path(argument))})
    excesses = [f"{file}:{excess}" for file in files for excess in check(file.read_text(encoding="utf-8"), file.parts)]
    print("\n".join(excesses) or f"size budget kept by {len(files)} files")
    return 1 if excesses else 0


def check(source: str, parts: tuple[str, ...] = ()) -> Iterator[str]:
    """Each excess in one file, as `line: what`. Test classes may have as many methods as there are cases."""
    lines = source.count("\n")
    if lines > FILE_LINES:
        yield f"1: file has {lines} lines, {FILE_LINES} allowed"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FUNCTION):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{node.lineno}: function {node.name} has {length} lines, {FUNCTION_LINES} allowed"
        if isinstance(node, ast.ClassDef) and "tests" not in parts:
            methods = len(_public_methods(node))
            if methods > PUBLIC_METHODS:
                yield f"{node.lineno}: class {node.name} has {methods} public methods, {PUBLIC_METHODS} allowed"


def _public_methods(node: ast.ClassDef) -> set[str]:
    """By name, so that the overloads of a method and the setter of a property count once."""
    return {item.name for item in node.body if isinstance(item, FUNCTION) and not item.name.startswith("_")}


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*.py") if not SKIPPED_FOLDERS.intersection(file.parts)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
