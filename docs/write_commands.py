"""Write docs/commands.md from the command line itself; a test holds that it is up to date."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from mitoscope.cli import app

TARGET = Path(__file__).with_name("commands.md")


def describe() -> str:
    """Return the reference of all commands as Markdown."""
    root = get_command(app)
    parts = [
        "# Commands\n\nFor everybody who works with commands. Written by `make docs` from their own help.\n",
        _help([]),
    ]
    for name, command in getattr(root, "commands", {}).items():
        parts.append(_help([name]))
        parts.extend(_help([name, inner]) for inner in getattr(command, "commands", {}))
    return "\n".join(parts)


def _help(words: list[str]) -> str:
    runner = CliRunner(env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    result = runner.invoke(app, [*words, "--help"], prog_name="mitoscope")
    title = " ".join(["mitoscope", *words])
    text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
    return f"## {title}\n\n```\n{text}\n```\n"


if __name__ == "__main__":
    TARGET.write_text(describe(), encoding="utf-8")
