"""Counters: one slotted dataclass a package, walked by ``show`` and ``| json``."""

from dataclasses import fields
from typing import Any


def as_dict(counters: Any) -> dict[str, int]:
    """The counters of a dataclass whose fields are all integers, by name."""
    return {field.name: getattr(counters, field.name) for field in fields(counters)}
