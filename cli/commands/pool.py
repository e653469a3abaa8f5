"""``ip nat pool``, with its addresses in the line or below it (ios-cli.md 1.2)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.commands.editing import drop, put
from cli.commands.snat import IP_NAT
from cli.grammar import Either, Optional, Options, Pattern, Tail, Values
from cli.modes import POOL as POOL_MODE
from cli.session import Place
from cli.tokens import HostAddress, Keyword, Netmask, Number, Unsupported, Word
from cli.tree import Command, Configures, Rejected
from snat.config import lines
from snat.config.model import AddressRange, Configuration, Pool, PoolType

_TYPES = {PoolType.MATCH_HOST: "match_host", PoolType.ROTARY: "rotary"}


def _of(configuration: Configuration, name: str) -> Pool | None:
    return next((pool for pool in configuration.pools if pool.name == name), None)


def _values(pool: Pool) -> dict[str, Any]:
    values: dict[str, Any] = {"pool": pool.name, "add_route": pool.add_route}
    values["netmask" if pool.as_netmask else "prefix_length"] = pool.prefix_length
    if pool.kind in _TYPES:
        values[_TYPES[pool.kind]] = True
    return values


def _stored_lines(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    for pool in configuration.pools:
        if not pool.as_block:
            (addresses,) = pool.ranges
            yield {**_values(pool), "start": addresses.start, "end": addresses.end}


def _stored_blocks(configuration: Configuration, _subject: Any) -> Iterator[Values]:
    return (_values(pool) for pool in configuration.pools if pool.as_block)


def _pool(values: Values) -> Pool:
    as_netmask = "netmask" in values
    kind = next((kind for kind, key in _TYPES.items() if key in values), PoolType.GENERIC)
    return Pool(
        name=values["pool"],
        prefix_length=values["netmask" if as_netmask else "prefix_length"],
        as_netmask=as_netmask,
        kind=kind,
        add_route="add_route" in values,
    )


def _line(values: Values) -> Pool:
    return replace(_pool(values), ranges=(AddressRange(values["start"], values["end"]),))


def _set_line(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    return _put(configuration, _line(values))


def _set_block(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    """A block that is entered again keeps the addresses below it."""
    present = _of(configuration, values["pool"])
    ranges = present.ranges if present is not None and present.as_block else ()
    return _put(configuration, replace(_pool(values), as_block=True, ranges=ranges))


def _put(configuration: Configuration, pool: Pool) -> Configuration:
    """Lines stand before blocks, as the running configuration prints them."""
    pools = put(configuration.pools, pool, lambda pool: pool.name)
    return replace(configuration, pools=tuple(sorted(pools, key=lambda pool: pool.as_block)))


def _unset(configuration: Configuration, _subject: Any, values: Values) -> Configuration:
    """Without the pool, a line or a block; what is said beside its name must be so."""
    name = values["pool"]
    pool = _of(configuration, name)
    if pool is None:
        return configuration
    if ("start" in values and _line(values) != pool) or (_is_block(values) and not _same_block(values, pool)):
        raise Rejected(f"% The configured line differs: {lines.pool(pool)}")
    if any(rule.pool == name for rule in configuration.dynamic_rules):
        raise Rejected(f"%Pool {name} in use, cannot destroy")
    return replace(configuration, pools=drop(configuration.pools, lambda pool: pool.name == name))


def _is_block(values: Values) -> bool:
    return "start" not in values and ("netmask" in values or "prefix_length" in values)


def _same_block(values: Values, pool: Pool) -> bool:
    return replace(_pool(values), as_block=True, ranges=pool.ranges) == pool


def _stored_ranges(configuration: Configuration, name: str) -> Iterator[Values]:
    pool = _of(configuration, name)
    return ({"start": one.start, "end": one.end} for one in (pool.ranges if pool else ()))


def _block(configuration: Configuration, name: str) -> Pool:
    pool = _of(configuration, name)
    if pool is None:
        raise Rejected(f"% Pool {name} has been removed. Enter it again")
    return pool


def _set_range(configuration: Configuration, name: str, values: Values) -> Configuration:
    pool, addresses = _block(configuration, name), AddressRange(values["start"], values["end"])
    return _put(configuration, replace(pool, ranges=put(pool.ranges, addresses, lambda one: one)))


def _unset_range(configuration: Configuration, name: str, values: Values) -> Configuration:
    pool, addresses = _block(configuration, name), AddressRange(values["start"], values["end"])
    return _put(configuration, replace(pool, ranges=drop(pool.ranges, lambda one: one == addresses)))


_NAME = (
    *IP_NAT,
    Keyword(text="pool", help="Addresses to translate to"),
    Word(
        key="pool",
        help="Name of the pool",
        candidates=lambda configuration: [pool.name for pool in configuration.pools],
    ),
)
_ADDRESSES = (
    HostAddress(key="start", help="First address"),
    HostAddress(key="end", help="Last address"),
)
_MASK: Pattern = (
    Either(
        (
            Keyword(text="netmask", help="Mask of the network of the pool"),
            Netmask(key="netmask", help="Mask"),
        ),
        (
            Keyword(text="prefix-length", help="Length of the prefix of the pool"),
            Number(key="prefix_length", low=1, high=32, help="Bits"),
        ),
    ),
    Options(
        (Keyword(text="add-route", key="add_route", help="Route the addresses of the pool to this router"),),
        (
            Keyword(text="type", help="How addresses are chosen"),
            Either(
                (Keyword(text="match-host", key="match_host", help="The host part stays"),),
                (Keyword(text="rotary", key="rotary", help="In turn, for load sharing"),),
            ),
        ),
    ),
    Optional(Unsupported(text="accounting")),
)

COMMANDS: tuple[Command, ...] = (
    Configures(
        pattern=(*_NAME, Tail(*_ADDRESSES, *_MASK)),
        stored=_stored_lines,
        set=_set_line,
        unset=_unset,
        negatable=True,
    ),
    Configures(
        pattern=(*_NAME, *_MASK),
        stored=_stored_blocks,
        set=_set_block,
        unset=_unset,
        negatable=True,
        enters=lambda values: Place(POOL_MODE, values["pool"]),
    ),
)

IN_POOL: tuple[Command, ...] = (
    Configures(
        pattern=(Keyword(text="address", help="A range of addresses"), *_ADDRESSES),
        stored=_stored_ranges,
        set=_set_range,
        unset=_unset_range,
    ),
)
