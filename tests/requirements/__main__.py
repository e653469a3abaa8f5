"""``python -m tests.requirements``: write doc/nat-behaviour.md; exit status 1 if a requirement is open."""

import sys

from tests.requirements.page import PAGE, current


def main() -> int:
    """Write the page, and say which rows have neither a test nor a reason."""
    text, open_rows = current()
    PAGE.write_text(text)
    if open_rows:
        print(f"neither test nor reason: {' '.join(open_rows)}", file=sys.stderr)
    return 1 if open_rows else 0


if __name__ == "__main__":
    raise SystemExit(main())
