"""The connection of a script: one request after the other, and nothing meanwhile."""

import socket
from collections.abc import Iterator

from cli.terminal.frames import (
    MAX_FRAME,
    ControlError,
    End,
    Frame,
    Item,
    LostError,
    Requests,
    greeting,
    item,
    parsed,
)

GREETING = 10.0
"""Seconds that the daemon has to say hello."""
MUTE = f"The daemon has said nothing for {GREETING:.0f} seconds. It hangs: look into its log."


class Connection:
    """A session with the daemon."""

    def __init__(self, path: str, *, bounded: bool = False) -> None:
        """``bounded``: a daemon that says nothing for so long after its hello, too, counts as hung."""
        self._socket = connected(path)
        self._input = self._socket.makefile("rb")  # reading is taken up again after a signal (PEP 475)
        self._requests = Requests()
        try:
            self._socket.settimeout(GREETING)
            self.prompt = str(greeting(self._line()).get("prompt", ""))
            """What to print before a line is typed."""
            if not bounded:
                self._socket.settimeout(None)
        except ControlError:
            self.close()
            raise

    def close(self) -> None:
        """Leave."""
        self._input.close()
        self._socket.close()

    def run(self, line: str) -> Iterator[Item]:
        """What a command says, as it comes; the last item is its :class:`End`. Questions must be answered."""
        number = self._request(request="run", line=line)
        while True:
            frame = self._receive()
            said = item(frame) if frame.get("id") == number else None
            if said is not None:
                yield said
            if isinstance(said, End):
                self.prompt = said.prompt
                return

    def answer(self, text: str) -> None:
        """Answer the question of the running command."""
        self._request(request="answer", line=text)

    def interrupt(self) -> None:
        """End the running command."""
        self._request(request="interrupt")

    def _request(self, **request: str) -> int:
        try:
            self._socket.sendall(self._requests.make(**request))
        except OSError:
            raise LostError from None
        return self._requests.number

    def _receive(self) -> Frame:
        """The next frame. Raises :class:`ControlError` when there is none."""
        return parsed(self._line())

    def _line(self) -> bytes:
        try:
            return self._input.readline(MAX_FRAME)
        except TimeoutError:
            raise ControlError(MUTE) from None
        except OSError:
            return b""


def connected(path: str) -> socket.socket:
    """A socket to the daemon. Raises :class:`ControlError`, with what to do."""
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
