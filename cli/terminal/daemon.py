"""The connection of a person's terminal: while a line is typed the daemon may speak, and may go."""

import asyncio
from collections.abc import AsyncIterator, Callable

from cli.terminal.client import connected
from cli.terminal.frames import (
    MAX_FRAME,
    ControlError,
    End,
    Frame,
    Item,
    LostError,
    Requests,
    item,
    length_of,
    parsed,
)

AHEAD = 8
"""Frames of output that are read before they are printed; when they wait, the daemon waits."""


class Daemon:
    """A session with the daemon. Make it with :meth:`open`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, logged: Callable[[str], None]
    ) -> None:
        """``logged`` gets what the log says while this session monitors it."""
        self._reader = reader
        self._writer = writer
        self._logged = logged
        self._requests = Requests()
        self._running = 0
        self._said: asyncio.Queue[Item | ControlError] = asyncio.Queue(AHEAD)
        self._answers: dict[int, asyncio.Future[Frame]] = {}
        self.prompt = ""
        self.length = 24
        self.banner = ""
        self.lost = asyncio.get_running_loop().create_future()
        """Done when the connection is over."""
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: str, logged: Callable[[str], None]) -> "Daemon":
        """Connect. Raises :class:`ControlError`."""
        reader, writer = await asyncio.open_unix_connection(sock=connected(path), limit=MAX_FRAME)
        daemon = cls(reader, writer, logged)
        try:
            hello = parsed(await daemon._line())
        except ControlError:
            writer.close()
            raise
        daemon.prompt, daemon.length = str(hello.get("prompt", "")), length_of(hello)
        daemon.banner = str(hello.get("banner", ""))
        daemon._reading = asyncio.create_task(daemon._read())
        return daemon

    async def close(self) -> None:
        """Leave."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()

    async def run(self, line: str) -> AsyncIterator[Item]:
        """What a command says; the last item is its :class:`End`. Raises :class:`ControlError`."""
        self._running = self._request(request="run", line=line)
        while True:
            said = await self._said.get()
            if isinstance(said, ControlError):
                raise said
            if isinstance(said, End):
                self._running = 0
                self.prompt, self.length = said.prompt, said.length
            yield said
            if isinstance(said, End):
                return

    def answer(self, text: str) -> None:
        """Answer the question of the running command."""
        self._request(request="answer", line=text)

    def interrupt(self) -> None:
        """End the running command."""
        if self._running:
            self._request(request="interrupt")

    async def complete(self, line: str) -> list[str]:
        """Words for the place of the last one of a line."""
        return [str(word) for word in (await self._ask("complete", line))["words"]]

    async def help(self, line: str) -> str:
        """What ``?`` at the end of a line prints."""
        return str((await self._ask("help", line))["text"])

    async def _ask(self, request: str, line: str) -> Frame:
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._answers[self._request(request=request, line=line)] = answer
        return await answer

    def _request(self, **request: str) -> int:
        if not self.lost.done():
            self._writer.write(self._requests.make(**request))
        return self._requests.number

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except (OSError, ValueError):  # gone, or a frame without end
            return b""

    async def _read(self) -> None:
        """Frames, one after the other: when nobody takes what a command says, none is read."""
        try:
            while True:
                await self._take(parsed(await self._line()))
        except ControlError as error:
            self.lost.set_result(error)
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(error)
            self._answers = {}
            await self._said.put(error)

    async def _take(self, frame: Frame) -> None:
        if frame["type"] in ("log", "bye"):
            self._logged(str(frame["text"]))
        elif frame["type"] in ("candidates", "help"):
            answer = self._answers.pop(frame["id"], None)
            if answer is not None and not answer.done():
                answer.set_result(frame)
        elif frame.get("id") == self._running:
            said = item(frame)
            if said is not None:
                await self._said.put(said)


__all__ = ["ControlError", "Daemon", "LostError"]
