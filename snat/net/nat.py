"""The NAT table as operators look at it and change it: a device, with the time that it is."""

from collections.abc import Callable, Iterator

from snat.device import report, usage
from snat.device.device import Device
from snat.device.entries import selected
from snat.device.selection import EVERYTHING, Selection
from snat.device.status import NatStatus, PoolPorts, Translation


class Nat:
    """Satisfies :class:`cli.router.Nat`."""

    def __init__(self, device: Device, now: Callable[[], float], pump: Callable[[], None]) -> None:
        """``pump`` lets the device act on what was changed."""
        self._device, self._now, self._pump = device, now, pump

    def translations(
        self, selection: Selection = EVERYTHING, *, verbose: bool = False
    ) -> Iterator[Translation | None]:
        """The entries that are meant, lazily."""
        return report.translations(self._device, selection, verbose_at=self._now() if verbose else None)

    def total(self, selection: Selection) -> Iterator[int | None]:
        """How many they are."""
        return report.total(self._device, selection)

    def status(self) -> Iterator[NatStatus | None]:
        """What the table is used for."""
        return usage.nat_status(self._device, self._now())

    def pool_ports(self, name: str) -> Iterator[PoolPorts | None]:
        """What is in use of a pool."""
        return usage.pool_ports(self._device, name)

    def clear(self) -> None:
        """Forget all that this router manages. Raises CommandRefused."""
        self._device.clear(self._now())
        self._pump()

    def clear_selected(self, selection: Selection) -> Iterator[None]:
        """Forget some of it: found in slices, and gone at once at the end. Raises CommandRefused."""
        found: list[bytes] = []
        for batch in selected(self._device.table, selection):
            found += batch
            yield None
        try:
            self._device.forget(found, self._now())
        finally:
            self._pump()
