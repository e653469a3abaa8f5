"""What the RFCs ask of a NAT, row by row, and what of it is not met and why.

A test that shows a row carries its number: ``test_u1_...``, ``test_i10a_...``, ``test_u3a_u4_...`` for two; a
dot is left out (M7.1: ``test_m71_...``).
"""

from dataclasses import dataclass
from typing import Final

MUST, SHOULD, MAY, NOTE = "MUST", "SHOULD", "MAY", "note"


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement."""

    number: str
    level: str
    source: str
    """Where it is asked."""
    text: str
    """In our own words."""
    unmet: str = ""
    """Why it is not met, or what of it; a row that has tests too is met in part."""
    see: tuple[str, ...] = ()
    """Rows whose tests show this one too."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one document."""

    title: str
    rows: tuple[Row, ...]


UDP: Final = Section(
    "UDP (RFC 4787)",
    (
        Row("U1", MUST, "REQ-1", "An inside endpoint has one outside endpoint, whoever it talks to."),
        Row("U2", SHOULD, "REQ-2", "An inside host keeps one address of the pool."),
        Row("U3", MUST, "REQ-3", "No two inside endpoints have one outside endpoint at a time."),
        Row("U3a", SHOULD, "REQ-3a", "Ports below 1024 stay below, others above; port 0 is never given out."),
        Row("U4", SHOULD, "REQ-4", "Even ports stay even, odd ones odd, also when the port must change."),
        Row(
            "U4c",
            NOTE,
            "4.2.3",
            "That RTCP's port follows RTP's is not to be promised to those who did not ask.",
            "Not promised: ports are given out one by one.",
        ),
        Row(
            "U5",
            MUST,
            "REQ-5",
            "A mapping lives 2 minutes at least, 5 by default, as configured.",
        ),
        Row("U6", MUST, "REQ-6", "Packets from inside keep a mapping alive; from outside too, as they may."),
        Row("U7", MUST, "REQ-7", "Hosts outside may have addresses that are used inside."),
        Row("U8", SHOULD, "REQ-8", "Outside hosts that were sent to may answer, from any port."),
        Row(
            "U8a",
            SHOULD,
            "REQ-8a",
            "Or any host, or the very endpoints that were sent to, as configured.",
        ),
        Row(
            "U9",
            MUST,
            "REQ-9",
            "Inside hosts reach each other by their outside endpoints, and see those.",
        ),
        Row("U10", SHOULD, "REQ-10", "What is carried over UDP is not changed by default."),
        Row("U11", MUST, "REQ-11", "Behaviour does not change with port conflicts."),
        Row("U12", MUST, "REQ-12", "An ICMP error ends no mapping, and is translated whoever sent it."),
        Row(
            "U13",
            MUST,
            "REQ-13",
            "Too long and DF: an ICMP error with the next MTU. Without DF: fragments, in order.",
        ),
        Row("U13a", MUST, "REQ-13a", "The fragments that we make or order leave in order."),
        Row("U14", MUST, "REQ-14", "Fragments pass in any order."),
        Row("U14a", MUST, "REQ-14a", "What is kept for them is bounded: a flood harms no whole packet."),
    ),
)

TCP: Final = Section(
    "TCP (RFC 5382, RFC 7857 section 2)",
    (
        Row("T1", MUST, "5382 REQ-1", "As U1, for TCP."),
        Row("T2", MUST, "5382 REQ-2", "Every valid order of segments, simultaneous open too."),
        Row("T3", SHOULD, "5382 REQ-3", "As U8, for TCP."),
        Row("T3a", SHOULD, "5382 REQ-3a", "As U8a, for TCP."),
        Row(
            "T4",
            MUST,
            "5382 REQ-4",
            "An unasked SYN from outside gets no answer for 6 s, and none at all if its "
            "counterpart from inside comes meanwhile.",
        ),
        Row(
            "T5",
            MUST,
            "5382 REQ-5",
            "Idle connections live 7440 s, those that open or close 240 s, as configured.",
        ),
        Row("T6", SHOULD, "5382 REQ-6", "What is carried over TCP is not changed by default, FTP apart."),
        Row("T7", MUST, "5382 REQ-7", "As U3, for TCP."),
        Row("T8", MUST, "5382 REQ-8", "As U9, for TCP."),
        Row(
            "T9",
            SHOULD,
            "5382 REQ-9",
            "ICMP errors about TCP are translated; 8 bytes of the segment are enough.",
        ),
        Row(
            "T10",
            MUST,
            "5382 REQ-10",
            "No ICMP error ends a mapping or a connection.",
        ),
        Row("T11", SHOULD, "7857 2", "The states of a connection: opening, established, closing, ended."),
        Row("T12", SHOULD, "7857 2.2", "A RST passes and shortens the time to 240 s, unless data follows."),
        Row(
            "T12a",
            SHOULD,
            "7857 2.2",
            "One whose sequence number does not belong shortens nothing.",
        ),
        Row(
            "T13",
            MAY,
            "5382 5",
            "A segment that opens nothing and belongs to nothing is dropped, never passed.",
        ),
        Row(
            "T14",
            NOTE,
            "7857 9",
            "Who changes lengths changes sequence numbers, in SACK too.",
        ),
        Row("T15", MAY, "5382 5", "A SYN after the close opens again, with the same port."),
    ),
)

