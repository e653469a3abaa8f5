"""What the two ways of typing a line have in common."""

from typing import Protocol


class LineReader(Protocol):
    """Reads what a user types."""

    @property
    def typing(self) -> bool:
        """Whether a line or an answer is being typed."""
        ...

    @property
    def typed(self) -> str:
        """What has been typed of it so far."""
        ...

    async def line(self, prompt: str) -> str:
        """A command. Raises KeyboardInterrupt (Ctrl-C), EOFError (Ctrl-D), and what ``leave`` was given."""
        ...

    async def answer(self, question: str, *, echo: bool) -> str:
        """The answer to a question, which no history keeps; without ``echo`` nothing shows it."""
        ...

    def above(self, text: str) -> None:
        """Print whole lines above what is being typed."""
        ...

    def leave(self, error: BaseException) -> None:
        """End what is being typed, if something is, with this exception."""
        ...

    def drop(self) -> None:
        """Forget the lines that were pasted and not yet run."""
        ...
