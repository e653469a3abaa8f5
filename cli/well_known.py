"""Numbers that have names: ports, IP protocols and ICMP types as access lists write them (ios-cli.md 1.5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.tokens import Specificity, Token
from snat.config.model import Configuration

TCP, UDP, ICMP = 6, 17, 1

TCP_PORTS: Mapping[str, int] = {
    "bgp": 179,
    "chargen": 19,
    "cmd": 514,
    "daytime": 13,
    "discard": 9,
    "domain": 53,
    "echo": 7,
    "exec": 512,
    "finger": 79,
    "ftp": 21,
    "ftp-data": 20,
    "gopher": 70,
    "hostname": 101,
    "ident": 113,
    "irc": 194,
    "klogin": 543,
    "kshell": 544,
    "login": 513,
    "lpd": 515,
    "nntp": 119,
    "pim-auto-rp": 496,
    "pop2": 109,
    "pop3": 110,
    "smtp": 25,
    "sunrpc": 111,
    "tacacs": 49,
    "talk": 517,
    "telnet": 23,
    "time": 37,
    "uucp": 540,
    "whois": 43,
    "www": 80,
}
UDP_PORTS: Mapping[str, int] = {
    "biff": 512,
    "bootpc": 68,
    "bootps": 67,
    "discard": 9,
    "dnsix": 195,
    "domain": 53,
    "echo": 7,
    "isakmp": 500,
    "mobile-ip": 434,
    "nameserver": 42,
    "netbios-dgm": 138,
    "netbios-ns": 137,
    "netbios-ss": 139,
    "non500-isakmp": 4500,
    "ntp": 123,
    "pim-auto-rp": 496,
    "rip": 520,
    "snmp": 161,
    "snmptrap": 162,
    "sunrpc": 111,
    "syslog": 514,
    "tacacs": 49,
    "talk": 517,
    "tftp": 69,
    "time": 37,
    "who": 513,
    "xdmcp": 177,
}
PROTOCOLS: Mapping[str, int] = {
    "ahp": 51,
    "eigrp": 88,
    "esp": 50,
    "gre": 47,
    "igmp": 2,
    "ipinip": 94,
    "nos": 4,
    "ospf": 89,
    "pcp": 108,
    "pim": 103,
}
"""Those of which an access list compares nothing but the addresses."""
ICMP_TYPES: Mapping[str, int] = {
    "echo-reply": 0,
    "unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "alternate-address": 6,
    "echo": 8,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp-reply": 14,
    "information-request": 15,
    "information-reply": 16,
    "mask-request": 17,
    "mask-reply": 18,
    "traceroute": 30,
    "conversion-error": 31,
    "mobile-redirect": 32,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNumber(Token):
    """A number in a range, or one of the names that some numbers have; it is printed as its name."""

    low: int = 0
    high: int
    names: Mapping[str, int] = field(compare=False)

    def specificity(self, word: str) -> Specificity:
        """As that of a keyword, or of a number."""
        if word[0].isdigit():
            return Specificity.RANGE
        return Specificity.KEYWORD if word.lower() in self.names else Specificity.PREFIX

    @property
    def name(self) -> str:
        """``<0-65535>``."""
        return f"<{self.low}-{self.high}>"

    def read(self, word: str) -> int:
        """The number of a number, of a name, or of the beginning that only one name has."""
        if re.fullmatch(r"[0-9]{1,10}", word) and self.low <= int(word) <= self.high:
            return int(word)
        begun = [name for name in self.names if name.startswith(word.lower())]
        if word.lower() in self.names:
            return self.names[word.lower()]
        if len(begun) != 1:
            known = " or ".join(begun) if begun else ", ".join(self.names)
            raise ValueError(f"'{word}' is neither a number in {self.low}-{self.high} nor one of: {known}")
        return self.names[begun[0]]

    def write(self, value: int) -> str:
        """Its name, if it has one."""
        return next((name for name, number in self.names.items() if number == value), str(value))

    def complete(self, word: str, configuration: Configuration) -> list[str]:  # noqa: ARG002 - they are fixed
        """The names that begin so."""
        return [name for name in self.names if name.startswith(word.lower())]
