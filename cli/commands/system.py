"""``hostname`` and ``enable secret``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.grammar import Either, Optional, Tail, Values
from cli.secret import HASH, MAX_PASSWORD, PBKDF2, SCRYPT, hashed
from cli.tokens import Keyword, Line, Unsupported, Word
from cli.tree import Command, Configures, Refuses, Rejected
from snat.config.model import Configuration


def _stored(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    yield {"hostname": configuration.hostname}


def _set(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return replace(configuration, hostname=values["hostname"])


def _unset(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return replace(configuration, hostname=Configuration().hostname)


def _hash(kind: str, name: str) -> tuple[Keyword, Word]:
    """``8 $8$...``: two words, written from one value."""
    return (
        Keyword(text=kind, help=f"A secret that is hashed already ({name})"),
        Word(key=f"type{kind}", help="Hash", shape=HASH[kind], what=f"a hash of type {kind}"),
    )


def _stored_secret(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    if secret := configuration.system.enable_secret:
        kind, _, text = secret.partition(" ")
        yield {f"type{kind}": text}


def _hashed(values: Values) -> Values:
    """Nothing but a hash leaves the line: it is printed when the line is held, or differs from another."""
    if "password" not in values:
        return values
    password = values["password"]
    if len(password) > MAX_PASSWORD or not password.isprintable():
        raise Rejected(f"% A secret has at most {MAX_PASSWORD} printable characters")
    kind, _, text = hashed(password, SCRYPT if "scrypt" in values else PBKDF2).partition(" ")
    return {f"type{kind}": text}


def _set_secret(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    kind = PBKDF2 if "type8" in values else SCRYPT
    secret = f"{kind} {values[f'type{kind}']}"
    return replace(configuration, system=replace(configuration.system, enable_secret=secret))


def _unset_secret(configuration: Configuration, _subject: Any, _values: Values) -> Configuration:
    return replace(configuration, system=replace(configuration.system, enable_secret=""))


_ENABLE = Keyword(text="enable", help="What the enable command asks for")
_SECRET = Keyword(text="secret", help="The secret of privileged EXEC mode")
_CLEAR = Line(key="password", help="The secret itself; only its hash is kept")

COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(
            Keyword(text="hostname", help="Set the name of this router"),
            Tail(
                Word(
                    key="hostname",
                    help="Letters, digits and hyphens",
                    shape=r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
                    what="a host name: a letter, then letters, digits, hyphens, at most 63",
                )
            ),
        ),
        stored=_stored,
        set=_set,
        unset=_unset,
        separated=True,
    ),
    Configures(
        pattern=(
            _ENABLE,
            _SECRET,
            Tail(
                Either(
                    _hash(PBKDF2, "PBKDF2"),
                    _hash(SCRYPT, "scrypt"),
                    (Optional(Keyword(text="0", help="The secret follows in clear")), _CLEAR),
                    *((Unsupported(text=word),) for word in ("4", "5", "6", "7", "level")),
                )
            ),
        ),
        stored=_stored_secret,
        set=_set_secret,
        unset=_unset_secret,
        normal=_hashed,
        negatable=True,
        separated=True,
    ),
    Configures(
        pattern=(
            _ENABLE,
            Keyword(text="algorithm-type", help="How the secret is to be hashed"),
            Either(
                (Keyword(text="scrypt", key="scrypt", help="Type 9"),),
                (Keyword(text="sha256", help="Type 8: PBKDF2 with SHA-256"),),
                (Unsupported(text="md5"),),
            ),
            _SECRET,
            _CLEAR,
        ),
        stored=lambda _configuration, _subject: (),
        set=_set_secret,
        normal=_hashed,
    ),
    Refuses(pattern=(_ENABLE, Unsupported(text="password"))),
)