ICMP: Final = Section(
    "ICMP (RFC 5508)",
    (
        Row(
            "I1",
            MUST,
            "REQ-1",
            "Queries from inside and their replies; one identifier outside for one inside.",
        ),
        Row("I2", MUST, "REQ-2", "A query's mapping lives 60 s at least, as configured."),
        Row("I3", SHOULD, "REQ-3", "An error whose own checksum is wrong is dropped."),
        Row(
            "I3a",
            SHOULD,
            "REQ-3a",
            "So is one that quotes a header whose checksum is wrong.",
            "Passed as wrong as it came, and counted: some real senders change what they quote.",
        ),
        Row("I3b", MUST, "REQ-3b", "Options of the quoted packet are walked over."),
        Row("I3c", SHOULD, "REQ-3c", "Its transport checksum is not checked."),
        Row("I3d", MUST, "REQ-3d", "Padding and extensions (RFC 4884) are left alone."),
        Row(
            "I4",
            MUST,
            "REQ-4",
            "An error from outside finds the host whose packet it quotes, restored; its source stays.",
        ),
        Row(
            "I5",
            MUST,
            "REQ-5",
            "An error from inside quotes the packet as it was outside, and hides its sender.",
        ),
        Row("I6", MUST, "REQ-6", "An error neither refreshes nor ends what it is about."),
        Row(
            "I7",
            MUST,
            "REQ-7",
            "Errors about packets between inside hosts are translated within and without.",
        ),
        Row(
            "I8",
            SHOULD,
            "REQ-8",
            "What cannot be mapped is answered by an ICMP error; nobody loses a session for it.",
        ),
        Row("I9", MAY, "REQ-9", "Our own errors can be turned off."),
        Row("I10a", MUST, "REQ-10a", "Destination unreachable, time exceeded and echo are supported."),
        Row(
            "I10b",
            MAY,
            "REQ-10b",
            "Redirects, time stamps, source routes and others; what would leak inside addresses is dropped.",
        ),
        Row("I10c", SHOULD, "REQ-10c", "Source quench and information requests are not supported."),
        Row("I10d", SHOULD, "REQ-10d", "Our errors have the DS class of the packet they are about."),
        Row(
            "I10e",
            SHOULD,
            "REQ-10e",
            "No error about an error, a broadcast, a later fragment, or a source that is none.",
        ),
        Row("I10f", SHOULD, "REQ-10f", "Our errors are limited in rate, as configured."),
        Row("I11", MAY, "REQ-11", "Other types of ICMP are dropped."),
        Row("I12", MAY, "7857 11", "A query's mapping may go with its last session."),
        Row("I13", MUST, "6146 3.4", "An error that quotes an error is dropped."),
    ),
)

UPDATES: Final = Section(
    "Updates (RFC 7857)",
    (
        Row(
            "M3",
            MAY,
            "3",
            "One outside port for several inside endpoints whose destinations differ.",
            "An outside endpoint has one inside endpoint: members of a group tell their entries apart by "
            "that.",
        ),
        Row(
            "M4",
            SHOULD,
            "4",
            "When a host's own pool address is full, its new flows are dropped, or spill if so configured.",
        ),
        Row("M5", SHOULD, "5", "A mapping of one protocol is none of another."),
        Row("M6", SHOULD, "6", "So is what a filter lets in.", see=("M5",)),
        Row("M7", SHOULD, "7", "What a filter refuses refreshes nothing."),
        Row("M7.1", SHOULD, "7.1", "Nor does an error or a RST that answers a packet from outside."),
        Row("M9", SHOULD, "9", "Ports that change are hard to guess."),
        Row(
            "M10", SHOULD, "10", "What may be fragmented outside has an identification of its own (RFC 6864)."
        ),
    ),
)

