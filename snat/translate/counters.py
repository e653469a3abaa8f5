"""What is counted of packets."""

from dataclasses import dataclass


@dataclass(slots=True)
class TranslateCounters:
    """What happened to packets; a name for every reason to drop one."""

    hits: int = 0
    """Translated on the fast path."""
    slow: int = 0
    """Translated on the slow path."""
    passed: int = 0
    """Not to be translated: passed on as they came."""
    created: int = 0
    expired: int = 0
    malformed: int = 0
    not_ipv4: int = 0
    options: int = 0
    fragments: int = 0
    ttl_exceeded: int = 0
    unsupported_protocol: int = 0
    """A protocol or ICMP type that overload cannot translate."""
    not_managed: int = 0
    """New flows while another device manages the mapping."""
    restrained: int = 0
    """New flows without a SYN, while the table of another device is being merged into ours."""
    not_syn: int = 0
    """TCP segments that open nothing and belong to nothing."""
    not_query: int = 0
    """ICMP replies from inside to nothing that was asked."""
    filtered: int = 0
    """From an outside host that the mapped inside host has not sent to (address-dependent filtering)."""
    unknown_inbound: int = 0
    unknown_outbound: int = 0
    """To an address that stands for outside hosts, but for none now."""
    hairpins: int = 0
    exhausted: int = 0
    """New flows without a free port or address."""
    no_address: int = 0
    """New flows by rules of an interface that has no address."""
    ambiguous: int = 0
    """New flows whose packets could not be told from those of another flow."""
