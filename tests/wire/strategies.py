"""Whatever the wire can carry, for hypothesis."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hypothesis import strategies as st

from snat.nat.entry import REFERENCE, Entry
from snat.wire.actions import MAXIMUM_REASON, Action, Applied, Authenticate, DumpKind, Error, Unit
from snat.wire.header import Feed, Position, Term, encode
from snat.wire.items import LAYOUTS, authenticate, control, error, item, keepalive

MAPPING: Final = 10
_U8, _U16, _U32, _U64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))

feeds = st.builds(Feed, _U32, _U32)
terms = st.builds(Term, _U32, _U32)
positions = st.builds(Position, terms, _U64)

entries = st.builds(
    Entry,
    nat_id=st.integers(1, 2**32 - 1),
    number=_U64,
    mapping_id=st.just(MAPPING),
    inside_local=st.binary(min_size=4, max_size=4),
    inside_local_port=_U16,
    protocol=_U8,
    inside_global=st.binary(min_size=4, max_size=4),
    inside_global_port=_U16,
    outside_local=st.binary(min_size=4, max_size=4),
    outside_local_port=_U16,
    outside_global=st.binary(min_size=4, max_size=4),
    outside_global_port=_U16,
    flags=_U16,
    state=_U8,
    timeout_class=_U8,
    context=st.just(b"") | st.binary(max_size=40),
    remaining=_U32,
)
"""Entries of feed (0, MAPPING)."""

records = entries.map(Entry.pack)
references = records.map(lambda record: record[REFERENCE])

changes = st.one_of(
    st.tuples(st.just(Action.ADD), records),
    st.tuples(st.just(Action.UPDATE), records),
    st.tuples(st.just(Action.DELETE), references),
    st.tuples(st.just(Action.DELETE_ALL), st.just(b"")),
)
"""One change of feed (0, MAPPING): action and data."""

change_lists = st.lists(changes, max_size=12) | st.lists(
    st.tuples(st.just(Action.ADD), entries.map(lambda entry: entry._replace(context=b"").pack())), max_size=12
)
"""Changes in any order; often plain adds alone, which the decoder reads in another way."""

_FIELDS: Final = {"I": _U32, "Q": _U64, "B": _U8, "H": _U16}
_NESTED: Final = {Feed: feeds, Term: terms, Position: positions}


def fixed(
    kind: type[Any], layout: str, limited: Mapping[str, st.SearchStrategy[int]] = MappingProxyType({})
) -> st.SearchStrategy[Any]:
    """Values of a class whose plain fields, in order, have these struct codes; some are ``limited``."""
    codes = iter(layout)
    fields = [
        _NESTED[of] if of in _NESTED else limited.get(name, _FIELDS[next(codes)])
        for name, of in kind.__annotations__.items()
    ]
    assert next(codes, None) is None, f"more codes than {kind.__name__} has plain fields"
    return st.tuples(*fields).map(lambda values: kind(*values))


_PLAIN_CODES: Final = {
    Action.DIGEST: "IQ",
    Action.TERM: "",
    Action.HAD: "",
    Action.UNAVAILABLE: "IQB",
    Action.ROLE: "BB",
    Action.CLAIM: "",
    Action.RELEASED: "IQ",
    Action.DUMP_REQUEST: "IBIIB",
    Action.DUMP_BEGIN: "IB",
    Action.DUMP_END: "IIQ",
}
"""Struct codes of what is neither feed, term nor position: number, count, digest, role, standing ..."""
_LIMITED: Final[dict[Action, dict[str, st.SearchStrategy[int]]]] = {
    Action.UNAVAILABLE: {"keep": st.integers(0, 1)},
    Action.DUMP_REQUEST: {"kind": st.sampled_from(DumpKind), "prefix_length": st.integers(0, 32)},
    Action.DUMP_BEGIN: {"kind": st.sampled_from([DumpKind.FEED, DumpKind.PULL])},
}
"""Those of which not every number means something."""

fixed_values = st.one_of(
    *(fixed(LAYOUTS[action][0], codes, _LIMITED.get(action, {})) for action, codes in _PLAIN_CODES.items())
)
applied = fixed(Applied, "")
units = fixed(Unit, "BBHQH")
hellos = fixed(Authenticate, "IIQIIIH")
_printable = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=MAXIMUM_REASON // 4
)
errors = st.builds(Error, _U16, feeds, terms, _printable.filter(str.isprintable), st.just(b"") | references)

control_items = st.one_of(
    fixed_values.map(control),
    st.lists(applied, max_size=5).map(keepalive),
    errors.map(error),
)
"""A well-formed item that is neither a change nor authenticate."""

authenticates = st.tuples(hellos, st.lists(units, max_size=4)).map(lambda both: authenticate(*both))

malformed_items = st.builds(
    lambda action, flags, data: item(action, data, flags),
    _U8,
    _U8,
    st.binary(max_size=80),
)
"""Items whose lengths add up and whose content is anything."""

bodies = st.one_of(
    st.lists(control_items, max_size=4).map(b"".join),
    st.lists(st.one_of(control_items, authenticates, malformed_items), max_size=4).map(b"".join),
    change_lists.map(lambda listed: b"".join(item(action, data) for action, data in listed)),
    st.binary(max_size=80),
)

messages = st.builds(encode, bodies, feeds, terms, st.sampled_from([0, 1, 2**64 - 1]), _U8)
"""Messages whose header is right and whose items may not be."""
