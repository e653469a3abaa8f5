"""``snat``: the tool around the daemon. Each command imports what it needs when it runs.

Exit status 0: done, nothing found wrong; 1: refused or found wrong, with the reason on standard error;
2: the command line was not understood.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from snat import __version__
from snat.lab import TOPOLOGIES

if TYPE_CHECKING:
    from snat.net.kernel_state import KernelState
    from snat.pki import CertificateSummary

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DEFAULT_FLOWS: Final = 24
"""TCP connections of a laboratory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        return _refuse("interrupted")


def parser() -> argparse.ArgumentParser:
    """Everything that can be said to ``snat``."""
    top = argparse.ArgumentParser(prog="snat", description="Tools for the redundant NAT router twistd snat.")
    top.add_argument("--version", action="version", version=f"snat {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _add_check(commands)
    _add_kernel(commands)
    _add_pki(commands)
    _add_lab(commands)
    _add_pcap(commands)
    return top


def _add_check(commands: "Commands") -> None:
    check = commands.add_parser("check", help="verify a configuration without applying it")
    check.add_argument("file", metavar="FILE", type=Path)
    check.add_argument("--strict", action="store_true", help="stop at the first problem, as the daemon does")
    check.set_defaults(command=_check)


def _add_kernel(commands: "Commands") -> None:
    kernel = commands.add_parser("kernel", help="what the daemon set in the kernel")
    actions = kernel.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print it")
    show.set_defaults(command=_kernel_show)
    clean = actions.add_parser("clean", help="remove what a daemon left behind; one that runs puts it back")
    clean.set_defaults(command=_kernel_clean)
    guard = actions.add_parser("guard", help="let nothing inside leave untranslated, before a daemon runs")
    guard.add_argument("file", metavar="FILE", type=Path, help="the configuration, for its inside interfaces")
    guard.set_defaults(command=_kernel_guard)


def _add_pki(commands: "Commands") -> None:
    pki = commands.add_parser("pki", help="make and show certificates")
    actions = pki.add_subparsers(metavar="ACTION", required=True)
    init = actions.add_parser("init", help="make an authority: DIR/ca.pem and DIR/ca.key")
    init.add_argument("directory", metavar="DIR", type=Path)
    init.set_defaults(command=_pki_init)
    issue = actions.add_parser("issue", help="make a device's certificate: DIR/NAME.pem and DIR/NAME.key")
    issue.add_argument("directory", metavar="DIR", type=Path)
    issue.add_argument(
        "name", metavar="NAME", help="DNS name that its neighbors configure, such as r1.example"
    )
    issue.add_argument("--nat-id", metavar="N", type=int, required=True, help="as in: ip nat Stateful id N")
    issue.add_argument("--address", metavar="A", action="append", default=[], help="IP address; repeatable")
    issue.add_argument("--days", metavar="N", type=int, help="how long it is valid; default: a year")
    issue.add_argument("--force", action="store_true", help="replace key and certificate of this name")
    issue.set_defaults(command=_pki_issue)
    revoke = actions.add_parser(
        "revoke", help="put a device on the authority's list of revoked ones, DIR/ca.crl"
    )
    revoke.add_argument("directory", metavar="DIR", type=Path)
    revoke.add_argument("name", metavar="NAME", help="the device, as issued")
    revoke.set_defaults(command=_pki_revoke)
    show = actions.add_parser("show", help="print names and dates of certificates; never a key")
    show.add_argument("path", metavar="DIR|FILE", type=Path)
    show.set_defaults(command=_pki_show)


def _add_lab(commands: "Commands") -> None:
    lab = commands.add_parser("lab", help="build a topology on this machine, fail something, report")
    lab.add_argument("topology", metavar="TOPOLOGY", choices=TOPOLOGIES, help=", ".join(TOPOLOGIES))
    lab.add_argument("--json", action="store_true", help="one JSON object as the last line")
    lab.add_argument("--flows", metavar="N", type=_positive, default=DEFAULT_FLOWS, help="TCP connections")
    lab.add_argument("--keep", action="store_true", help="leave the topology until interrupted")
    lab.add_argument("--faults", metavar="F,...", type=_words, default=(), help="other faults than its own")
    lab.set_defaults(command=_lab)


def _add_pcap(commands: "Commands") -> None:
    pcap = commands.add_parser("pcap", help="translate a capture (pcap, pcapng) by a configuration")
    pcap.add_argument("--config", metavar="FILE", type=Path, required=True, help="as the daemon reads it")
    pcap.add_argument("--json", action="store_true", help="print the counters as one JSON object")
    pcap.add_argument("source", metavar="IN", help="the capture, or - for standard input")
    pcap.add_argument("target", metavar="OUT", help="what becomes of it, or - for standard output")
    pcap.set_defaults(command=_pcap)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return int(text)


def _words(text: str) -> list[str]:
    return text.split(",")


def _refuse(reason: object) -> int:
    print(f"snat: {reason}", file=sys.stderr)
    return 1


def _check(options: argparse.Namespace) -> int:
    from cli.configuration_file import decoded, format_problems, read_bounded, read_configuration

    file: Path = options.file
    try:
        text = decoded(read_bounded(file))
    except OSError as error:
        return _refuse(f"{file}: {(error.strerror or str(error)).lower()}; give a file that can be read")
    except ValueError as error:
        return _refuse(f"{file}: {error}; give a configuration, as show running-config prints it")
    _, problems = read_configuration(text, str(file))
    if problems:
        told = problems[:1] if options.strict else problems
        print(format_problems(told), end="", file=sys.stderr)
        return 1
    print(f"{file}: in order")
    return 0


def _pcap(options: argparse.Namespace) -> int:
    from snat.capture_tool import translate_capture

    return translate_capture(options.config, options.source, options.target, json=options.json)


def _kernel_show(_: argparse.Namespace) -> int:
    from snat.net.kernel_state import show
    from snat.net.refused import KernelRefused

    try:
        print(_kernel_text(show()) or "Nothing of ours is in the kernel of this network namespace.")
    except KernelRefused as refused:
        return _refuse(refused)
    return 0


def _kernel_clean(_: argparse.Namespace) -> int:
    from snat.net.kernel_state import clean, show
    from snat.net.refused import KernelRefused

    try:
        state = show()
        found = _kernel_text(state)
        clean()
    except KernelRefused as refused:
        return _refuse(refused)
    print(f"Removed:\n{found}" if found else "There was nothing to remove.")
    if state.tuns:
        print("A daemon runs here, and puts all of it back: end it first.")
    return 0


def _kernel_guard(options: argparse.Namespace) -> int:
    from cli.configuration_file import decoded, format_problems, read_bounded, what_is_usable
    from snat.config.model import Side
    from snat.net.kernel_state import stand_guard
    from snat.net.refused import KernelRefused

    file: Path = options.file
    try:
        configuration, problems = what_is_usable(decoded(read_bounded(file)), str(file))
    except OSError as error:
        return _refuse(f"{file}: {(error.strerror or str(error)).lower()}; nothing is guarded")
    except ValueError as error:
        return _refuse(f"{file}: {error}; nothing is guarded")
    print(format_problems(problems), end="", file=sys.stderr)  # the daemon leaves these lines out, too
    inside = [interface.name for interface in configuration.interfaces if interface.side is Side.INSIDE]
    if not inside:
        return _refuse(f"{file}: no interface is inside; nothing is guarded")
    try:
        stand_guard(inside)
    except KernelRefused as refused:
        return _refuse(refused)
    print(f"Guarded: {', '.join(inside)}")
    return 0


def _kernel_text(state: "KernelState") -> str:
    """What is in the kernel, a line each; empty where there is nothing."""
    if not state:
        return ""
    lines = [f"tun {tun.name} mtu {tun.mtu}" for tun in state.tuns]
    lines += [f"inside interface {name}" for name in state.inside]
    lines += [f"rule {rule}" for rule in state.rules]
    lines += [f"route {route}" for route in state.routes]
    lines += [f"address {address}" for address in state.addresses]
    lines += [f"ip route {route}" for route in state.host_routes]
    lines += [f"MSS of {size} bytes at most on {name}" for name, size in sorted(state.clamps.items())]
    lines += [f"virtual address {address}" for address in state.virtual_addresses]
    lines += [f"ARP proxy for {address} on {interface}" for address, interface in state.proxies]
    lines += [f"sysctl {name} was {value}" for name, value in state.sysctls.items()]
    if state.guarded:
        lines.append(f"guard in nft, {state.guard_dropped} packets dropped")
    return "\n".join(lines)


def _pki_init(options: argparse.Namespace) -> int:
    from snat import pki

    try:
        certificate = pki.init(options.directory)
    except pki.PkiError as error:
        return _refuse(error)
    print(f"{certificate} and {certificate.with_suffix('.key')} made; keep the key to yourself.")
    print(f"Then, for each device: snat pki issue {options.directory} NAME --nat-id N")
    return 0


def _pki_issue(options: argparse.Namespace) -> int:
    from snat import pki

    days = pki.DEFAULT_DAYS if options.days is None else options.days
    try:
        certificate = pki.issue(
            options.directory, options.name, options.nat_id, options.address, days=days, force=options.force
        )
    except pki.PkiError as error:
        return _refuse(error)
    key = certificate.with_name(f"{options.name}.key")
    authority = certificate.with_name("ca.pem")
    print(f"{certificate} and {key} made. The device needs them and {authority.name}:")
    print("crypto pki trustpoint SNAT")
    for word, path in (("ca-certificate", authority), ("certificate", certificate), ("private-key", key)):
        print(f" {word} {path.absolute()}")
    return 0


def _pki_revoke(options: argparse.Namespace) -> int:
    from snat import pki

    try:
        revoked = pki.revoke(options.directory, options.name)
    except pki.PkiError as error:
        return _refuse(error)
    print(f"{options.name} is on {revoked}. Give the list to every other device, and reload it there:")
    print(f"crypto pki trustpoint SNAT\n crl {revoked.absolute()}")
    return 0


def _pki_show(options: argparse.Namespace) -> int:
    from snat import pki

    try:
        certificates = pki.show(options.path)
    except pki.PkiError as error:
        return _refuse(error)
    print("\n".join(_certificate_text(certificate) for certificate in certificates))
    return 0


def _certificate_text(certificate: "CertificateSummary") -> str:
    left = certificate.days_left
    validity = f"{left} days left" if left >= 0 else f"EXPIRED {-left} days ago"
    lines = (
        f"{certificate.path}",
        f"  subject     {certificate.subject}{' (authority)' if certificate.authority else ''}",
        f"  names       {', '.join(certificate.names) or '-'}",
        f"  NAT ID      {'-' if certificate.nat_id is None else certificate.nat_id}",
        f"  not before  {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC",
        f"  not after   {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC, {validity}",
        f"  SHA-256     {certificate.fingerprint}",
    )
    return "\n".join(lines)


def _lab(options: argparse.Namespace) -> int:
    from snat import lab

    return lab.run(
        options.topology,
        json=options.json,
        flows=options.flows,
        keep=options.keep,
        faults=options.faults,
    )


if __name__ == "__main__":
    sys.exit(main())
