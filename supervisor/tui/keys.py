"""What each key does: the bindings, the footer, the help and docs/top.md are made of this."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    keys: str
    """As Textual names them; several are separated by commas."""
    shown: str
    """As people read it."""
    action: str
    meaning: str
    word: str = ""
    """In the footer, for those that stand there."""


KEYS = (
    Key("s", "s", "change('start')", "start the selected service", "start"),
    Key("x", "x", "change('stop')", "stop it, and give its ports back; `s` starts it again", "stop"),
    Key("r", "r", "change('restart')", "restart it on the ports that it has", "restart"),
    Key("l", "l", "logs", "its logs, on the whole screen; Esc goes back", "logs"),
    Key("e", "e", "events", "the events of all instances, or its logs again", "events"),
    Key("p", "p", "pools", "who holds which port of its instance's pools, or its logs again", "pools"),
    Key("slash", "/", "find", "find a text in what the lower pane shows", "find"),
    Key("n", "n", "next_match(1)", "the next line that has it"),
    Key("N", "N", "next_match(-1)", "the one before"),
    Key("f", "f", "filter", "show only services of which a name or the worktree contains a text", "filter"),
    Key(
        "o", "o", "order", "order each instance's services by CPU, by memory, or as they are written", "order"
    ),
    Key("tab", "Tab", "other_pane", "move between the services and the lower pane"),
    Key("G", "G", "follow", "to the end of the lower pane, and stay there"),
    Key("escape", "Esc", "step_back", "leave the whole screen, a filter or a search"),
    Key("question_mark", "?", "help", "these keys, and what the signs mean", "help"),
    Key("ctrl+z", "Ctrl-Z", "suspend_process", "suspend; `fg` comes back"),
    Key("q", "q", "quit", "quit; what runs goes on", "quit"),
)
