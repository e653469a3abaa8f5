"""doc/protocol.md says what the code does: its tables, diagrams and bytes are compared with it."""

import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from struct import Struct, calcsize
from typing import Any, Final

import pytest

from snat.config.model import DEFAULT_HOLD_TIME, DEFAULT_KEEPALIVE, DEFAULT_PORT
from snat.nat import entry
from snat.nat.entry import Entry, Flag, TimeoutClass
from snat.net.listener import PENDING
from snat.net.protocol import HANDSHAKE_TIME
from snat.net.tls import ALPN
from snat.pki import NAT_ID_URN
from snat.redundancy.roles import ALONE_EXTRA, CLAIM_TIME
from snat.replication.receiver import REQUEST_TIME
from snat.session.session import AUTHENTICATE_TIME
from snat.wire import actions, header, items
from snat.wire.actions import Action, Capability, DumpKind, ItemFlag, Role, Seen, Standing, UnitOption
from snat.wire.errors import ErrorCode
from snat.wire.items import LAYOUTS
from tests.session import diagram
from tests.vectors import DIRECTORY, NAMES

DOCUMENT: Final = (Path(__file__).parents[2] / "doc" / "protocol.md").read_text()
FLAT: Final = " ".join(DOCUMENT.split())
"""The text without line ends, for sentences."""
LAYOUT_HEADING: Final = ["offset", "size", "field", "meaning"]

Row = list[str]


