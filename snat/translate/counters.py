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
    inexact_resets: int = 0
    """Of those on the slow path: TCP resets that may be anybody's, which shorten no time."""
    created: int = 0
    expired: int = 0
    expected: int = 0
    """Entries for flows that gateways announced."""
    malformed: int = 0
    not_ipv4: int = 0
    options: int = 0
    """Options that carry addresses."""
    fragments: int = 0
    """Later fragments that went the way of the first of their datagram as they came."""
    fragments_held: int = 0
    """Fragments that came before the first of their datagram and wait for it."""
    fragments_released: int = 0
    """Of those: sent after it."""
    fragments_gathered: int = 0
    """Of those held: put together, since a gateway reads their flow."""
    fragments_timed_out: int = 0
    """Of those: dropped, since the first did not come."""
    fragments_abandoned: int = 0
    """Of those: dropped with their datagram, or for options that the first has not."""
    fragments_evicted: int = 0
    """Of those: dropped to have room for newer ones."""
    fragments_tiny: int = 0
    """Cut within the transport header (RFC 1858, RFC 3128)."""
    fragments_overlapping: int = 0
    """They contradict others of their datagram: its last piece drops the datagram (RFC 5722)."""
    fragments_duplicate: int = 0
    """Seen already."""
    fragments_too_many: int = 0
    """More than a datagram is cut into on any reasonable way."""
    fragments_refused: int = 0
    """Of a datagram whose first was dropped or which contradicts itself."""
    ttl_exceeded: int = 0
    icmp_type: int = 0
    """ICMP of a type that is not translated."""
    authenticated: int = 0
    """Of protocol AH, which covers the addresses: translated it would be refused by who gets it."""
    multicast: int = 0
    """To a group of hosts, or to all: not translated (RFC 5135 is out of scope)."""
    address_taken: int = 0
    """New flows of protocols without ports: other inside hosts have the address towards that outside host."""
    not_managed: int = 0
    """New flows while another device manages the mapping."""
    restrained: int = 0
    """New flows without a SYN, while the table of another device is being merged into ours."""
    not_syn: int = 0
    """TCP segments that open nothing and belong to nothing."""
    not_query: int = 0
    """ICMP replies from inside to nothing that was asked."""
    filtered: int = 0
    """For a mapped inside host, from an outside one that ``ip nat filtering`` does not let in."""
    crowded: int = 0
    """The same from one that it lets in, to an endpoint with so many flows that it gets no more this way."""
    unknown_inbound: int = 0
    early_held: int = 0
    """From outside, for a port that is a peer's to give: they wait for the entry that it may be making."""
    early_released: int = 0
    """Of those: its entry came in time."""
    early_full: int = 0
    """The same when too many waited: they did not."""
    unasked_forgotten: int = 0
    """Of those for nobody: SYNs whose senders are not told, since too many others wait for that."""
    unknown_outbound: int = 0
    """To an address that stands for outside hosts, but for none now."""
    hairpins: int = 0
    """From a host that keeps its address to the global one of another: the answer would not come here."""
    limited: int = 0
    """New flows of hosts that have as many as they may, or of anybody when there are as many in all."""
    exhausted: int = 0
    """New flows without a free port or address."""
    no_address: int = 0
    """New flows by rules of an interface that has no address."""
    ambiguous: int = 0
    """New flows whose packets could not be told from those of another flow."""
    read_held: int = 0
    """Segments of flows that a gateway reads, which wait for one before them."""
    read_released: int = 0
    """Of those: sent after it."""
    read_evicted: int = 0
    """Of those: dropped to have room for newer ones, or after a time; they are sent again."""
    read_crowded: int = 0
    """The same that do not wait, since too many others do."""
    read_beyond: int = 0
    """The same, so far ahead that it can be no part of the stream."""
    read_delayed: int = 0
    """Packets that waited until other routers knew of an edit that changes the length."""
    read_corrupt: int = 0
    """Of flows that a gateway reads, with a wrong checksum, or lengths that do not fit."""
    read_forgotten: int = 0
    """Of those, segments sent again long after they were edited, by when nobody knows how."""
    icmp_errors: int = 0
    """ICMP errors translated."""
    icmp_bad_quote: int = 0
    """The same, though the header they quote had a wrong checksum."""
    icmp_unknown: int = 0
    """ICMP errors about a flow that is not there."""
    icmp_checksum: int = 0
    """ICMP errors with a wrong checksum."""
    icmp_truncated: int = 0
    """ICMP errors that quote too little to tell the flow."""
    icmp_fragment: int = 0
    """ICMP errors about a fragment without ports."""
    icmp_about_error: int = 0
    icmp_misdirected: int = 0
    """ICMP errors to somebody else than the sender of what they quote."""
    icmp_redirect: int = 0
    icmp_source_quench: int = 0
