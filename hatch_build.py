"""Puts the built page into wheel and source distribution; an editable install serves it from the checkout."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the page before it is packed; a source distribution brings it along, built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 given by hatchling
        """Build the page; without it only an editable install goes on, and says what to run."""
        script = Path(self.root) / "frontend" / "build.py"
        page = _load(script)
        try:
            page.build()
        except page.PageError as error:
            if version != "editable":
                raise
            print(f"warning: {error}; later: python {script}", file=sys.stderr)


def _load(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("mitoscope_page", script)
    if spec is None or spec.loader is None:
        raise ImportError(script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
