"""How a configuration is refused."""


class ConfigurationRefused(Exception):
    """A configuration that cannot be applied. Its text says what, where and what to do."""
