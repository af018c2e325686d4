from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mitoscope.config import Config
from mitoscope.errors import ConfigError


class Inner(Config):
    size: int = 3


class Example(Config):
    name: str = "a"
    rate: float = 0.5
    inner: Inner = Inner()


def test_toml_goes_out_and_comes_back(tmp_path: Path) -> None:
    config = Example(name="ä", inner=Inner(size=9))
    config.to_toml(tmp_path / "c.toml")
    again = Example.from_toml(tmp_path / "c.toml")
    assert again == config
    assert again.fingerprint() == config.fingerprint()
    assert again.fingerprint() != Example().fingerprint()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nmae = 'a'", "'nmae'"),
        ("[inner]\nsizes = 3", "inner.sizes"),
        ("rate = 'fast'", "rate"),
        ("rate = nan", "rate"),
        ("rate = ", "not TOML"),
    ],
)
def test_a_misspelt_or_wrong_key_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        Example.from_toml(path)


def test_a_missing_file_or_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Example.from_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        Example.from_toml(tmp_path)


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Example().name = "b"