CGN: Final = Section(
    "For many subscribers (RFC 6888)",
    (
        Row("C1", MUST, "REQ-1", "The documents for UDP, TCP and ICMP are kept to.", see=("U1", "T1", "I1")),
        Row("C2", MUST, "REQ-2", "A subscriber keeps one address over all protocols."),
        Row("C3", MUST, "REQ-3", "A pool may have gaps."),
        Row(
            "C4",
            MUST,
            "REQ-4",
            "A limit for each subscriber, as configured.",
        ),
        Row(
            "C5",
            SHOULD,
            "REQ-5",
            "Limits of sessions, and of the rate of new ones.",
            "Of sessions; not of the rate.",
        ),
        Row("C6", MUST, "REQ-6", "Some destinations can be exempt from translation."),
        Row(
            "C7",
            SHOULD,
            "REQ-7",
            "Any outside host may answer by default.",
            "The default is that hosts sent to may answer (U8): an open port is what firewalls are asked to "
            "prevent.",
        ),
        Row("C8", SHOULD, "REQ-8", "A freed port rests 120 s, after a failover too; tracked TCP is exempt."),
        Row(
            "C9",
            MUST,
            "REQ-9",
            "Subscribers may ask for mappings by protocol (PCP).",
            "No PCP: port forwards are configured by whoever runs the router.",
        ),
        Row(
            "C10",
            SHOULD,
            "REQ-10",
            "Managed by MIB or YANG.",
            "Managed by its shell, which answers in JSON too; no MIB, no YANG.",
        ),
        Row(
            "C11",
            MUST,
            "REQ-11",
            "What cannot be mapped is dropped and said; no existing flow is ended for it.",
        ),
        Row(
            "C12",
            SHOULD,
            "REQ-12",
            "Destinations are not logged.",
            "Nothing to hide: no mapping is logged (C16).",
        ),
        Row("C13", SHOULD, "REQ-13", "All ports of an address can be used."),
        Row(
            "C14",
            SHOULD,
            "REQ-14",
            "Few log lines, by blocks of ports.",
            "No blocks for subscribers, and no log of mappings: entries are replicated, not logged.",
        ),
        Row("C15", SHOULD, "REQ-15", "Ports hard to guess.", see=("M9",)),
        Row(
            "C16",
            NOTE,
            "4",
            "What a log of mappings says.",
            "No log of mappings; `show ip nat translations` tells those that exist.",
        ),
    ),
)

BASE: Final = Section(
    "Basics (RFC 3022, RFC 2663)",
    (
        Row("B1", NOTE, "3022 2.1", "One address for one: addresses only, any protocol."),
        Row(
            "B2",
            NOTE,
            "3022 2.2",
            "Overload: TCP, UDP, ICMP queries; others by address: one inside host for an outside host.",
        ),
        Row(
            "B3",
            NOTE,
            "3022 2.2",
            "The router's own outside address as the pool.",
        ),
        Row("B4", NOTE, "3022 3.3", "With its last session a mapping goes.", see=("U5",)),
        Row("B5", NOTE, "3022 4.1", "A UDP datagram without a checksum has none afterwards."),
        Row("B6", NOTE, "3022 4.3", "An ICMP error is translated in all its parts.", see=("I4", "I5")),
        Row("B7", NOTE, "3022 4.4", "FTP."),
        Row("B8", NOTE, "3022 4.6", "Record route and source routes may be refused.", see=("I10b",)),
        Row(
            "B9",
            NOTE,
            "3022 5.4",
            "The last address of a pool may serve all that are left.",
            "No: a pool without `overload` that is used up is used up, as in IOS.",
        ),
        Row("B10", NOTE, "3022 6.2", "The router answers ARP for its pool addresses."),
        Row(
            "B11",
            NOTE,
            "3022 6.3",
            "Fragments of two hosts with one identification do not mix outside.",
            see=("M10",),
        ),
        Row("B12", NOTE, "2663 2.6", "A closed connection is kept a while for what comes late.", see=("T5",)),
    ),
)

_NO_DCCP: Final = (
    "Its addresses alone are translated, so of several inside hosts one speaks with an outside host; no "
    "states, no time-outs of its own. Checksums, coverage and service code do stay right."
)
_NO_MULTICAST: Final = (
    "Out of scope: no multicast routing leads to the TUNs, and what comes to be translated is dropped and "
    "counted."
)

OTHERS: Final = Section(
    "Other protocols",
    (
        Row(
            "D1",
            MUST,
            "5597 REQ-1 to 13",
            "DCCP as TCP; checksums, coverage and service code stay right.",
            _NO_DCCP,
        ),
        Row(
            "S1",
            NOTE,
            "drafts",
            "SCTP by verification tags.",
            "No RFC: addresses alone are translated, which its checksum does not cover; of several inside "
            "hosts one speaks with an outside host.",
        ),
        Row("X1", MUST, "5135", "Multicast, IGMP.", _NO_MULTICAST),
    ),
)

SECTIONS: Final = (UDP, TCP, ICMP, UPDATES, CGN, BASE, OTHERS)
