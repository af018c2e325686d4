"""What was downloaded: size, hash and address of each file, kept beside the data.

Few data sets publish checksums. The receipt holds those of the files as they came, so that what changed since
can be told, and a table can name the bytes that it was made from.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mitoscope.config import Config
from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write

NAME = "mitoscope-data.json"
"""Name of the receipt in a data folder."""


class Received(Config):
    """One file as it came."""

    url: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    checked: str | None = None
    """The published checksum that it was found to have."""


class Receipt(Config):
    """All files that were downloaded into a folder.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    licence : str
        The licence that was accepted.
    files : dict
        Path below the folder → what came.
    """

    dataset: str
    licence: str
    files: dict[str, Received] = Field(default_factory=dict)


def read_receipt(folder: Path, dataset: str) -> Receipt | None:
    """Return the receipt of a folder; None where nothing of that data set was downloaded into it.

    Raises
    ------
    ConfigError
        If it is damaged.
    """
    path = folder / NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot be read ({error})", where=path, mend="remove it; files are then checked by name alone"
        ) from None
    receipt = Receipt.parse(values if isinstance(values, dict) else {}, where=path)
    return receipt if receipt.dataset == dataset else None


def write_receipt(folder: Path, receipt: Receipt) -> None:
    """Write the receipt of a folder atomically.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = json.dumps(receipt.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)
    with atomic_write(folder / NAME) as stream:
        stream.write(f"{text}\n".encode())
