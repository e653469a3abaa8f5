"""The module that codes action items: ``snat.wire.items`` where this tree has it, else ``actions``."""

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snat.wire import actions as codec
else:
    codec = importlib.import_module(
        "snat.wire.items" if find_spec("snat.wire.items") else "snat.wire.actions"
    )

__all__ = ["codec"]
