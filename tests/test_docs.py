"""The documentation says what there is: every key, every command, and examples that load."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from harness import ROOT

from supervisor.cli.main import COMMANDS
from supervisor.config import keys
from supervisor.config.load import load

SERVICES = (ROOT / "docs" / "services.md").read_text()
PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
REFERENCES = {"docs/commands.md", "docs/services.md", "docs/troubleshooting.md"}
"""Pages with sentences about portsup between backquotes that a pattern takes for commands."""

MAKE_DOCS = runpy.run_path(f"{ROOT}/scripts/make_docs.py")

EXAMPLES = [
    pytest.param(text, id=f"{page}-{place}")
    for page in ("README.md", *PAGES)
    for place, text in enumerate(re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL))
]


def listed_keys(section: str) -> list[str]:
    """The first column of its tables, as far as it names keys."""
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_key_is_documented_where_it_belongs() -> None:
    """Each section lists the keys that the loader knows, and no other; and no other section lists any."""
    sections = dict(part.partition("\n")[::2] for part in SERVICES.split("\n## ")[1:])
    found = {heading: sorted(listed_keys(text)) for heading, text in sections.items() if listed_keys(text)}
    assert found == {heading: sorted(known) for heading, known in MAKE_DOCS["TABLES"].items()}


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_loads(text: str, tmp_path: Path) -> None:
    """Without an error, with a .env beside it."""
    (tmp_path / ".env").write_text("DB_PASSWORD=secret\n")
    (tmp_path / "services.toml").write_text(text)
    assert load(tmp_path / "services.toml").services


def test_the_documented_defaults(tmp_path: Path) -> None:
    """A service with all defaults written out is the same as one that leaves them out."""
    *_, block = re.findall(r"```toml\n(.*?)```", SERVICES, re.DOTALL)
    (tmp_path / "services.toml").write_text(block)
    short, spelled_out = load(tmp_path / "services.toml").services
    assert spelled_out._replace(name=short.name) == short
    needs_a_value = {"command", "pool", "ready"}
    assert keys.SERVICE.keys() - needs_a_value <= set(re.findall(r"^(\w+) = ", block, re.MULTILINE))


def test_the_generated_pages_are_up_to_date() -> None:
    """`scripts/make_docs` would write just what is there."""
    pages = MAKE_DOCS["pages"]()
    assert {path: path.read_text() for path in pages} == pages


def test_every_command_is_shown_with_examples() -> None:
    """On the page that is made of their help."""
    assert (ROOT / "docs" / "commands.md").read_text().count("Examples:") == len(COMMANDS)


def test_every_fault_has_its_row() -> None:
    """They are counted from 1, and none is missing."""
    numbers = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "faults.md").read_text(), re.MULTILINE)
    assert numbers == [str(number + 1) for number in range(len(numbers))]
    assert len(numbers) >= 28


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "services.toml",
        *(page for page in PAGES if page not in REFERENCES),
    ],
)
def test_only_commands_that_there_are(file: str) -> None:
    """What stands after `portsup` is one of its commands."""
    assert commands_in((ROOT / file).read_text()) <= COMMANDS.keys()


def commands_in(text: str) -> set[str]:
    """In code: `portsup up`, scripts/portsup up."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    commands = [part for part in code if not part.startswith("```toml")]
    return {name for part in commands for name in re.findall(r"\bportsup ([a-z]+)\b", part)}


@pytest.mark.parametrize(
    "file",
    ["README.md", "CONTRIBUTING.md", "SECURITY.md", *PAGES],
)
def test_every_link_leads_somewhere(file: str) -> None:
    """To a file that is there, or to a heading of the page."""
    page = ROOT / file
    text = page.read_text()
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"(?m)^#+ (.*)$", text)
    }
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif "://" not in link:
            assert (page.parent / link.partition("#")[0]).exists(), link
