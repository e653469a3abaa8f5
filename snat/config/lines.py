"""Lines of the running configuration by which problems name what they concern.

The shell prints these lines from its own declarations; tests compare the two.
"""

from ipaddress import IPv4Network

from snat.config.model import DynamicRule, Pool, PoolType, RuleKind, Service, StaticRule

NETMASKS = {length: str(IPv4Network((0, length)).netmask) for length in range(33)}


def _words(*words: object) -> str:
    return " ".join(str(word) for word in words if word)


def _flag(on: bool, word: str) -> str:
    return word if on else ""


def _named(word: str, value: object) -> str:
    return f"{word} {value}" if value else ""


def dynamic(rule: DynamicRule) -> str:
    """``ip nat inside source list 1 pool P overload``."""
    return _words(
        f"ip nat {rule.kind}",
        _named("list", rule.access_list),
        _named("route-map", rule.route_map),
        _named("pool", rule.pool),
        _named("interface", rule.interface),
        _named("redundancy", rule.redundancy),
        _named("mapping-id", rule.mapping_id),
        _flag(rule.reversible, "reversible"),
        _flag(rule.overload, "overload"),
        _flag(rule.extended, "extended"),
        _flag(rule.add_route, "add-route"),
    )


def static(rule: StaticRule) -> str:
    """``ip nat inside source static 10.0.0.9 203.0.113.9``."""
    local = _words(rule.local, rule.local_port)
    place = rule.global_ if rule.global_ is not None else f"interface {rule.interface}"
    ends = (local, _words(place, rule.global_port))
    mask = f"/{rule.prefix_length}" if rule.prefix_length else ""
    if rule.as_netmask:
        mask = NETMASKS[rule.prefix_length]
    return _words(
        f"ip nat {rule.kind} static",
        _flag(rule.prefix_length > 0, "network"),
        rule.protocol,
        *(ends if rule.kind is RuleKind.INSIDE_SOURCE else reversed(ends)),
        mask,
        _named("route-map", rule.route_map),
        _flag(rule.reversible, "reversible"),
        _named("redundancy", rule.redundancy),
        _named("mapping-id", rule.mapping_id),
        _flag(rule.extendable, "extendable"),
        _flag(rule.no_alias, "no-alias"),
        _flag(rule.no_payload, "no-payload"),
        _flag(rule.add_route, "add-route"),
    )


def pool(pool: Pool) -> str:
    """``ip nat pool P 203.0.113.1 203.0.113.9 prefix-length 24``."""
    mask = f"prefix-length {pool.prefix_length}"
    if pool.as_netmask:
        mask = f"netmask {NETMASKS[pool.prefix_length]}"
    return _words(
        f"ip nat pool {pool.name}",
        *(() if pool.as_block else pool.ranges[0]),
        mask,
        _flag(pool.add_route, "add-route"),
        _flag(pool.kind is not PoolType.GENERIC, f"type {pool.kind}"),
    )


def service(service: Service) -> str:
    """``ip nat service list 10 ftp tcp port 2121``."""
    return _words(
        "ip nat service",
        _named("list", service.access_list),
        service.name,
        service.protocol,
        _named("port", service.port),
    )