def section(title: str) -> str:
    """The text under a heading, to the next of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"doc/protocol.md has no section {title!r}"
    return found.group(1)


def tables(text: str) -> list[tuple[Row, list[Row]]]:
    """Headings and rows of the tables in a text."""
    found: list[tuple[Row, list[Row]]] = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        heading, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.split("\n")[:-1]
        )
        found.append((heading, rows))
    return found


def layouts(title: str) -> list[list[tuple[str, str, str]]]:
    """Offset, size and name of the fields in each layout table of a section, the names as in code."""
    return [
        [(offset, size, re.sub(r"\W+", "_", name.lower())) for offset, size, name, _ in rows]
        for heading, rows in tables(section(title))
        if heading == LAYOUT_HEADING
    ]


def names_of(kind: type[Any]) -> Iterator[str]:
    """The fields of a NamedTuple, those of nested ones with what they are in."""
    for name, of in kind.__annotations__.items():
        if hasattr(of, "_fields"):
            yield from (f"{name}_{inner}" for inner in names_of(of))
        else:
            yield name


def described(names: Iterator[str] | tuple[str, ...], layout: Struct) -> list[tuple[str, str, str]]:
    """Offset, size and name of the fields of a layout."""
    rows, offset = [], 0
    for name, code in zip(names, re.findall(r"\d*[a-zA-Z]", layout.format), strict=True):
        rows.append((str(offset), str(calcsize("!" + code)), name))
        offset += calcsize("!" + code)
    return rows


def numbered(kind: type[IntEnum]) -> dict[str, str]:
    return {str(one.value): one.name for one in kind}


def test_the_header_is_as_described() -> None:
    names = (
        "version",
        "flags",
        "header_length",
        "message_length",
        "process_id",
        "mapping_id",
        "term_number",
        "term_nat_id",
        "sequence",
    )
    assert layouts("The header") == [described(names, header.LAYOUT)]


def test_the_item_is_as_described() -> None:
    assert layouts("Items") == [described(("action", "flags", "data_length"), items.ITEM)]
    assert (ItemFlag.FORMAT, ItemFlag.OPTIONAL) == (0b1111, 1 << 7)


@pytest.mark.parametrize("action", LAYOUTS)
def test_a_fixed_layout_is_as_described(action: Action) -> None:
    kind, layout = LAYOUTS[action]
    title = f"{action.name.lower().replace('_', '-')} ({action.value})"
    assert layouts(title) == [described(names_of(kind), layout)]


def test_authenticate_and_its_units_are_as_described() -> None:
    assert layouts("authenticate (1)") == [
        described(names_of(actions.Authenticate), items.AUTHENTICATE),
        described(names_of(actions.Unit), items.UNIT),
    ]


def test_keepalive_is_as_described() -> None:
    assert layouts("keepalive (11)") == [described(names_of(actions.Applied), items.APPLIED)]


def test_hint_is_as_described() -> None:
    assert layouts("hint (16)") == [described(names_of(actions.Hint), items.HINT)]
    assert f"at most {items.MAXIMUM_HINTS}, *optional*" in FLAT


def test_hears_is_as_described() -> None:
    assert f"at most {actions.MAXIMUM_HEARD}. It leaves" in FLAT


def test_error_is_as_described() -> None:
    (rows,) = layouts("error (7)")
    *names, reason, about = names_of(actions.Error)
    assert rows[:-2] == described((*names, f"{about}_length"), items.ERROR)
    assert rows[-2:] == [
        (str(items.ERROR.size), f"0 or {entry.REFERENCE_SIZE}", about),
        (f"{items.ERROR.size} + {about}", f"0 to {actions.MAXIMUM_REASON}", reason),
    ]


def test_the_record_is_as_described() -> None:
    (rows,) = layouts("Entries")
    *fixed, context, remaining = Entry._fields
    assert rows[:-2] == described(tuple(fixed), entry.FIXED)
    assert rows[-2:] == [
        (str(entry.FIXED_SIZE), "n", context),
        (f"{entry.FIXED_SIZE} + n", str(entry.TAIL.size), remaining),
    ]


def test_the_actions_are_as_described() -> None:
    (rows,) = (rows for heading, rows in tables(section("Items")) if heading[0] == "action")
    assert {number: name.upper().replace("-", "_") for number, name, *_ in rows} == numbered(Action)


def test_the_error_codes_are_as_described() -> None:
    (rows,) = (rows for heading, rows in tables(section("error (7)")) if heading[0] == "code")
    assert {number: name for number, name, *_ in rows} == numbered(ErrorCode)


@pytest.mark.parametrize(
    ("title", "field", "values"),
    [
        ("role (13)", "role", {one.value: one.name for one in Role}),
        ("role (13)", "standing", {one.value: one.name for one in Standing}),
        ("authenticate (1)", "capabilities", {one.value: one.name for one in Capability}),
        ("authenticate (1)", "options", {one.value: one.name for one in UnitOption}),
        ("hint (16)", "seen", {one.value: one.name for one in Seen}),
        ("dump-request (8)", "kind", {one.value: one.name for one in DumpKind}),
        ("dump-begin (9)", "kind", {one.value: one.name for one in DumpKind if one is not DumpKind.RESUME}),
        ("Entries", "flags", {one.value: one.name for one in Flag}),
        ("Entries", "state", {one.value: one.name for one in entry.State}),
        ("Entries", "timeout class", {one.value: one.name for one in TimeoutClass}),
    ],
)
def test_the_values_of_a_field_are_as_described(
    title: str, field: str, values: dict[int, str | None]
) -> None:
    (meaning,) = (
        row[3] for _, rows in tables(section(title)) for row in rows if row[2] == field and len(row) == 4
    )
    said = re.findall(r"(\d+): (\w+)", meaning)
    assert {int(value): name.upper() for value, name in said} == values


def test_every_kind_of_dump_is_described() -> None:
    ((_, rows),) = tables(section("Dumps"))
    assert [kind for kind, *_ in rows] == [kind.name for kind in DumpKind]


def test_the_actions_that_share_no_message_with_others_are_as_described() -> None:
    assert set(range(2, 6)) == items.CHANGES
    assert "Changes (2 to 5) and other items never share a message." in FLAT


def test_the_bounds_are_as_described() -> None:
    ((_, rows),) = tables(section("Bounds"))
    bounds = {what: bound for what, bound, _ in rows}
    assert bounds["message"] == f"{header.MAXIMUM_MESSAGE} bytes"
    assert bounds["header"] == f"{header.SIZE} to {header.MAXIMUM_HEADER} bytes"
    assert bounds["application context"] == f"{entry.MAXIMUM_CONTEXT} bytes"
    assert bounds["entry in an error"] == f"0 or {entry.REFERENCE_SIZE} bytes"
    assert bounds["reason of an error"] == f"{actions.MAXIMUM_REASON} bytes"
    assert bounds["time from an open link to authenticate"] == f"{AUTHENTICATE_TIME:g} s"


@pytest.mark.parametrize(
    "sentence",
    [
        f"# The protocol between routers, version {header.VERSION}",
        f"TCP, port {DEFAULT_PORT} unless configured otherwise",
        f"ALPN `{ALPN.decode()}`",
        f"a URI `{NAT_ID_URN}N`",
        f"the handshake must be over in {HANDSHAKE_TIME:g} s",
        f"no more than {PENDING} connections may be without proof",
        f"{AUTHENTICATE_TIME:g} s from *dial*, and again {AUTHENTICATE_TIME:g} s from *open*",
        f"keepalive interval ({DEFAULT_KEEPALIVE:g} s unless configured)",
        f"The hold time ({DEFAULT_HOLD_TIME:g} s unless configured)",
        f"carry a record, {entry.PLAIN_SIZE} bytes and the context",
        f"carries a reference, {entry.REFERENCE_SIZE} bytes",
        f"brings nothing for {REQUEST_TIME:g} s, it asks again",
        f"the hold time and {ALONE_EXTRA:g} s must have passed",
        f"has waited {CLAIM_TIME:g} s in vain",
        f"{entry.INCARNATION_BITS} bits incarnation, {entry.COUNTER_BITS} bits counter",
        f"{entry.NEVER}: never",
    ],
)
def test_a_constant_is_as_described(sentence: str) -> None:
    assert sentence in FLAT


@pytest.mark.parametrize(
    ("title", "drawn"), [("States", diagram.session()), ("role (13)", diagram.standings())]
)
def test_a_diagram_is_drawn_from_its_table(title: str, drawn: str) -> None:
    """``python -m tests.session.diagram`` draws it anew."""
    assert f"```mermaid\n{drawn}\n```\n" in section(title)


def test_the_examples_are_vectors() -> None:
    shown = re.findall(r"```hex\n(.*?)```", DOCUMENT, re.DOTALL)
    known = {(DIRECTORY / f"{name}.hex").read_text() for name in NAMES}
    assert len(shown) >= 3
    assert set(shown) <= known


def test_the_vectors_named_are_there() -> None:
    rows = [row for _, rows in tables(section("An example")) for row in rows]
    named = [name for *_, cell in rows for name in re.findall(r"`([\w-]+)`", cell)]
    assert len(named) == len(rows) > 0
    assert set(named) <= set(NAMES)


def test_links_within_the_document_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", DOCUMENT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([\w-]+)\)", DOCUMENT)) <= anchors
