"""Acknowledges actions over HTTP in servers that are killed; run by ``test_kill.py``.

Each child is a server on a socket of its own, forked from a process that has everything imported. The parent
sends actions from two threads, kills the child with SIGKILL after a random time and prints what had been
acknowledged, one line a child. Every third child gets the unacknowledged keys of the one before once more.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn

from mitoscope.store import Store
from mitoscope.web import SlideCatalogue, create_app
from mitoscope.web.serving import listen

ROUND = 2


def serve(path: Path, listener: socket.socket) -> None:
    """Serve until killed."""
    app = create_app(
        Store.open(path), SlideCatalogue(Store.open(path, write=False), {}), visitor_without_link=1
    )
    config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


class Sender(threading.Thread):
    """Sends actions until the server is gone; keeps what was acknowledged and what was not."""

    def __init__(self, port: int, keys: list[str]) -> None:
        super().__init__()
        self.port, self.keys = port, keys
        self.acknowledged: list[str] = []
        self.open: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        for key in self.keys:
            self.open.append(key)
            try:
                self._act(connection, key)
            except (OSError, http.client.HTTPException, ValueError):
                return
            self.open.pop()

    def _act(self, connection: http.client.HTTPConnection, key: str) -> None:
        rng = random.Random(key)
        body = {"key": key, "kind": "create", "slide": 1, "x": rng.randint(1, 900), "y": 5, "label": 1}
        headers = {"content-type": "application/json", "origin": f"http://127.0.0.1:{self.port}"}
        connection.request("POST", f"/api/rounds/{ROUND}/actions", json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            print(f"unexpected {answer.status} {content!r}", file=sys.stderr, flush=True)
            raise ValueError(answer.status)
        self.acknowledged.append(f"{key}:{json.loads(content)['cell']}")


def main(path: Path, trials: int) -> None:
    """Fork, let two clients act, kill at a random time, print."""
    rng = random.Random(1)
    again: list[str] = []
    for trial in range(trials):
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        process = os.fork()
        if process == 0:
            serve(path, listener)
        listener.close()
        keys = [[f"trial{trial:04}-{client}-{one:04}" for one in range(500)] for client in range(2)]
        if trial % 3 == 0:
            keys[0] = again + keys[0]
        senders = [Sender(port, mine) for mine in keys]
        for sender in senders:
            sender.start()
        while not senders[0].acknowledged and senders[0].is_alive() and trial % 5:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.04))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        for sender in senders:
            sender.join()
        again = [key for sender in senders for key in sender.open]
        print(" ".join(one for sender in senders for one in sender.acknowledged), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
