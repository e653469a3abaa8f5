"""What proves HSRP messages: a text that anybody can read, or MD5 with a key (RFC 1828's keyed MD5).

The digest is MD5 of the key, filled as MD5 itself fills a message, of the whole message with zeros for the
digest, and of the key again. So deployed routers do; ``tests/redundancy`` has digests of theirs.
"""

from hashlib import md5
from hmac import compare_digest
from typing import Final

from snat.config.interface import Authentication, AuthenticationKind

TEXT_SIZE: Final = 8
DIGEST_SIZE: Final = 16
MD5: Final = 1
"""The only algorithm."""
DEFAULT_TEXT: Final = b"cisco\0\0\0"
"""Where nothing is configured (RFC 2281 section 5.1)."""
_BLOCK: Final = 64


def secret(authentication: Authentication | None) -> bytes:
    """The key of MD5; empty: a text proves."""
    if authentication is None or authentication.kind is not AuthenticationKind.KEY_STRING:
        return b""
    return authentication.key.encode()


def text_of(authentication: Authentication | None) -> bytes:
    """The eight bytes of the text field. Raises ValueError for a text that is longer."""
    if authentication is None:
        return DEFAULT_TEXT
    text = authentication.key.encode()
    if len(text) > TEXT_SIZE:
        raise ValueError(f"a text of {len(text)} bytes; HSRP has room for {TEXT_SIZE}")
    return text.ljust(TEXT_SIZE, b"\0")


def keyed_digest(key: bytes, message: bytes) -> bytes:
    """Of a message with zeros where the digest goes."""
    filled = key + b"\x80"
    filled += bytes(-(len(filled) + 8) % _BLOCK) + (8 * len(key)).to_bytes(8, "little")
    return md5(filled + message + key, usedforsecurity=False).digest()


def proved_by_text(text: bytes | None, authentication: Authentication | None) -> bool:
    """Whether the text is the configured one. Version 2 may leave out the default one."""
    if text is None:
        return authentication is None
    return compare_digest(text, text_of(authentication))


def proved_by_digest(data: bytes, at: int, key: bytes) -> bool:
    """Whether the digest that is at ``at`` is the message's under the key."""
    end = at + DIGEST_SIZE
    blank = data[:at] + bytes(DIGEST_SIZE) + data[end:]
    return compare_digest(data[at:end], keyed_digest(key, blank))
