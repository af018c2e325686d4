"""Commands one after the other in one process, as a user gives them; the words of each come as JSON."""

from __future__ import annotations

import json
import sys

from mitoscope.cli import run


def main() -> None:
    """Run each command; the first that fails ends the session."""
    for words in json.loads(sys.argv[1]):
        sys.argv = ["mitoscope", *words]
        try:
            run()
        except SystemExit as left:
            if left.code:
                raise SystemExit(f"{' '.join(words)}: exit status {left.code}") from None


if __name__ == "__main__":
    main()
