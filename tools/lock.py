"""Resolve pyproject.toml into the hashed requirement files.

A file is one consistent set that `pip install --require-hashes` takes on every supported Python. It may stand on
another file, which it includes and to whose versions it is bound; it then lists only what it adds. No file names a
package index: which index serves the packages is the business of whoever installs.

Usage: `make lock` keeps locked versions where it can, `make lock ARGS=--upgrade` takes the newest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("requirements")
OLDEST_PYTHON = "3.11"
RUN = ("pyproject.toml", "--extra", "engine", "--group", "build")
DEV = (*RUN, "--group", "dev")


@dataclass(frozen=True)
class Lock:
    """One requirement file: its name, what goes into it, and the file it stands on."""

    name: str
    sources: tuple[str, ...]
    base: str | None = None


LOCKS = (
    Lock("installer.txt", ("--group", "lock")),
    Lock("run.txt", RUN),
    Lock("dev.txt", DEV, base="run.txt"),
    Lock("bench.txt", (*DEV, "--group", "bench"), base="dev.txt"),
)


def main(arguments: list[str]) -> int:
    """Write every file of the table, in order; further arguments go to the resolver."""
    uv = _find_uv()
    for lock in LOCKS:
        below = packages(lock.base)
        resolved = _split(_resolve(uv, lock, arguments))
        added = [block for block in resolved if _pin(block) not in {_pin(known) for known in below}]
        head = [f"-r {lock.base}\n"] if lock.base else []
        (ROOT / FOLDER / lock.name).write_text("".join([*head, *added]), encoding="utf-8")
        print(f"{FOLDER / lock.name}: {len(added)} packages, {len(below)} below")
    return 0


def _find_uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        sys.exit("tools/lock.py needs uv: run `make lock`, or `pip install uv`")
    return found


def _resolve(uv: str, lock: Lock, arguments: list[str]) -> str:
    """The full resolution; what is locked today is written where the resolver looks for versions to prefer."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / lock.name
        output.write_text("".join(packages(lock.name)), encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-config"]
        command += ["--python-version", OLDEST_PYTHON, "--output-file", str(output)]
        if lock.base:
            command += ["--constraint", str(FOLDER / lock.base)]
        subprocess.run([*command, *lock.sources, *arguments], cwd=ROOT, check=True)
        return output.read_text(encoding="utf-8")


def packages(name: str | None) -> list[str]:
    """The packages of a requirement file and of all it stands on."""
    file = ROOT / FOLDER / name if name else None
    if file is None or not file.exists():
        return []
    text = file.read_text(encoding="utf-8")
    below = [line.removeprefix("-r ") for line in text.splitlines() if line.startswith("-r ")]
    return [block for base in below for block in packages(base)] + _split(text)


def _split(text: str) -> list[str]:
    """A requirement file cut into packages: the pin, its hashes, and the comment on who asked for it."""
    blocks: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(("-", "#")):
            continue
        if line[0].isspace() and blocks:
            blocks[-1] += line
        else:
            blocks.append(line)
    return blocks


def _pin(block: str) -> str:
    return block.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
