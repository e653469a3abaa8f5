"""Passwords of type 7: keys that IOS writes so that nobody reads them in passing. They are not encrypted.

Two decimal digits say where in a fixed text the first byte begins; each byte follows as two hexadecimal
digits, combined with its byte of that text. The method is public and has been so since 1995.
"""

import re

_TEXT = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"


def revealed(word: str) -> str:
    """The key. Raises ValueError for what is none of type 7."""
    if not re.fullmatch(r"[0-9]{2}([0-9A-Fa-f]{2}){1,64}", word) or int(word[:2]) >= len(_TEXT):
        raise ValueError(f"'{word}' is not a key of type 7")
    start, hidden = int(word[:2]), bytes.fromhex(word[2:])
    key = bytes(byte ^ _TEXT[(start + index) % len(_TEXT)] for index, byte in enumerate(hidden))
    if not re.fullmatch(rb"[!-~]+", key):
        raise ValueError(f"'{word}' is not a key of type 7: it has characters that no key has")
    return key.decode("ascii")
