"""The secret of ``enable``: hashed as IOS types 8 and 9, compared in constant time, kept out of the history.

Type 8 is PBKDF2-HMAC-SHA256 with 20000 iterations, type 9 is scrypt with N=16384, r=1, p=1; both have a salt
of 14 characters and write 32 bytes in Base64 with the alphabet of crypt(3) (``./0-9A-Za-z``).
"""

import base64
import hashlib
import hmac
import random
import re
from typing import Final

PBKDF2: Final = "8"
SCRYPT: Final = "9"
MAX_PASSWORD: Final = 127
"""Characters."""
_ITERATIONS: Final = 20000
_BYTES: Final = 32
_SALT: Final = 14
_ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_STANDARD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_CISCO: Final = str.maketrans(_STANDARD, _ALPHABET)
HASH: Final = {kind: rf"\${kind}\$[./0-9A-Za-z]{{14}}\$[./0-9A-Za-z]{{43}}" for kind in (PBKDF2, SCRYPT)}
"""Regular expressions for the hashes of each type."""

# ``enable secret [0] WORD`` however abbreviated, and whatever follows a word that was meant to be "secret".
_SECRET = re.compile(
    r"(?i)^(\s*(?:(?:do|no|default)\s+)*e\S*\s+(?:al\S*\s+\S+\s+)?s\S*\s+|.*\bsecret\s+)"
    r"(?:[0-9]\s+)?\S.*$",
    re.DOTALL,
)


def hashed(password: str, kind: str = PBKDF2) -> str:
    """``8 $8$salt$hash`` with a salt of its own; takes about 5 ms for either type."""
    chooser = random.SystemRandom()
    return _hashed(password, kind, "".join(chooser.choice(_ALPHABET) for _ in range(_SALT)))


def verifies(password: str, secret: str) -> bool:
    """Whether a password is the one that was hashed. Takes the same time for all wrong ones."""
    kind, _, rest = secret.partition(" ")
    _, _, salt, _ = rest.split("$")
    return hmac.compare_digest(_hashed(password, kind, salt).encode(), secret.encode())


def without_secrets(line: str) -> str:
    """A line as it may be kept or logged: what may be a secret is replaced."""
    return _SECRET.sub(r"\1*****", line)


def _hashed(password: str, kind: str, salt: str) -> str:
    # What is far too long is wrong in any case, and may not cost more than what is not.
    data, seasoning = password[: MAX_PASSWORD + 1].encode(), salt.encode()
    if kind == PBKDF2:
        key = hashlib.pbkdf2_hmac("sha256", data, seasoning, _ITERATIONS, _BYTES)
    else:
        key = hashlib.scrypt(data, salt=seasoning, n=16384, r=1, p=1, dklen=_BYTES)
    text = base64.b64encode(key).decode().rstrip("=").translate(_TO_CISCO)
    return f"{kind} ${kind}${salt}${text}"
