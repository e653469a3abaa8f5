"""The lines that a user typed, kept between sessions: bounded, for that user's eyes only, without secrets."""

import os
import re
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

NAME = ".snat_cli_history"
"""In the home directory."""
MAX_BYTES = 1 << 18
"""Of the file; of a longer one, its newer half stays."""

# A word that begins a secret or its key, also abbreviated. After a pipe, "sec" is a section.
_SECRET = re.compile(
    r"^\s*((do|no|default)\s+)*en\S*\s+s|^[^|]*\b(secr?e?t?|pas\w*|aut\w*|key\S*)\s", re.IGNORECASE
)


class SparingHistory(FileHistory):
    """Keeps no line that has a secret in it."""

    def store_string(self, string: str) -> None:
        """Into the file, if that can be written."""
        if not _SECRET.search(string):
            with suppress(OSError):
                super().store_string(string)


def history() -> History:
    """In the home directory; where that cannot be written, only as long as the program runs."""
    try:
        path = Path.home() / NAME
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        path.chmod(0o600)
        if path.stat().st_size > MAX_BYTES:
            _halve(path)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return InMemoryHistory()
    return SparingHistory(str(path))


def _halve(path: Path) -> None:
    """Keep the newer half, from the beginning of an entry: a blank line and a comment with its time."""
    _, _, newer = path.read_bytes()[-MAX_BYTES // 2 :].partition(b"\n\n#")
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(b"\n#" + newer)
    new.replace(path)
