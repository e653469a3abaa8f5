"""The project's own files: the plugin, the documents, the tools around the tests."""

import argparse
import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from snat.__main__ import parser

ROOT = Path(__file__).parent.parent


# The plugin


def test_the_plugin_imports_nothing_but_the_service_maker() -> None:
    """Every twistd command of every user imports it."""
    tree = ast.parse((ROOT / "twisted" / "plugins" / "snat_plugin.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imports] == ["from twisted.application.service import ServiceMaker"]


def test_twisted_knows_the_plugin() -> None:
    makers: dict[str, Any] = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
    assert makers["snat"].module == "snat.tap"


def test_no_init_file_hides_twisted() -> None:
    assert list((ROOT / "twisted").rglob("__init__.py")) == []


# The documents


def commands_in(document: str) -> Iterator[str]:
    """What a reader is told to type: indented lines, and code within lines, without comments."""
    text = (ROOT / document).read_text()
    for line in re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE):
        yield line.split("  #")[0].split("#")[0].strip()
    yield from re.findall(r"`([^`\n]+)`", text)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def subcommands(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return cast("dict[str, argparse.ArgumentParser]", action.choices)
    return {}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGES.md"])
def test_every_make_target_of_the_documents_exists(document: str) -> None:
    told = [command.removeprefix("sudo ").split() for command in commands_in(document)]
    named = {words[1] for words in told if words[0] == "make" and len(words) > 1}
    assert named
    assert named <= targets()


@pytest.mark.parametrize("document", ["README.md", "CHANGES.md"])
def test_every_snat_command_of_the_documents_exists(document: str) -> None:
    told = [command.split() for command in commands_in(document)]
    named = [words[1:] for words in told if words[0] == "snat" and len(words) > 1]
    assert named
    for command, *rest in named:
        assert command in subcommands(parser())
        actions = subcommands(subcommands(parser())[command])
        assert not rest or not actions or set(rest[0].split("|")) <= set(actions)


def test_the_documents_install_no_strangers_package() -> None:
    for document in ROOT.glob("*.md"):
        assert "pip install snat" not in document.read_text()


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists()


# The tools


@pytest.mark.parametrize("script", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_a_script_parses_and_stops_at_errors(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/usr/bin/env bash\n")


INNER = """
import pytest
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

@pytest.mark.root
def test_root(): pytest.skip("something is missing")

@pytest.mark.soak
def test_soak(): pass

def test_unhandled(): fail(ValueError("in a Deferred"))

def test_unhandled_in_a_cycle():
    lost = fail(ValueError("in a cycle"))
    lost.itself = lost

def test_expected(logged_failures):
    fail(ValueError("expected"))
    assert len(logged_failures) == 1
    logged_failures.clear()

class Tests(SynchronousTestCase):
    def test_expected(self):
        fail(ValueError("expected"))
        assert len(self.flushLoggedErrors(ValueError)) == 1
"""


def run_inner(directory: Path, *arguments: str) -> str:
    """Run the tests above under our conftest and configuration; what pytest said."""
    (directory / "tests").mkdir()
    (directory / "tests" / "test_inner.py").write_text(INNER)
    shutil.copy(ROOT / "tests" / "conftest.py", directory / "tests")
    shutil.copy(ROOT / "pyproject.toml", directory)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *arguments]
    return subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True).stdout


def test_a_lost_failure_fails_its_test_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    told = run_inner(tmp_path)
    assert re.findall(r"^ERROR tests/test_inner.py::(\S+)", told, re.MULTILINE) == [
        "test_unhandled",
        "test_unhandled_in_a_cycle",
    ]
    assert re.search(r"^!+ NOT TESTED !+\n1 tests with live traffic did not run", told, re.MULTILINE)
    assert "1 long tests were left out; they run by: make soak" in told
    assert "4 passed, 1 skipped, 1 deselected, 2 errors" in told


def test_soak_tests_run_when_they_are_asked_for(tmp_path: Path) -> None:
    assert "1 passed, 5 deselected" in run_inner(tmp_path, "-m", "soak")
