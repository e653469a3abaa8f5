"""How a command is refused."""


class CommandRefused(Exception):
    """Something an operator asked for that cannot be done here. Its text says what, and what to do."""
