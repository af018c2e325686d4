"""Write docs/schemas from the models that write these files; a test holds that they are up to date."""

from __future__ import annotations

import json
from pathlib import Path

from mitoscope.evaluate import Scoreboard

FOLDER = Path(__file__).with_name("schemas")
TARGET = FOLDER / "comparison-1.schema.json"


def describe() -> str:
    """Return the schema of a comparison as JSON."""
    return json.dumps(Scoreboard.json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    TARGET.write_text(describe(), encoding="utf-8")
