"""``banner motd|login|exec``: texts that a user sees when a session begins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from cli.grammar import Either, Tail, Values
from cli.tokens import DelimitedText, Keyword, Unsupported
from cli.tree import Command, Configures, Refuses, Rejected
from snat.config.model import Banners, Configuration

MAX_BANNER: Final = 4096
"""Characters of a banner."""
_KINDS: Final = {
    "motd": "For everybody, first",
    "login": "For everybody, second",
    "exec": "For everybody, last",
}


def greeting(banners: Banners) -> str:
    """What is shown at the beginning of a session: whole lines, perhaps none."""
    texts = (banners.motd, banners.login, banners.exec)
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts if text)


def _banner(kind: str, help_text: str) -> Configures:
    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        if text := getattr(configuration.system.banners, kind):
            yield {"text": text}

    def change(configuration: Configuration, text: str) -> Configuration:
        banners = replace(configuration.system.banners, **{kind: text})
        return replace(configuration, system=replace(configuration.system, banners=banners))

    def put(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
        _check(values["text"])
        return change(configuration, values["text"])

    return Configures(
        pattern=(
            Keyword(text="banner", help="A text for whoever begins a session"),
            Keyword(text=kind, help=help_text),
            Tail(DelimitedText(key="text", help="c text c, over any number of lines; c is any character")),
        ),
        stored=stored,
        set=put,
        unset=lambda configuration, _subject, _values: change(configuration, ""),
        negatable=True,
    )


def _check(text: str) -> None:
    if len(text) > MAX_BANNER:
        raise Rejected(f"% A banner has at most {MAX_BANNER} characters")
    if "^C" in text:
        raise Rejected("% A banner cannot have ^C in it: that ends it in the configuration")
    if not all(character.isprintable() or character in "\t\n" for character in text):
        raise Rejected("% A banner is text: it cannot have control characters")


COMMANDS: tuple[Command, ...] = (
    *(_banner(kind, help_text) for kind, help_text in _KINDS.items()),
    Refuses(
        pattern=(
            Keyword(text="banner", help="A text for whoever begins a session"),
            Either((Unsupported(text="incoming"),), (Unsupported(text="slip-ppp"),)),
        ),
    ),
)
