from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, ValidationError

from mitoscope.config import Config
from mitoscope.errors import ConfigError


def _check_odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"{value} is even")
    return value


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


class Checked(Example):
    share: Annotated[float, Field(le=1)] = 0.5
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    odd: Annotated[int, AfterValidator(_check_odd)] = 1


class Needed(Config):
    must_be: int


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": 3}, "key 'name' must be text, not 3$"),
        ({"rate": "fast"}, "key 'rate' must be a number, not 'fast'$"),
        ({"rate": float("inf")}, "key 'rate' must be a finite number, not inf$"),
        ({"inner": {"size": 1.5}}, "key 'inner.size' must be a whole number, not 1.5$"),
        ({"inner": 4}, "key 'inner' must be a table, not 4$"),
        ({"parts": "x"}, "key 'parts' must be a list, not 'x'$"),
        ({"share": 2}, "key 'share' must be less than or equal to 1, not 2$"),
        ({"code": "X"}, r"key 'code' must be of the form \^\[a-z\]\+\$, not 'X'$"),
        ({"grid": {}}, "key 'grid'"),
        ({"odd": 2}, "key 'odd' does not hold: 2 is even$"),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_plain_words(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        Checked.parse(values, where="c.json")
    assert "should" not in str(told.value)
    assert "Input" not in str(told.value)


def test_a_key_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"key 'must_be' is missing$"):
        Needed.parse({}, where="c.json")
