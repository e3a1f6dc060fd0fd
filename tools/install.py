"""Install a requirement file, and this working copy, into the virtual environment whose Python runs this script.

uv does in a few seconds what takes pip half a minute, so it is fetched first and used when it works. It looks at the
default index only; where packages come from elsewhere, or uv does not run, pip does the job with whatever configuration
it has. Both check the same hashes.

Usage: `.venv/bin/python tools/install.py run|dev|bench`. AIRGATE_INSTALLER=pip leaves uv out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
FOREIGN_SOURCES = ("index-url", "no-index")


def main(arguments: list[str]) -> int:
    """Install the named requirement file, then the project itself as an editable package."""
    if sys.prefix == sys.base_prefix:
        sys.exit("tools/install.py changes the environment it runs in: run it with the Python of a virtual environment")
    requirements = f"requirements/{arguments[0]}.txt"
    print(f"installing {requirements} into {sys.prefix} ...", flush=True)
    if not (_may_use_uv() and _install_with_uv(requirements)):
        _run([*PIP, "install", "--quiet", "--require-hashes", "-r", requirements])
    _run([*PIP, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."])
    return 0


def _may_use_uv() -> bool:
    """Pip's own configuration wins: whoever points pip at another source means all packages."""
    if os.environ.get("AIRGATE_INSTALLER") == "pip":
        return False
    listing = subprocess.run([*PIP, "config", "list"], cwd=ROOT, check=False, capture_output=True, text=True)
    names = [line.partition("=")[0].rpartition(".")[2] for line in listing.stdout.splitlines()]
    return not any(name in FOREIGN_SOURCES for name in names)


def _install_with_uv(requirements: str) -> bool:
    """True if everything is in place; any failure is left to pip, which says what is wrong."""
    if not _succeeds([*PIP, "install", "--quiet", "--require-hashes", "-r", "requirements/installer.txt"]):
        return False
    uv = str(Path(sys.executable).parent / "uv")
    command = [uv, "pip", "install", "--quiet", "--no-config", "--python", sys.executable]
    if _succeeds([*command, "--compile-bytecode", "--require-hashes", "-r", requirements]):
        return True
    print("uv could not do it, going on with pip ...", flush=True)
    return False


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
