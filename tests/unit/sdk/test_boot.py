from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airgate.sdk import protocol

BOOT = Path(protocol.__file__).with_name("boot.py")


def test_boot_explains_itself_when_it_is_not_started_by_the_engine() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRGATE_")}
    done = subprocess.run([sys.executable, str(BOOT)], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "AIRGATE_ENGINE_SOCKET and AIRGATE_ENGINE_TOKEN must be set" in done.stderr


def test_boot_needs_nothing_but_python_until_it_is_told_where_the_engine_is() -> None:
    done = subprocess.run([sys.executable, "-ISc", f"import runpy; runpy.run_path({str(BOOT)!r})"], check=False)

    assert done.returncode == 0
