"""Reading and writing ``net.*`` sysctls of the network namespace this process runs in.

A sysctl is named by its path below ``/proc/sys/net``, such as ``ipv4/ip_forward``; slashes, because
interface names may contain dots.
"""

from pathlib import Path

from snat.net.refused import KernelRefused

ROOT = Path("/proc/sys/net")
"""Shows each process its own namespace."""


def read(name: str) -> str | None:
    """The value of a sysctl, or None where the kernel has none of this name."""
    try:
        return (ROOT / name).read_text().strip()
    except FileNotFoundError:
        return None


def is_set(name: str) -> bool:
    """Whether a sysctl that is a switch exists and is on."""
    return read(name) not in (None, "0")


def local_ports() -> range:
    """The ports of connections that this machine begins; empty where the kernel does not say."""
    first, _, last = (read("ipv4/ip_local_port_range") or "").partition("\t")
    return range(int(first), int(last) + 1) if first.isdecimal() and last.isdecimal() else range(0)


def reserved_ports() -> tuple[range, ...]:
    """The ports that this machine keeps for programs that ask for them (``ip_local_reserved_ports``)."""
    said = (read("ipv4/ip_local_reserved_ports") or "").split(",")
    ends = ((first, last or first) for first, _, last in (one.partition("-") for one in said))
    return tuple(
        range(int(first), int(last) + 1) for first, last in ends if first.isdecimal() and last.isdecimal()
    )


def write(name: str, value: str) -> None:
    """Set a sysctl; raises :class:`KernelRefused` if the kernel does not take it."""
    try:
        with (ROOT / name).open("r+") as file:
            file.write(value)
    except OSError as error:
        raise KernelRefused(
            f"cannot set it to {value}",
            where=f"sysctl net/{name}",
            remedy=f"the kernel says: {error.strerror}; it needs root and a writable /proc/sys",
        ) from error


def write_if_present(name: str, value: str) -> None:
    """Set a sysctl that a kernel or an interface may lack (IPv6 switched off, an interface that left)."""
    if read(name) is not None:
        write(name, value)
