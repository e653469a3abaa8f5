"""Counters: one slotted dataclass a package, walked by ``show`` and ``| json``."""

from dataclasses import fields
from typing import Any

Subjects = dict[str, dict[str, int]]
"""Counters by subject and name."""


def since(counters: Subjects, before: Subjects, gauges: frozenset[tuple[str, str]]) -> Subjects:
    """What was counted since ``before``; gauges, by subject and name, as they are.

    A counter that is less than before belongs to something that began anew, and counts from there.
    """
    return {
        subject: {
            name: count if (subject, name) in gauges else _since(count, before.get(subject, {}).get(name, 0))
            for name, count in named.items()
        }
        for subject, named in counters.items()
    }


def _since(count: int, before: int) -> int:
    return count - before if count >= before else count


def as_dict(counters: Any) -> dict[str, int]:
    """The counters of a dataclass whose fields are all integers, by name."""
    return {field.name: getattr(counters, field.name) for field in fields(counters)}
