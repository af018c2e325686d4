"""How long a download waits for a server that does not answer."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Tries in a row without a new byte, and the pauses between them.

    Parameters
    ----------
    tries : int
        After so many tries without a new byte the download stops.
    first_s, longest_s : float
        The first pause in seconds, doubled with each further try up to the longest. A server that asks for a
        pause of its own is given it, up to the longest.
    timeout_s : float
        A connection on which nothing comes for so long is given up.
    """

    tries: int = 7
    first_s: float = 1.0
    longest_s: float = 60.0
    timeout_s: float = 60.0

    def wait(self, failures: int, asked_s: float | None = None) -> None:
        """Pause after so many failures in a row."""
        own = self.first_s * 2.0 ** (failures - 1)
        time.sleep(min(self.longest_s, max(own, asked_s or 0.0)))
