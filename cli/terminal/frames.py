"""Frames of the control socket, without I/O (described in ``snat/net/control_session.py``)."""

import json
from dataclasses import dataclass, field
from typing import Any

VERSION = 1
"""Of the protocol."""
MAX_FRAME = 1 << 20
"""Bytes of a frame that is believed."""
MAX_REQUEST = 16384
"""Bytes of a request that a daemon takes."""
IOS_LENGTH = 24
"""Lines of a page until the user says otherwise with ``terminal length``."""

Frame = dict[str, Any]


class ControlError(Exception):
    """The daemon cannot be reached, or left, or refused. The text is for the user."""


class LostError(ControlError):
    """The daemon has closed the connection: it may come back."""

    def __init__(self) -> None:
        super().__init__("The daemon has closed the connection.")


class FarewellError(ControlError):
    """The daemon has ended this session, and said why: whole lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The running command waits for an answer."""

    text: str
    echo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """The texts that follow belong into a file."""

    path: str
    append: bool
    tee: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a command ended."""

    ok: bool
    prompt: str
    closed: bool
    interrupted: bool
    length: int = IOS_LENGTH
    """Lines of a page, as the session has it; 0: no pages."""


Item = str | Question | Redirect | End
"""What a running command says."""


def item(frame: Frame) -> Item | None:
    """What a frame of the running command says; None for frames of other kinds.

    Raises :class:`ControlError` if it is refused.
    """
    match frame["type"]:
        case "text":
            return str(frame["text"])
        case "question":
            return Question(text=frame["text"], echo=frame["echo"])
        case "redirect":
            return Redirect(path=frame["path"], append=frame["append"], tee=frame["tee"])
        case "end":
            names = ("ok", "prompt", "closed", "interrupted")
            return End(**{name: frame[name] for name in names}, length=length_of(frame))
        case "refused":
            raise refusal(frame)
    return None


def refusal(frame: Frame) -> ControlError:
    """Why a request was refused."""
    return ControlError(f"The daemon refused: {frame['reason']}")


def length_of(frame: Frame) -> int:
    """Lines of a page, as ``hello`` and ``end`` tell them."""
    return int(frame.get("terminal", {}).get("length", IOS_LENGTH))


def parsed(line: bytes) -> Frame:
    """A frame. Raises :class:`ControlError` for one that ends the connection, or that is none."""
    if not line.endswith(b"\n"):
        raise LostError
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        frame = None
    match frame:
        case {"type": "refused", "id": None}:
            raise refusal(frame)
        case {"type": "bye", "text": str(text)}:
            raise FarewellError(text)
        case {"type": str()}:
            return dict(frame)
    raise ControlError("What answers there is not a snat daemon; give the path of its socket with --control.")


def greeting(line: bytes) -> Frame:
    """The first frame. Raises :class:`ControlError` if it is no greeting of this protocol."""
    if not line:
        raise ControlError("The daemon hangs up at once: it stops, or has too many users. Try again later.")
    frame = parsed(line)
    if frame["type"] != "hello" or frame.get("protocol") != VERSION:
        raise ControlError(
            f"The daemon does not speak version {VERSION} of the control protocol; install the same "
            "version of snat-cli as of snat."
        )
    return frame


@dataclass(slots=True)
class Requests:
    """Numbers requests."""

    number: int = field(default=0)

    def make(self, **request: str) -> bytes:
        """The bytes of the next request. Raises :class:`ControlError` for one that is too long."""
        self.number += 1
        made = json.dumps({"id": self.number, **request}).encode() + b"\n"
        if len(made) > MAX_REQUEST:
            raise ControlError("The line is too long.")
        return made
