"""`airgate version`: what is installed."""

from __future__ import annotations

import json
import platform
from typing import Annotated

import typer

from airgate import __version__

app = typer.Typer(add_completion=False)


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False) -> None:
    """Show the version of Airgate and of the Python it runs on."""
    if as_json:
        typer.echo(json.dumps({"airgate": __version__, "python": platform.python_version()}))
    else:
        typer.echo(f"airgate {__version__} (Python {platform.python_version()})")
