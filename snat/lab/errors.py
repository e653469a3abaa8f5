"""What stops a laboratory before it has a report."""


class LabError(Exception):
    """The laboratory cannot go on. Its text says what, where and what to do."""
