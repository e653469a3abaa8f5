"""Data to text: JSON, help and error lines; the layouts of IOS are in the modules beside this one."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Generic, TypeVar

from cli.grammar import Fault, LineError
from cli.tree import Help, Lines

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Eventual(Generic[T]):
    """Data that take a while to count: an iterator of None, and then of the data."""

    steps: Iterator[T | None]

    def rendered(self, render: Callable[[T], Iterator[str]]) -> Lines:
        """The lines of the data, once they are there."""
        for step in self.steps:
            if step is None:
                yield None
            else:
                yield from render(step)


def fault(problem: LineError, line: str, prompt: str) -> str:
    """The answer of IOS to a bad line; the caret is counted from column 0 of the prompt line."""
    match problem.fault:
        case Fault.INVALID:
            caret = " " * (len(prompt) + problem.column) + "^"
            return f"{caret}\n% Invalid input detected at '^' marker.\n\n"
        case Fault.INCOMPLETE:
            return "% Incomplete command.\n\n"
        case Fault.AMBIGUOUS:
            return f'% Ambiguous command:  "{line.strip()}"\n'
        case Fault.UNSUPPORTED:
            return f"% Not supported by snat: {problem.reason}\n"


def help_text(shown: Help) -> str:
    """``?``: words on one line after the beginning of a word, else one token a line with its help."""
    if shown.begun:
        return "  ".join(name for name, _ in shown.entries) + "\n"
    width = max((len(name) for name, _ in shown.entries), default=0)
    heading = [shown.heading] if shown.heading else []
    lines = [f"  {name:<{width}}  {text}".rstrip() for name, text in shown.entries]
    return "\n".join([*heading, *lines]) + "\n"


def json_lines(data: Any) -> Lines:
    """``| json``: one document; rows of an iterator are written as they come."""
    if isinstance(data, Eventual):
        yield from data.rendered(_document)
    elif isinstance(data, Iterator):
        yield from _rows(data)
    else:
        yield from _document(data)


def _document(data: Any) -> Iterator[str]:
    yield from json.dumps(plain(data), indent=2).splitlines()


def _rows(rows: Iterator[Any]) -> Lines:
    yield "["
    previous = ""
    for row in rows:
        if row is None:
            yield None
            continue
        if previous:
            yield previous + ","
        previous = json.dumps(plain(row))
    if previous:
        yield previous
    yield "]"


def plain(data: Any) -> Any:
    """Data as JSON has them: records become objects, addresses strings, those of Ethernet with colons."""
    if isinstance(data, Enum):
        return data.value
    if is_dataclass(data):
        return {field.name: plain(getattr(data, field.name)) for field in fields(data)}
    if isinstance(data, tuple) and hasattr(data, "_asdict"):
        return {name: plain(value) for name, value in data._asdict().items()}
    if isinstance(data, Mapping):
        return {str(name): plain(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    if isinstance(data, bytes):
        return data.hex(":")
    return str(data) if isinstance(data, IPv4Address | IPv4Network) else data
