"""YAML → tables that know their lines. Every scalar stays the text that was written.

YAML 1.1, which PyYAML reads, takes `22:22` for a number to the base of 60 and `no` for a boolean, and
docker compose takes neither so. The import of PyYAML is here alone, and late: only a compose file needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor.errors import ConfigError

if TYPE_CHECKING:
    import yaml


class Table(dict[str, Any]):
    """A mapping, and the line of each of its keys, counted from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


def read_yaml(text: str, source: str) -> Any:
    """Tables, lists, strings and None. Raises ConfigError with file and line."""
    import yaml

    try:
        return _construct(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _broken(source, mark.line + 1 if mark else 1, str(error.problem or error.context)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _broken(source, line, "a character that YAML doesn't allow") from error
    except RecursionError as error:
        raise _broken(source, 1, "nested too deeply") from error


def _broken(source: str, line: int, problem: str) -> ConfigError:
    return ConfigError(f"{source} is not valid YAML", details=[f"{source}:{line}: {problem[:200]}"])


def _construct(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """With a table of constructors of its own."""

    Loader.add_constructor("tag:yaml.org,2002:map", _table)
    Loader.add_constructor("tag:yaml.org,2002:str", _string)
    for tag in ("bool", "int", "float", "timestamp", "binary", "value"):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", _string)
    return yaml.load(text, Loader)


_MERGE = "tag:yaml.org,2002:merge"


def _string(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        raise _complaint("expected a scalar", node)
    value = str(loader.construct_scalar(node))
    if "\0" in value or not _encodes(value):
        raise _complaint("a character that no program can be given", node)
    return value


def _table(loader: yaml.SafeLoader, node: yaml.Node) -> Table:
    """What is merged in comes under what is written here."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise _complaint("expected a mapping", node)
    _check_keys(node)
    loader.flatten_mapping(node)
    result = Table()
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node))
        result[key] = loader.construct_object(value_node, deep=True)
        result.lines[key] = key_node.start_mark.line + 1
    return result


def _check_keys(node: yaml.MappingNode) -> None:
    """Each is a word and there once: PyYAML would take the last one in silence."""
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key.value, str):
            raise _complaint("a key must be a word", key)
        if key.value in seen and key.tag != _MERGE:
            raise _complaint(f"{key.value[:50]} is there twice", key)
        seen.add(key.value)


def _complaint(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    import yaml

    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
