"""The random order in which a rater reads: each rater's own in each round, from a seed that is recorded.

The cells of a slide lie in 1,024 buckets of a random order (:mod:`mitoscope.store.tally`). A rater's own
order takes the buckets in another sequence and, inside of a bucket, the cells: both are permuted by an odd
factor, which is one to one in arithmetic modulo a power of two. The order depends on the seed and on the
cells' places in the random order, and on nothing that anybody said (promise 10).
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from mitoscope.store.schema import BUCKET_SHIFT, SHUFFLE_BITS

_SEED_BITS = 60
_BUCKETS = 1 << (SHUFFLE_BITS - BUCKET_SHIFT)


@dataclass(frozen=True, slots=True)
class ReadingOrder:
    """An order of reading; the same seed gives the same order.

    Parameters
    ----------
    seed : int
        Below 2⁶⁰; 0 is the slide's own random order.
    """

    seed: int

    @property
    def mask(self) -> int:
        """Bits of a cell's place inside of its bucket."""
        return (1 << BUCKET_SHIFT) - 1

    @property
    def factor(self) -> int:
        """Odd factor by which places inside of a bucket are permuted."""
        return ((self.seed & self.mask) | 1) if self.seed else 1

    def place_of_bucket(self, bucket: int) -> int:
        """Return when a bucket comes, from 0."""
        if not self.seed:
            return bucket
        rest = self.seed >> BUCKET_SHIFT
        return (bucket * (2 * rest + 1) + rest // _BUCKETS) % _BUCKETS


NATURAL = ReadingOrder(0)
"""The slide's own random order."""


def reading_order(connection: sqlite3.Connection, round_id: int, rater_id: int) -> ReadingOrder:
    """Return a rater's order in a round, drawing its seed the first time; inside of a writing transaction."""
    sql = "SELECT seed FROM reading_order WHERE (round_id, rater_id) = (?, ?)"
    row = connection.execute(sql, (round_id, rater_id)).fetchone()
    if row is None:
        row = (secrets.randbits(_SEED_BITS) | 1,)
        insert = "INSERT INTO reading_order (round_id, rater_id, seed) VALUES (?, ?, ?)"
        connection.execute(insert, (round_id, rater_id, *row))
    return ReadingOrder(row[0])
