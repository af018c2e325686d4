"""Ids that say nothing: cells and what was seen of them, under numbers in no order.

Files are at times sorted by class, and what is created later has a higher id: the number of a cell, or of
its last event, would tell a blinded rater what the first one found (promise 10). The page therefore knows
cells by a keyed permutation of their ids. The key is the study's own and never leaves the store.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_HALF_BITS = 24
_HALF = np.uint64((1 << _HALF_BITS) - 1)
OPAQUE_MAX = (1 << (2 * _HALF_BITS)) - 1
"""Largest opaque number: 48 bits, which every number of JavaScript holds exactly."""
_ROUNDS = 6
_SEEN_DIGITS = 12

Ids = NDArray[np.uint64]


class Veil:
    """A keyed permutation of the numbers below 2⁴⁸ (a Feistel network), one for each domain.

    Parameters
    ----------
    key : bytes
        The secret of the study.
    """

    def __init__(self, key: bytes) -> None:
        self._cells = _round_keys(key, "cell")
        self._seen = _round_keys(key, "seen")

    def cells(self, ids: ArrayLike) -> list[int]:
        """Return the opaque ids of cells."""
        return _list(_forward(_array(ids), self._cells))

    def cell(self, id_: int) -> int:
        """Return the opaque id of a cell."""
        return self.cells([id_])[0]

    def cell_id(self, opaque: int) -> int:
        """Return the id of a cell; of a number that was made up, one that no cell has, almost surely."""
        return self.cell_ids([opaque])[0]

    def cell_ids(self, opaque: ArrayLike) -> list[int]:
        """Return the ids of cells."""
        return _list(_backward(_array(opaque), self._cells))

    def seen(self, ids: ArrayLike, seqs: ArrayLike) -> list[str]:
        """Return what was seen of cells: their last visible events, as text that has no order."""
        salt = _array(ids)
        digits = _forward(_array(seqs), self._seen, salt).astype(">u8").tobytes().hex()
        return [digits[end - _SEEN_DIGITS : end] for end in range(16, len(digits) + 1, 16)]

    def event(self, id_: int, seen: str) -> int:
        """Return the event of a cell that `seen` stands for; of a made-up text, one that never was."""
        opaque = np.array([int(seen, 16)], dtype=np.uint64)
        return int(_backward(opaque, self._seen, _array([id_]))[0])


def _list(values: Ids) -> list[int]:
    numbers: list[int] = values.tolist()
    return numbers


def _array(values: ArrayLike) -> Ids:
    return np.asarray(values, dtype=np.uint64).reshape(-1)


def _round_keys(key: bytes, domain: str) -> list[np.uint64]:
    digests = [hashlib.sha256(key + f"/{domain}/{number}".encode()).digest() for number in range(_ROUNDS)]
    return [np.uint64(int.from_bytes(digest[:8], "little")) for digest in digests]


def _mixed(half: Ids, key: np.uint64, salt: Any) -> Ids:
    """Return 24 bits of splitmix64 of a half, a key and a salt."""
    with np.errstate(over="ignore"):
        z = (half ^ key) * np.uint64(0x9E3779B97F4A7C15) + salt * np.uint64(0xD1B54A32D192ED03)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.asarray(z >> np.uint64(64 - _HALF_BITS), dtype=np.uint64)


def _forward(values: Ids, keys: list[np.uint64], salt: Ids | None = None) -> Ids:
    salt = np.zeros(1, dtype=np.uint64) if salt is None else salt
    left, right = values >> np.uint64(_HALF_BITS), values & _HALF
    for key in keys:
        left, right = right, left ^ _mixed(right, key, salt)
    return np.asarray((left << np.uint64(_HALF_BITS)) | right, dtype=np.uint64)


def _backward(values: Ids, keys: list[np.uint64], salt: Ids | None = None) -> Ids:
    salt = np.zeros(1, dtype=np.uint64) if salt is None else salt
    left, right = values >> np.uint64(_HALF_BITS), values & _HALF
    for key in reversed(keys):
        left, right = right ^ _mixed(left, key, salt), left
    return np.asarray((left << np.uint64(_HALF_BITS)) | right, dtype=np.uint64)
