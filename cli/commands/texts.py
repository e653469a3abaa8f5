"""Texts that a user writes into the configuration: descriptions, remarks."""

from cli.tree import Rejected


def checked_text(text: str, what: str, most: int) -> str:
    """The text, if a terminal can print it on one line. Raises :class:`Rejected`, naming ``what``."""
    if len(text) > most:
        raise Rejected(f"% {what} has at most {most} characters")
    if not text.isprintable():
        raise Rejected(f"% {what} cannot have tabs or control characters in it")
    return text
