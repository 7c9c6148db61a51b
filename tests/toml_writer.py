"""TOML as different people write it, with the line on which each key stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import strategies as st

KeyPath = tuple[str, ...]
Table = dict[str, Any]

COMMENTS = ("", "", "", "# [services.no]", '# """', "\t# a = 1", " ")


@dataclass
class Written:
    newline: str = "\n"
    text: str = ""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """Where each key is mentioned first; one inside braces stands where they do."""

    def add(self, path: KeyPath, line: str) -> None:
        """Write `line` (of several, perhaps), which is where the key at `path` stands."""
        self.mention(path)
        self.text += line.replace("\n", self.newline) + self.newline

    def mention(self, path: KeyPath) -> None:
        here = self.text.count("\n") + 1
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], here)


def written(document: Table) -> st.SearchStrategy[Written]:
    """`document` in any style: headers, dotted keys, braces, quotes, comments, line ends.

    The style comes from one number: Hypothesis draws quickly, and doesn't shrink it.
    """
    return st.integers(0, 2**32).map(lambda seed: _written(document, Random(seed)))


def _written(document: Table, random: Random) -> Written:
    out = Written(random.choice(["\n", "\r\n"]))
    for name, table in document.items():
        _write_table(random, out, (name,), table)
    return out


def _write_table(random: Random, out: Written, path: KeyPath, table: Table) -> None:
    """Under a header of its own. What gets one too comes last: it would take the keys behind it."""
    apart = [key for key, value in table.items() if isinstance(value, dict) and random.random() < 0.5]
    if len(apart) < len(table) or not table:
        _write_comment(random, out)
        out.add(path, f"[{_dotted(random, path)}]{random.choice(['', ' # ]'])}")
    for key, value in table.items():
        if key not in apart:
            _write_entry(random, out, path, (key,), value)
    for key in apart:
        _write_table(random, out, (*path, key), table[key])


def _write_entry(random: Random, out: Written, table: KeyPath, key: KeyPath, value: Any) -> None:
    if isinstance(value, dict) and value and random.random() < 0.5:
        for inner, one in value.items():
            _write_entry(random, out, table, (*key, inner), one)
        return
    _write_comment(random, out)
    text = _value(random, value, braces=False)
    _mention_inside(out, (*table, *key), value)
    out.add((*table, *key), f"{_dotted(random, key)} = {text}{random.choice(['', ' # {', '  '])}")


def _mention_inside(out: Written, path: KeyPath, value: Any) -> None:
    out.mention(path)
    if isinstance(value, dict):
        for key, inner in value.items():
            _mention_inside(out, (*path, key), inner)


def _write_comment(random: Random, out: Written) -> None:
    out.text += "".join(f"{line}{out.newline}" for line in random.choices(COMMENTS, k=random.randrange(3)))


def _value(random: Random, value: Any, *, braces: bool) -> str:
    """Inside braces everything stays on one line."""
    if isinstance(value, dict):
        inner = [f"{_key(random, key)} = {_value(random, one, braces=True)}" for key, one in value.items()]
        return "{ " + ", ".join(inner) + " }"
    if isinstance(value, list):
        return _array(random, [_value(random, one, braces=braces) for one in value], braces)
    if isinstance(value, str):
        return _string(random, value, braces)
    return json.dumps(value)


def _array(random: Random, values: list[str], braces: bool) -> str:
    if braces or random.random() < 0.5:
        return f"[{', '.join(values)}]"
    return "[\n" + "".join(f"  {value}, # ]\n" for value in values) + "]"


def _string(random: Random, text: str, braces: bool) -> str:
    plain = text.isprintable()
    if plain and "'" not in text and random.random() < 0.5:
        return f"'{text}'"
    if plain and not braces and not re.search(r'["\\]', text) and random.random() < 0.5:
        return f'"""\n{text}"""'
    return json.dumps(text, ensure_ascii=False)


def _dotted(random: Random, path: KeyPath) -> str:
    dot = random.choice([".", " . "])
    return dot.join(_key(random, part) for part in path)


def _key(random: Random, key: str) -> str:
    forms = [json.dumps(key), f"'{key}'"]
    if re.fullmatch("[A-Za-z0-9_-]+", key):
        forms.append(key)
    return random.choice(forms)
