"""Every input that once was interesting, or broke something."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from harness import ROOT

from fuzz import TARGETS

CORPUS = ROOT / "fuzz" / "corpus"
FILES = sorted(path for target in TARGETS for path in (CORPUS / target).iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_kept_input_is_survived(file: Path) -> None:
    """No promise that its target makes is broken by it."""
    import_module(f"fuzz.{file.parent.name}").check(file.read_bytes())


def test_the_corpus_is_small() -> None:
    """It belongs to the repository: at most 200 files, 1 MB, and none without a target."""
    kept = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert sorted(kept) == FILES
    assert len(kept) <= 200
    assert sum(path.stat().st_size for path in kept) <= 1_000_000
