"""Who is at the other end of a connection to the control socket, by the kernel's word."""

import pwd
import socket
import struct
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is at the other end of a connection."""

    user: str
    """The account, or its number where it has no name."""
    privileged: bool
    line: int
    """Of ``line vty``: the lowest that was free."""


def account_of(transport: Any) -> int:
    """The user ID of the process that connected, as the kernel remembers it (SO_PEERCRED, unix(7))."""
    credentials = transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(credentials)
    return int(uid)


_UCRED = struct.Struct("=iII")


def user_name(uid: int) -> str:
    """The name of an account; its number, where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
