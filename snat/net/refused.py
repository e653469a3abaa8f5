"""The refusal of everything in :mod:`snat.net` that sets up the kernel."""


class KernelRefused(Exception):
    """The kernel is not as we need it, or will not do as asked: what, where, and what to do about it."""

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{what} ({where}): {remedy}")
        self.what = what
        """What is wrong, in a phrase."""
        self.where = where
        """The interface, table, rule or file it was found in."""
        self.remedy = remedy
        """What the operator should do."""
