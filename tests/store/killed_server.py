"""Labels cells as fast as it can, in children that are killed; run by ``test_kill.py``.

Each child opens the store and acknowledges every action on a pipe after it returned. The parent forks it,
kills it with SIGKILL after a random time and prints what the child had acknowledged, one line a child.
Forking from a process that has everything imported makes 200 kills affordable.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from mitoscope.store import Geometry, Store
from tests.store.session import Session


def serve(path: Path, trial: int, pipe: int) -> None:
    """Act until killed: label, add, move and delete cells."""
    rng = random.Random(trial)
    with Store.open(path) as store:
        session = Session(store, 1, 1)
        for number in range(10_000):
            key = f"{trial}/{number}"
            x, y = rng.uniform(0, 8000), rng.uniform(0, 8000)
            if number % 4 == 3:
                done = session.create(1, Geometry.spot(x, y), key=key)
            elif number % 7 == 5:
                done = session.move(rng.randint(1, 50), Geometry.spot(x, y), key=key)
            else:
                done = session.label(rng.randint(1, 50), rng.choice([1, 2, None]), key=key)
            os.write(pipe, f"{key}:{done.seq} ".encode())


def main(path: Path, trials: int) -> None:
    """Fork, wait a random time, kill, print."""
    rng = random.Random(1)
    for trial in range(trials):
        read_end, write_end = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(read_end)
            serve(path, trial, write_end)
        os.close(write_end)
        if trial % 5:  # every fifth child is killed while it opens the store, or soon after
            select.select([read_end], [], [])
        time.sleep(rng.uniform(0, 0.03))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        with os.fdopen(read_end, "rb") as stream:
            # A line half written is no acknowledgement: the last word counts only with its blank.
            words = stream.read().decode().split(" ")[:-1]
        print(" ".join(words), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
