"""``crypto pki trustpoint``: the files with which this device proves itself."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.grammar import Tail, Values
from cli.modes import TRUSTPOINT
from cli.session import Place
from cli.tokens import FilePath, Keyword, Word
from cli.tree import Command, Configures, Rejected
from snat.config.model import Configuration, Trustpoint


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if configuration.trustpoint:
        yield {"trustpoint": configuration.trustpoint.name}


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    name, present = values["trustpoint"], configuration.trustpoint
    if present is None:
        return replace(configuration, trustpoint=Trustpoint(name=name))
    if present.name != name:
        raise Rejected(f"% Trustpoint {present.name} is configured. Remove it first, there is one per router")
    return configuration


def _unset(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return replace(configuration, trustpoint=None)


def _file(text: str, attribute: str, help_text: str) -> Configures:
    """A line of the trustpoint that names a file."""

    def stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
        if configuration.trustpoint and (path := getattr(configuration.trustpoint, attribute)):
            yield {"path": path}

    def change(configuration: Configuration, path: str) -> Configuration:
        if configuration.trustpoint is None:
            raise Rejected("% The trustpoint has been removed. Enter it again")
        return replace(configuration, trustpoint=replace(configuration.trustpoint, **{attribute: path}))

    return Configures(
        pattern=(
            Keyword(text=text, help=help_text),
            Tail(FilePath(key="path", help="Absolute path of a PEM file")),
        ),
        stored=stored,
        set=lambda configuration, _subject, values: change(configuration, values["path"]),
        unset=lambda configuration, _subject, _values: change(configuration, ""),
    )


COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="crypto", help="Encryption and certificates"),
            Keyword(text="pki", help="Public key infrastructure"),
            Keyword(text="trustpoint", help="The files this router proves itself with"),
            Word(key="trustpoint", help="Name of the trustpoint"),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        enters=lambda values: Place(TRUSTPOINT, values["trustpoint"]),
        separated=True,
    ),
)

IN_TRUSTPOINT: tuple[Command, ...] = (
    _file(
        "ca-certificate", "ca_certificate", "Certificate of the authority that neighbors are verified against"
    ),
    _file("certificate", "certificate", "Certificate of this router"),
    _file("private-key", "private_key", "Private key of that certificate"),
    _file("crl", "crl", "List of certificates that the authority has revoked"),
)
