"""A daemon that does what a test says, and a person who types; both in one event loop."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import PipeInput

from cli.terminal.interactive import Conversation

HELLO = {"type": "hello", "protocol": 1, "prompt": "R1#", "banner": "", "terminal": {"length": 24}}
Frame = dict[str, Any]
Behaves = Callable[["ScriptedDaemon", Frame], Awaitable[None]]


async def until(what: Callable[[], object]) -> None:
    """Wait, at most ten seconds, until something is so."""
    async with asyncio.timeout(10):
        while not what():
            await asyncio.sleep(0.005)


class ScriptedDaemon:
    """Says hello, and does what it is told with every request."""

    def __init__(self, path: str, behaves: Behaves, hello: Frame | None = None) -> None:
        self.path = path
        self.requests: list[Frame] = []
        self.connections = 0
        self._behaves = behaves
        self._hello = hello or HELLO
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        """Hang up."""
        assert self._server is not None
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection; the next one is welcome."""
        if self._writer is not None:
            self._writer.close()

    def say(self, **frame: Any) -> None:
        """A frame."""
        assert self._writer is not None
        self._writer.write(json.dumps(frame).encode() + b"\n")

    async def drained(self) -> None:
        """Wait until the terminal has read enough."""
        assert self._writer is not None
        await self._writer.drain()

    def end(self, request: Frame, **changes: Any) -> None:
        """The command ends well."""
        frame = {"ok": True, "prompt": "R1#", "closed": False, "interrupted": False}
        self.say(type="end", id=request["id"], terminal={"length": 24}, **(frame | changes))

    def lines(self, request: str) -> list[str]:
        """The lines of all requests of a kind."""
        return [got["line"] for got in self.requests if got["request"] == request]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        self.say(**self._hello)
        while line := await reader.readline():
            request = json.loads(line)
            self.requests.append(request)
            if request.get("line") == "exit":
                self.end(request, closed=True, prompt="")
            else:
                await self._behaves(self, request)
        writer.close()


class Person:
    """Types into a conversation with a scripted daemon."""

    def __init__(self, daemon: ScriptedDaemon, keys: PipeInput, *, plain: bool) -> None:
        self.daemon = daemon
        self._keys = keys
        self.history = InMemoryHistory()
        lines: PromptSession[str] = PromptSession(history=self.history)
        self.conversation = Conversation(daemon.path, lines, plain=plain)

    def type(self, text: str) -> None:
        """Press keys."""
        self._keys.send_text(text)

    async def at_prompt(self) -> None:
        """Wait until a line, or an answer, can be typed."""
        await until(lambda: self.conversation.lines.typing)

    async def until_requests(self, number: int) -> None:
        """Wait until the daemon has got so many."""
        await until(lambda: len(self.daemon.requests) >= number)


def meet(daemon: ScriptedDaemon, person: Person, dialogue: Callable[[], Awaitable[None]]) -> int:
    """Let a person talk with a daemon; the exit status of the program."""

    async def both() -> int:
        await daemon.start()
        talking = asyncio.create_task(person.conversation.last())
        try:
            await dialogue()
            async with asyncio.timeout(10):
                return await talking
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            await daemon.stop()

    return asyncio.run(both())
