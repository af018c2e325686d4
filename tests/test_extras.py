"""How extras are installed: by make in a checkout, by pip elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope import extras


def test_a_checkout_has_make_and_a_package_has_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.how_to_install("train") == "make setup EXTRAS=train"
    assert extras.how_to_install("train", "embed") == "make setup EXTRAS='train embed'"
    monkeypatch.setattr(extras, "_CHECKOUT", tmp_path)
    assert extras.how_to_install("train", "embed") == "pip install 'mitoscope[train,embed]'"
