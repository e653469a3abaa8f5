"""The client of the control socket (the protocol is described in ``snat/net/control.py``)."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_FRAME = 1 << 20
"""Bytes of a frame that is believed."""


class ControlError(Exception):
    """The daemon cannot be reached, or left, or refused. The text is for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a command ended."""

    ok: bool
    prompt: str
    closed: bool
    interrupted: bool


class Connection:
    """A session with the daemon."""

    def __init__(self, path: str) -> None:
        self._socket = _connected(path)
        self._input = self._socket.makefile("rb")  # reading is taken up again after a signal (PEP 475)
        self._number = 0
        try:
            self.prompt = str(self._receive().get("prompt", ""))
            """What to print before a line is typed."""
        except ControlError:
            self.close()
            raise

    def close(self) -> None:
        """Leave."""
        self._input.close()
        self._socket.close()

    def run(self, line: str) -> Iterator[str | End]:
        """The output of a command as it comes; the last item is its :class:`End`."""
        number = self._request(request="run", line=line)
        while True:
            frame = self._receive()
            if frame.get("id") != number:
                continue
            if frame["type"] == "text":
                yield frame["text"]
            elif frame["type"] == "end":
                self.prompt = frame["prompt"]
                names = ("ok", "prompt", "closed", "interrupted")
                yield End(**{name: frame[name] for name in names})
                return

    def interrupt(self) -> None:
        """End the running command."""
        self._request(request="interrupt")

    def _request(self, **request: str) -> int:
        self._number += 1
        try:
            self._socket.sendall(json.dumps({"id": self._number, **request}).encode() + b"\n")
        except OSError:
            raise ControlError("The daemon has closed the connection.") from None
        return self._number

    def _receive(self) -> dict[str, Any]:
        """The next frame. Raises :class:`ControlError` when there is none or it refuses a request."""
        try:
            line = self._input.readline(MAX_FRAME)
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise ControlError("The daemon has closed the connection.")
        frame: dict[str, Any] = json.loads(line)
        if frame.get("type") == "refused":
            raise ControlError(f"The daemon refused: {frame['reason']}")
        return frame


def _connected(path: str) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        control.connect(path)
    except FileNotFoundError:
        reason = f"There is no control socket {path}. Is the daemon running? Give its path with --control."
    except ConnectionRefusedError:
        reason = f"No daemon answers on {path}. It has been killed: start it again."
    except PermissionError:
        reason = f"No permission to use {path}. Run as root, or as a member of the group of that socket."
    except OSError as error:
        reason = f"{path}: {error.strerror or error}."
    else:
        return control
    control.close()
    raise ControlError(reason)
