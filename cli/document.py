"""``python -m cli.document``: writes doc/commands.md, every command of the tree with its words."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cli.commands import TREE
from cli.grammar import Either, Element, Optional, Options, Pattern, Tail, tokens
from cli.pipes import PIPE
from cli.session import Mode
from cli.tokens import Token, Unsupported
from cli.tree import Command, Configures, Refuses

PATH: Final = Path(__file__).parents[1] / "doc" / "commands.md"
_INTRODUCTION: Final = """\
# Commands

Every command of the shell, by mode. This page is generated from the declared tree
(`python -m cli.document`); a test fails when it is stale.

Words may be abbreviated to any beginning that is unique in their place. `[x]` may be left out, `{a | b}` is
one of both, `<a, b>` come in any order, and `(x)` may be left out after `no`. `PIPE` stands for
`| {begin | count | exclude | include | section} REGEX`, `| {append | redirect | tee} URL` or `| json`.
Commands with a `no` form are marked so. A sub-mode understands the commands of the mode around it, too, and
is left by them.
"""


def document() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_pages(), ""])


def _pages() -> Iterator[str]:
    for mode, commands in TREE.modes.items():
        yield f"## {_title(mode)}\n"
        for command in _in_order(commands):
            yield from _command(command)
    yield "## Not supported\n"
    yield "Words of IOS that are answered `% Not supported by snat: WORD`, never accepted and ignored:\n"
    for mode, commands in TREE.modes.items():
        words = {words for command in commands for words in _unsupported(command.pattern)}
        yield from (f"- `{mode.prompt} {each}`" for each in sorted(words))


def _title(mode: Mode) -> str:
    heading = mode.heading.rstrip(":").removesuffix(" commands")
    return f"{'User exec' if mode.name == 'user' else heading} mode: `{mode.prompt}`"


def _in_order(commands: Sequence[Command]) -> list[Command]:
    supported = [command for command in commands if not isinstance(command, Refuses)]
    return sorted(supported, key=lambda command: _syntax(command.pattern).lower())


def _command(command: Command) -> Iterator[str]:
    negative = " (and `no`)" if isinstance(command, Configures) and command.unset else ""
    yield f"`{_syntax(command.pattern)}`{negative}\n"
    for token in dict.fromkeys(tokens(_without_pipe(command.pattern))):
        if not isinstance(token, Unsupported):
            yield f"- `{token.name}`: {token.help}"
    yield ""


def _without_pipe(pattern: Pattern) -> Pattern:
    return pattern[:-1] if pattern and pattern[-1] is PIPE else pattern


def _syntax(pattern: Pattern) -> str:
    """The words of a command on one line."""
    words = (_word(element) for element in pattern)
    return " ".join(word for word in words if word)


def _word(element: Element) -> str:
    if element is PIPE:
        return "[PIPE]"
    match element:
        case Unsupported():
            return ""
        case Token():
            return element.name
        case Optional():
            return _around("[", element.elements, "]")
        case Tail():
            return _around("(", element.elements, ")")
        case Either():
            branches = [branch for branch in map(_syntax_or_none, element.branches) if branch]
            return branches[0] if len(branches) == 1 else f"{{{' | '.join(branches)}}}" if branches else ""
        case Options():
            return f"<{', '.join(filter(None, map(_syntax_or_none, element.patterns)))}>"


def _syntax_or_none(pattern: Pattern) -> str:
    """Nothing for a way that comes upon a word that is not supported."""
    return "" if any(isinstance(element, Unsupported) for element in pattern) else _syntax(pattern)


def _around(begin: str, pattern: Pattern, end: str) -> str:
    inside = _syntax_or_none(pattern)
    return f"{begin}{inside}{end}" if inside else ""


def _unsupported(pattern: Pattern, before: tuple[str, ...] = ()) -> Iterator[str]:
    """Each such word, after the words that lead to it."""
    for element in pattern:
        match element:
            case Unsupported():
                yield " ".join((*before, element.text))
            case Token():
                before = (*before, element.name)
            case Optional() | Tail():
                yield from _unsupported(element.elements, before)
            case Either():
                for branch in element.branches:
                    yield from _unsupported(branch, before)
            case Options():
                for option in element.patterns:
                    yield from _unsupported(option, before)


def main() -> int:
    """Write the page."""
    PATH.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
