"""``python -m tests.pitfalls``: write doc/pitfalls.md; exit status 1 if a test that it names is missing."""

import sys

from tests.pitfalls.page import PAGE, current, missing
from tests.pitfalls.rows import PITFALLS


def main() -> int:
    """Write the page."""
    PAGE.write_text(current())
    gone = missing(PITFALLS)
    if gone:
        print(f"no such test: {' '.join(gone)}", file=sys.stderr)
    return 1 if gone else 0


if __name__ == "__main__":
    raise SystemExit(main())
