"""The terminal's own colours, so that it reads well on a dark one and on a light one."""

from __future__ import annotations

from textual.theme import Theme

THEME = Theme(
    name="portsup",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "scrollbar-corner-color": "ansi_default",
    },
)

CSS = """
#summary { height: 1; text-style: bold; }
#services { height: auto; min-height: 4; max-height: 50%; }
#detail { height: auto; max-height: 3; }
Screen.-short #detail { max-height: 1; }
Screen.whole #summary, Screen.whole #services, Screen.whole #detail { display: none; }
Toast {
    max-width: 90%; padding: 0 1;
    background: ansi_default; color: ansi_default; border: round ansi_default;
}
Toast.-warning { border: round ansi_yellow; }
Toast.-error { border: round ansi_red; }
"""
