"""Which files of a DAG folder are DAG files, and which version each of them is in.

Airflow's rules: Python files that mention ``airflow`` and a ``dag`` or an ``asset`` (its "safe mode"), minus what
``.airflowignore`` files name, in glob syntax as Airflow 3 reads them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import structlog
from pathspec import GitIgnoreSpec

from airgate.engine.ports import FileVersion

log = structlog.get_logger(__name__)

IGNORE_FILE = ".airflowignore"
_SKIPPED_FOLDERS = frozenset({"__pycache__", ".git", ".venv", "node_modules"})


class Discovered(msgspec.Struct, frozen=True):
    """What a DAG folder holds now, by path relative to it."""

    files: Mapping[str, FileVersion]


def discover(root: Path) -> Discovered:
    """Read the folder. A DAG file's version changes with its own text and with any other Python file of the folder.

    Helper modules count for every DAG file because any of them may import them; a process that has imported an old one
    must not go on with it. A folder that does not exist is an empty one.
    """
    texts = {path: text for path in _python_files(root) if (text := _read(root / path)) is not None}
    dag_files = {path for path, text in texts.items() if _may_define_dags(text)}
    library = hashlib.sha256()
    for path in sorted(texts.keys() - dag_files):
        library.update(path.encode() + b"\0" + hashlib.sha256(texts[path]).digest())
    versions = {}
    for path in sorted(dag_files):
        digest = hashlib.sha256(library.digest() + texts[path]).hexdigest()[:16]
        versions[path] = FileVersion(key=f"{path}@{digest}", file=path, digest=digest)
    return Discovered(versions)


def _may_define_dags(text: bytes) -> bool:
    lowered = text.lower()
    return b"airflow" in lowered and (b"dag" in lowered or b"asset" in lowered)


def _python_files(root: Path) -> Iterator[str]:
    specs: list[tuple[Path, GitIgnoreSpec]] = []
    for folder, names, files in os.walk(root, followlinks=True):
        here = Path(folder)
        if IGNORE_FILE in files and (text := _read(here / IGNORE_FILE)) is not None:
            specs.append((here, _ignore_spec(text.decode(errors="replace"))))
        active = [(base, spec) for base, spec in specs if here == base or base in here.parents]
        names[:] = sorted(
            name for name in names if name not in _SKIPPED_FOLDERS and not _ignored(here / name, active, folder=True)
        )
        for name in sorted(files):
            if name.endswith(".py") and not _ignored(here / name, active):
                yield (here / name).relative_to(root).as_posix()


def _ignore_spec(text: str) -> GitIgnoreSpec:
    """The patterns of an ignore file; lines that are none are passed over."""
    lines = []
    for line in text.splitlines():
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError as error:
            log.debug("A line of an ignore file is no pattern", line=line, reason=str(error))
        else:
            lines.append(line)
    return GitIgnoreSpec.from_lines(lines)


def _ignored(path: Path, specs: list[tuple[Path, GitIgnoreSpec]], *, folder: bool = False) -> bool:
    suffix = "/" if folder else ""
    return any(spec.match_file(path.relative_to(base).as_posix() + suffix) for base, spec in specs)


def _read(path: Path) -> bytes | None:
    # A file may vanish, or turn out unreadable, between the listing and the reading.
    try:
        return path.read_bytes()
    except OSError:
        return None
