"""The connection of a person's terminal: while a line is typed the daemon may speak, and may go."""

import asyncio
from collections.abc import AsyncIterator, Callable

from cli.terminal.client import GREETING, MUTE, connected
from cli.terminal.frames import (
    IOS_LENGTH,
    MAX_FRAME,
    ControlError,
    End,
    Frame,
    Item,
    Requests,
    greeting,
    item,
    length_of,
    parsed,
    refusal,
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
        self.length = IOS_LENGTH
        self.banner = ""
        self.lost: asyncio.Future[ControlError] = asyncio.get_running_loop().create_future()
        """Done when the connection is over; has the reason."""
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: str, logged: Callable[[str], None]) -> "Daemon":
        """Connect. Raises :class:`ControlError`."""
        reader, writer = await asyncio.open_unix_connection(sock=connected(path), limit=MAX_FRAME)
        daemon = cls(reader, writer, logged)
        try:
            hello = greeting(await asyncio.wait_for(daemon._line(), GREETING))
        except TimeoutError:
            writer.close()
            raise ControlError(MUTE) from None
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
        if self.lost.done():
            raise self.lost.result()
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._answers[self._request(request=request, line=line)] = answer
        return await answer

    def _request(self, **request: str) -> int:
        made = self._requests.make(**request)
        if not self.lost.done():
            self._writer.write(made)
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
        if frame["type"] == "log":
            self._logged(str(frame["text"]))
        elif answer := self._answers.pop(frame.get("id", 0), None):
            if answer.done():  # nobody waits any more
                return
            if frame["type"] == "refused":
                answer.set_exception(refusal(frame))
            else:
                answer.set_result(frame)
        elif frame.get("id") == self._running:
            await self._say(frame)

    async def _say(self, frame: Frame) -> None:
        try:
            said = item(frame)
        except ControlError as error:
            self._running = 0
            await self._said.put(error)
        else:
            if said is not None:
                await self._said.put(said)
