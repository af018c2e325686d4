from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from mitoscope.config import Config
from mitoscope.errors import ConfigError


class Inner(Config):
    size: int = 3


class Coarse(Config):
    kind: Literal["coarse"] = "coarse"
    step: int = 2


class Fine(Config):
    kind: Literal["fine"] = "fine"
    depth: int = 8


class Example(Config):
    name: str = "a"
    rate: float = 0.5
    speed: Literal["fast", "best"] = "fast"
    inner: Inner = Inner()
    maybe: Inner | None = None
    parts: tuple[Inner, ...] = ()
    grid: Annotated[Coarse | Fine, Field(discriminator="kind")] = Coarse()


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
        (
            "nmae = 'a'",
            "c.toml: unknown setting 'nmae'; allowed: name, rate, speed, inner, maybe, parts, grid$",
        ),
        ("[inner]\nsizes = 3", "unknown setting 'inner.sizes'; allowed: size$"),
        ("[maybe]\nsizes = 3", "unknown setting 'maybe.sizes'; allowed: size$"),
        ("[[parts]]\nsizes = 3", "unknown setting 'parts.0.sizes'; allowed: size$"),
        ("[grid]\nkind = 'fine'\nstep = 3", "unknown setting 'grid.fine.step'; allowed: kind, depth$"),
        ("speed = 'slow'", "key 'speed': choose fast or best, not 'slow'$"),
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
