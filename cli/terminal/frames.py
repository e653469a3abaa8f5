"""Frames of the control socket, without I/O (the protocol is described in ``snat/net/control.py``)."""

import json
from dataclasses import dataclass, field
from typing import Any

MAX_FRAME = 1 << 20
"""Bytes of a frame that is believed."""

Frame = dict[str, Any]


class ControlError(Exception):
    """The daemon cannot be reached, or left, or refused. The text is for the user."""


class LostError(ControlError):
    """The daemon has closed the connection: it may come back."""

    def __init__(self) -> None:
        super().__init__("The daemon has closed the connection.")


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
    length: int = 24
    """Lines of a page, as the session has it; 0: no pages."""


Item = str | Question | Redirect | End
"""What a running command says."""


def item(frame: Frame) -> Item | None:
    """What a frame of the running command says; None for frames of other kinds."""
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
    return None


def length_of(frame: Frame) -> int:
    """Lines of a page, as ``hello`` and ``end`` tell them."""
    return int(frame.get("terminal", {}).get("length", 24))


def parsed(line: bytes) -> Frame:
    """A frame. Raises :class:`ControlError` for one that refuses, or that is none."""
    if not line.endswith(b"\n"):
        raise LostError
    frame: Frame = json.loads(line)
    if frame.get("type") == "refused":
        raise ControlError(f"The daemon refused: {frame['reason']}")
    return frame


@dataclass(slots=True)
class Requests:
    """Numbers requests."""

    number: int = field(default=0)

    def make(self, **request: str) -> bytes:
        """The bytes of the next request."""
        self.number += 1
        return json.dumps({"id": self.number, **request}).encode() + b"\n"
