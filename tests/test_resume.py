from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import LedgerMismatchError
from mitoscope.resume import refuse_changed


def test_the_same_goes_on() -> None:
    refuse_changed({"slide": "a", "recipe": "b"}, {"recipe": "b", "slide": "a"}, where="x", mend="y")


def test_all_that_changed_is_named_before_and_now(tmp_path: Path) -> None:
    with pytest.raises(LedgerMismatchError) as caught:
        refuse_changed(
            {"recipe": "f" * 64, "slide": "a"},
            {"recipe": "0" * 64, "seed": "1"},
            where=tmp_path,
            mend="begin",
        )
    assert caught.value.what == (
        f"begun with another recipe ({'f' * 32}…, now {'0' * 32}…), another seed (nothing, now 1), "
        "another slide (a, now nothing)"
    )
    assert (caught.value.where, caught.value.mend) == (str(tmp_path), "begin")


def test_what_follows_from_a_cause_is_not_named() -> None:
    before, now = {"slide": "a", "tiling": "8"}, {"slide": "b", "tiling": "9"}
    with pytest.raises(LedgerMismatchError, match=r"another slide \(a, now b\);") as caught:
        refuse_changed(before, now, where="", mend="", done="finished", causes=("slide",))
    assert "tiling" not in caught.value.what
    with pytest.raises(LedgerMismatchError, match="begun with another tiling"):
        refuse_changed(before, before | {"tiling": "9"}, where="", mend="", causes=("slide",))
