"""A process's command line as it may be shown: anybody's may hold a secret, and ours do where services.toml
passes one on by `${env:TOKEN}`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from supervisor import masking
from supervisor.platform import os_facts
from supervisor.ports import wording

ENOUGH = 4096
"""Characters; a command line may be megabytes long."""


def shown(pid: int) -> str:
    """Shortened, without what looks secret, or is the value of a variable that does.

    The process's own environment tells which values those are: what was filled into its command line is
    there as well. Another user's can't be read.
    """
    secrets = masking.secrets_of(os_facts.environment(pid))
    words = [masking.without(word, secrets) for word in _beginning(os_facts.command_line(pid))]
    return wording.command(masking.mask_command(words))


def _beginning(words: Sequence[str]) -> Iterator[str]:
    """Whole words only: a secret that were cut in two would be told by neither rule."""
    length = 0
    for word in words:
        length += len(word)
        if length > ENOUGH:
            yield "…"
            return
        yield word
