"""Text from outside: files of bounded length, and what is in them as plain values of bounded depth and size.

YAML and JSON can say much in few bytes: aliases that multiply, brackets without end, numbers of a million digits. None
of it has a place in settings or measurements, so it is refused before anything works on it.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from .base import ConfigError

MAX_YAML_BYTES = 2**18
MAX_JSON_BYTES = 2**24
MAX_DEPTH = 50
MAX_INTEGER = 2**63 - 1


def read_text(path: Path, max_bytes: int) -> str:
    """Read a UTF-8 file; a byte order mark is left out, and a line ends with a line feed.

    Args:
        path: the file.
        max_bytes: a longer one is refused.

    Raises:
        FileNotFoundError: there is none; who asks for it knows where it comes from.
        ConfigError: it cannot be read, is too long, or is not text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a file that can") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not text in UTF-8 (byte {error.start}); replace it, or save it as such") from None
    except ValueError as error:  # a name that no file can have
        raise ConfigError(f"{path}: cannot be read ({error}); name a file that can") from None
    if len(data) > max_bytes:
        raise ConfigError(f"{path}: longer than {max_bytes:,} bytes, so not the file that is expected; replace it")
    return text.replace("\r\n", "\n")


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML text. Parsing is slow, and a workflow reads its scale file once for every run.

    Raises:
        ConfigError: it is not valid, or has what settings do not need: aliases, a key twice, keys that are no text.
    """
    return deepcopy(_parsed_yaml(text))


@lru_cache(maxsize=32)
def _parsed_yaml(text: str) -> Any:
    try:
        return _moderate(yaml.load(text, _PlainLoader))
    except ConfigError:
        raise
    except Exception as error:  # values that look like numbers or dates and are none fail in many ways
        reason = str(error) or type(error).__name__
        raise ConfigError(f"not valid YAML ({reason})") from None


def parse_json(text: str) -> Any:
    """Plain values of a JSON text.

    Raises:
        ConfigError: it is not valid (cut off), or has a key twice, or numbers that are not finite.
    """
    try:
        return _moderate(json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant))
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid JSON ({error})") from None


def read_json(path: Path, cure: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        path: the file.
        cure: what to do where it is damaged, for the message.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it cannot be read, or is something else.
    """
    text = read_text(path, MAX_JSON_BYTES)
    try:
        content = parse_json(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: damaged, {error}; {cure}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: damaged, it holds no `key: value` pairs; {cure}")
    return content


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases, whose mappings have distinct texts as keys."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ConfigError(f"not read as YAML: an alias (*){_line(self.peek_event().start_mark)}; write it out")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConfigError(f"not read as YAML: more than {MAX_DEPTH} levels{_line(self.peek_event().start_mark)}")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _TEXT_TAGS:
                raise ConfigError(f"not read as YAML: a key is no text{_line(key.start_mark)}; put it in quotes")
            if key.value in keys:
                raise ConfigError(f"not read as YAML: key {key.value!r} is there twice{_line(key.start_mark)}")
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A decimal number; what YAML reads in another base (010 is 8, 1:30 is 90) or as no number is refused."""
        if _WHOLE.fullmatch(node.value):
            return int(node.value)
        if _DECIMAL.fullmatch(node.value):
            return float(node.value)
        raise ConfigError(
            f"not read as YAML: {node.value!r} is no decimal number{_line(node.start_mark)}; write it as one, or put "
            "text in quotes"
        )


_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool"))
# As in YAML 1.2: true and false alone are booleans, dates are text, and 1e-3 is a number.
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOL, "tag:yaml.org,2002:timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainLoader.add_implicit_resolver(_BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))
_PlainLoader.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+"), list("-+0123456789"))
for _tag in (_INT, _FLOAT):
    _PlainLoader.add_constructor(_tag, _PlainLoader.construct_number)

# `<<` merges mappings; without aliases it does no harm.
_TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def _line(mark: yaml.Mark) -> str:
    return f" in line {mark.line + 1}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ConfigError(f"not read as JSON: key {key!r} is there twice")
        content[key] = value
    return content


def _refuse_constant(name: str) -> None:
    raise ConfigError(f"not read as JSON: {name} is no number; null is written where there is none")


def _moderate(content: Any) -> Any:
    """Return plain values that are not nested too deeply and have no whole number too large."""
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, (list, tuple, set)):
                inner += value
            elif isinstance(value, int) and abs(value) > MAX_INTEGER:
                raise ConfigError("a whole number beyond 2^63; take one that can be meant")
        if not inner:
            return content
        level = inner
    raise ConfigError(f"more than {MAX_DEPTH} levels; there is nothing so deep in such a file")
