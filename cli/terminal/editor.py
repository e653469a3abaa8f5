"""Lines typed on a capable terminal, with prompt-toolkit: history, completion, ``?``, pasted lines."""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from cli.terminal.daemon import Daemon
from cli.terminal.frames import ControlError
from cli.terminal.keyboard import Keyboard


class Words(Completer):
    """Completion by the daemon, which is not waited for while keys are pressed."""

    def __init__(self, daemon: Callable[[], Daemon]) -> None:
        self._daemon = daemon

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002 - asked below
        """Nothing: the daemon must be waited for."""
        yield from ()

    async def get_completions_async(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - Tab is the only one
    ) -> AsyncGenerator[Completion, None]:
        """The words that the daemon knows for the place of the cursor."""
        line = document.text_before_cursor
        begun = "" if not line or line[-1].isspace() else line.split()[-1]
        try:
            words = await self._daemon().complete(line)
        except ControlError:
            return
        for word in words:
            yield Completion(f"{word} ", start_position=-len(begun), display=word)


class Hidden(Processor):
    """Shows nothing of what is typed, not even how long it is."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:  # noqa: ARG002 - hidden
        """An empty line, with the cursor at its beginning."""
        return Transformation([], source_to_display=lambda _: 0, display_to_source=lambda _: 0)


class Editor:
    """Satisfies :class:`cli.terminal.line.LineReader`."""

    def __init__(self, session: PromptSession[str], keyboard: Keyboard, daemon: Callable[[], Daemon]) -> None:
        self._keyboard = keyboard
        self._daemon = daemon
        self._lines = session
        session.completer = Words(daemon)
        session.complete_while_typing = False
        session.key_bindings = self._keys()
        self._answers = self._for_answers()
        self._hidden = self._for_answers()
        self._hidden.input_processors = [Hidden()]
        self._session: PromptSession[str] | None = None
        """In which something is being typed."""
        self._left: BaseException | None = None
        self._pasted: deque[str] = deque()
        """Lines that follow; the last of them has no end yet."""

    def _for_answers(self) -> PromptSession[str]:
        lines = self._lines
        keys = KeyBindings()
        keys.add(Keys.BracketedPaste)(self._paste)
        return PromptSession(
            input=lines.input, output=lines.output, history=DummyHistory(), key_bindings=keys
        )

    async def line(self, prompt: str) -> str:
        """A command: the next one that was pasted, or what is typed."""
        if len(self._pasted) > 1:
            line = self._pasted.popleft()
            print(f"{prompt}{line}")
            if line.strip():
                self._lines.history.append_string(line)
            return line
        return await self._typed(self._lines, prompt)

    async def answer(self, question: str, *, echo: bool) -> str:
        """An answer; a pasted configuration may have it (the text of a banner)."""
        if len(self._pasted) > 1:
            answer = self._pasted.popleft()
            print(f"{question}{answer if echo else ''}")
            return answer
        return await self._typed(self._answers if echo else self._hidden, question)

    async def _typed(self, session: PromptSession[str], prompt: str) -> str:
        begun = self._pasted.popleft() if self._pasted else ""
        self._keyboard.give_back()
        self._session = session
        try:
            return await session.prompt_async(prompt, default=begun, pre_run=self._leave)
        finally:
            self._session = self._left = None

    @property
    def typing(self) -> bool:
        """Whether a line or an answer is being typed."""
        return self._session is not None

    @property
    def typed(self) -> str:
        """What has been typed of it so far."""
        return self._session.default_buffer.text if self._session is not None else ""

    def above(self, text: str) -> None:
        """Whole lines, above what is typed."""
        if self._session is not None and self._session.app.is_running:
            self._session.app.create_background_task(_above(text))
        else:
            print(text, end="", flush=True)

    def leave(self, error: BaseException) -> None:
        """End what is typed."""
        if self.typing:
            self._left = error
            self._leave()

    def _leave(self) -> None:
        """At the latest when the application of prompt-toolkit has begun."""
        if self._left is not None and self._session is not None:
            app = self._session.app
            if app.future is not None and not app.future.done():
                app.exit(exception=self._left)

    def drop(self) -> None:
        """Forget what was pasted."""
        self._pasted.clear()

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        keys.add(Keys.BracketedPaste)(self._paste)

        @keys.add("?")
        async def _(event: KeyPressEvent) -> None:
            line = event.current_buffer.document.text_before_cursor
            daemon = self._daemon()
            try:
                text = await daemon.help(line)
            except ControlError:
                return
            await run_in_terminal(lambda: print(f"{daemon.prompt}{line}?\n{text}", end=""))

        @keys.add("c-v", Keys.Any)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text(event.key_sequence[-1].data)

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            if in_configuration(self._daemon().prompt):
                event.app.exit(result="end")

        return keys

    def _paste(self, event: KeyPressEvent) -> None:
        """Lines that are pasted run one after the other, as if they were typed."""
        first, *rest = event.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        event.current_buffer.insert_text(first)
        if rest:
            self._pasted.extend(rest)
            event.current_buffer.validate_and_handle()


def in_configuration(prompt: str) -> bool:
    """Whether this is the prompt of a configuration mode; a host name has no parentheses."""
    return "(" in prompt


async def _above(text: str) -> None:
    await run_in_terminal(lambda: print(text, end=""))
