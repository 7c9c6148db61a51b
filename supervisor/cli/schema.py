"""`portsup schema`: what an editor needs to know about services.toml."""

from __future__ import annotations

import click

from supervisor.cli.options import examples
from supervisor.cli.output import emit


@click.command(epilog=examples("portsup schema > services.schema.json"))
def schema() -> None:
    """Print a JSON Schema of services.toml, for editors.

    With the line `#:schema ./services.schema.json` at the top of services.toml, editors that use taplo (as
    VS Code's "Even Better TOML") complete keys, show what they mean and mark what is wrong.
    """
    import json

    from supervisor.config.schema import json_schema

    emit(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
