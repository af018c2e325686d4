"""Labels cells and prints the key of each acknowledged action, until its standard input closes."""

from __future__ import annotations

import random
import select
import sys
import time
from pathlib import Path

from mitoscope.store import Store
from tests.store.session import Session


def main(path: Path, writer: int) -> None:
    """Label until nobody listens."""
    rng = random.Random(writer)
    with Store.open(path) as store:
        session = Session(store, 1 + writer % 2, 1 + writer % 3)
        number = 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            key = f"{writer}/{number}"
            session.label(rng.randint(1, 400), rng.choice([1, 2, None]), key=key)
            print(key, flush=True)
            number += 1
            time.sleep(0.002)  # a backup waits for a moment without a writer


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
