"""`python -m airgate.cli` is `airgate`."""

from __future__ import annotations

from airgate.cli.root import main

main()
