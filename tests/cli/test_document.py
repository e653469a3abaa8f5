"""doc/commands.md: every command is in it, and it is not stale."""

import pytest

from cli import document
from cli.commands import TREE
from cli.document import PATH
from cli.grammar import tokens
from cli.tokens import Unsupported


def test_the_page_is_not_stale() -> None:
    assert PATH.read_text() == document.document(), "run: python -m cli.document"


def test_every_word_of_every_command_is_in_it() -> None:
    page = document.document()
    for mode, commands in TREE.modes.items():
        assert f": `{mode.prompt}`" in page
        for command in commands:
            for token in tokens(command.pattern):
                assert (token.text if isinstance(token, Unsupported) else token.name) in page, token


@pytest.mark.parametrize(
    "line",
    [
        "`copy running-config startup-config`\n",
        "`enable [15]`\n",
        "`exec-timeout (<0-35791> [<0-59>])` (and `no`)\n",
        "`line {vty <0-63> [<0-63>] | console <0-0>}` (and `no`)\n",
        "`show version [PIPE]`\n",
        "- `(config)# enable password`\n",
        "- `(config-line)# login`\n",
    ],
)
def test_how_commands_are_written(line: str) -> None:
    assert line in document.document() + "\n"


def test_what_is_not_supported_is_offered_nowhere() -> None:
    page, _, refused = document.document().partition("## Not supported")
    assert "`write [memory]`" in page
    assert "`configure`\n" in page
    assert "- `# configure network`" in refused


def test_writing_it(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("doc") / "commands.md"
    monkeypatch.setattr(document, "PATH", path)
    assert document.main() == 0
    assert path.read_text() == document.document()
