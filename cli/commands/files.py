"""``copy``, ``write``, ``erase`` and ``show startup-config``: the running configuration and its file."""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.commands.configuration import configuration_lines
from cli.commands.show import shown
from cli.grammar import Either, Optional, Values
from cli.render import running_configuration
from cli.router import CommandRefused, Router
from cli.session import Conversation, Question, Session
from cli.tokens import Keyword
from cli.tree import Command, Runs, Shows

RUNNING = Keyword(text="running-config", help="The configuration in force")
STARTUP = Keyword(text="startup-config", help="The configuration that the router begins with")
_STARTUP_NAME = "startup-config"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupText:
    """What ``show startup-config`` shows."""

    path: str
    text: str | None
    """None: there is no such file."""
    size: int
    free: int


def confirmed(answer: str | None) -> bool:
    """Whether ``[confirm]`` was answered by Enter or ``y``."""
    return (answer or "").strip().lower() in ("", "y", "yes")


def _copy(session: Session, _values: Values) -> Conversation:
    answer = yield Question(f"Destination filename [{_STARTUP_NAME}]? ")
    if (answer or "").strip() not in ("", _STARTUP_NAME):
        raise CommandRefused(f"the running configuration can only be copied to {_STARTUP_NAME}")
    yield from _save(session, {})


def _save(session: Session, _values: Values) -> Conversation:
    router = session.router
    if _changed(router):
        text = f"{router.startup.path} was changed by another program. Overwrite it? [confirm]"
        if not confirmed((yield Question(text))):
            raise CommandRefused("not saved")
    yield "Building configuration...\n"
    router.startup.save("".join(f"{line}\n" for line in configuration_lines(router.running_configuration())))
    yield "[OK]\n"


def _changed(router: Router) -> bool:
    """A file that cannot be read, or is no text, is somebody else's."""
    try:
        return router.startup.changed
    except (OSError, ValueError):
        return True


def _terminal(session: Session, _values: Values) -> Conversation:
    lines = list(configuration_lines(session.router.running_configuration()))
    yield "".join(f"{line}\n" for line in running_configuration(lines))


def _erase(session: Session, _values: Values) -> Conversation:
    text = "Erasing the nvram filesystem will remove all configuration files! Continue? [confirm]"
    if not confirmed((yield Question(text))):
        raise CommandRefused("not erased")
    session.router.startup.erase()
    yield "[OK]\nErase of nvram: complete\n"


def _read_startup(router: Router, _values: Values) -> StartupText:
    try:
        text = router.startup.look()
        free = router.startup.free
    except (OSError, ValueError) as error:
        raise CommandRefused(f"{router.startup.path}: {error}") from None
    size = len((text or "").encode())
    return StartupText(path=str(router.startup.path), text=text, size=size, free=free)


def _startup(shown_text: StartupText, _values: Values) -> Iterator[str]:
    if shown_text.text is None:
        yield "startup-config is not present"
        return
    yield f"Using {shown_text.size} out of {shown_text.size + shown_text.free} bytes"
    yield from shown_text.text.splitlines()


PRIVILEGED: tuple[Command, ...] = (
    Runs(
        pattern=(Keyword(text="copy", help="Copy a configuration"), RUNNING, STARTUP),
        run=_copy,
    ),
    Runs(
        pattern=(
            Keyword(text="write", help="Write the running configuration"),
            Optional(Keyword(text="memory", help="To the start-up file")),
        ),
        run=_save,
    ),
    Runs(
        pattern=(
            Keyword(text="write", help="Write the running configuration"),
            Keyword(text="terminal", help="To the terminal"),
        ),
        run=_terminal,
    ),
    Runs(
        pattern=(
            Either(
                (
                    Keyword(text="write", help="Write the running configuration"),
                    Keyword(text="erase", help="Remove the start-up file"),
                ),
                (
                    Keyword(text="erase", help="Remove the start-up file"),
                    STARTUP,
                ),
            ),
        ),
        run=_erase,
    ),
    Shows(
        pattern=shown(STARTUP),
        read=_read_startup,
        render=_startup,
    ),
)
