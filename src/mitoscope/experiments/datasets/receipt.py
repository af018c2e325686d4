"""Checksums as they are published, and what was fetched or checked before: its receipt."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from mitoscope.config import Config
from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write
from mitoscope.written import claim

CHECKSUM: Final = r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$"
"""Pattern of a checksum."""
_BLOCK_BYTES = 1 << 20
NAME = "mitoscope-data.json"
"""Name of the receipt in a data folder."""


def compute(path: Path, kind: str) -> str:
    """Return the checksum of a file's content.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        ``md5`` or ``sha256``. MD5 tells a damaged file, not a forged one.
    """
    digest = hashlib.md5(usedforsecurity=False) if kind == "md5" else hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


def holds(path: Path, checksum: str) -> bool:
    """Whether a file's content has a checksum."""
    return compute(path, checksum.partition(":")[0]) == checksum


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
    with atomic_write(claim(folder / NAME)) as stream:
        stream.write(f"{text}\n".encode())
