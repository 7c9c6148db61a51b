"""`portsup completion`: the script that teaches a shell to complete, and the answers to that script."""

from __future__ import annotations

import click

from supervisor.cli.options import examples
from supervisor.cli.output import emit

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        'eval "$(portsup completion bash)"         in ~/.bashrc',
        'eval "$(portsup completion zsh)"          in ~/.zshrc, after compinit',
        "portsup completion fish > ~/.config/fish/completions/portsup.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands, options, service names and instance numbers.

    Names come from the nearest services.toml and from the instances that run.
    """
    from click.shell_completion import get_completion_class

    from supervisor.cli.main import ASKED, PROGRAM, cli

    answers = get_completion_class(shell)
    assert answers is not None, "click knows all of SHELLS"
    emit(answers(cli, {}, PROGRAM, ASKED).source())


def answer(question: str) -> int:
    """Print what could stand at the cursor; the exit code. Whatever goes wrong, nothing is said of it: it
    would be written into the middle of the line that the user types."""
    try:
        from click.shell_completion import shell_complete

        from supervisor.cli.main import ASKED, PROGRAM, cli

        return shell_complete(cli, {}, PROGRAM, ASKED, question)
    except Exception:
        return 1
