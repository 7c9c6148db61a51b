"""Fuzz one target under atheris: python -m fuzz TARGET [libFuzzer's arguments]."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from fuzz import TARGETS
from fuzz.json_mutator import mutated

CORPUS = Path(__file__).parent / "corpus"
INSTRUMENTED = ["supervisor", "fuzz", "tomllib", "dotenv", "shlex"]
JSON_TARGETS = ("protocol", "records")

Mutator = Callable[[bytes, int, int], bytes]


def main(target: str, *arguments: str) -> None:
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        check = import_module(f"fuzz.{target}").check
        for seed in sorted((CORPUS / target).iterdir()):
            check(seed.read_bytes())  # what is imported only when it is needed is imported now
    options = {"custom_mutator": _mutator(atheris)} if target in JSON_TARGETS else {}
    program = f"{sys.executable} -m fuzz {target}"  # libFuzzer hands it to a shell to make a crash small
    atheris.Setup([program, *arguments], check, **options)
    atheris.Fuzz()


def _mutator(atheris: Any) -> Mutator:
    """Every second time a change that keeps JSON what it is, else one of libFuzzer's own."""

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        random = Random(seed)
        kept = mutated(data, random) if random.random() < 0.5 else None
        return kept if kept is not None and len(kept) <= max_size else bytes(atheris.Mutate(data, max_size))

    return mutate


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz {{{'|'.join(TARGETS)}}} [ARGUMENT...]")
    main(*sys.argv[1:])
