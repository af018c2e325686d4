"""The data sets that mitoscope knows."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from mitoscope.errors import ConfigError
from mitoscope.experiments.datasets.record import Dataset

ALIASES = {
    "midog2021": "midog21",
    "midog2022": "midog22",
    "midog++": "midogpp",
    "tupac": "tupac16",
    "mitos2012": "mitos12",
    "mitos2014": "mitos14",
    "mitos-atypia-14": "mitos14",
    "amibr": "ami-br",
}
"""Other names that commands take."""


@cache
def datasets() -> tuple[Dataset, ...]:
    """Return all data sets, by name.

    Raises
    ------
    ConfigError
        If a record does not hold what it must.
    """
    folder = Path(str(files("mitoscope.experiments.datasets"))) / "records"
    return tuple(sorted(map(Dataset.from_toml, folder.glob("*.toml")), key=lambda one: one.name))


def find_dataset(name: str) -> Dataset:
    """Return a data set by its name.

    Raises
    ------
    ConfigError
        Naming those there are.
    """
    key = name.strip().casefold()
    key = ALIASES.get(key, key)
    found = next((one for one in datasets() if one.name == key), None)
    if found is None:
        known = ", ".join(one.name for one in datasets())
        raise ConfigError(f"no data set of the name {name!r}", mend=f"there are {known}")
    return found
