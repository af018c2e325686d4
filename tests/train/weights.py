"""Whether two networks are the same."""

from __future__ import annotations

import hashlib

import numpy as np
from torch import nn

from mitoscope.train.state import weights_of


def weights_hash(module: nn.Module) -> str:
    """Return the SHA-256 of all weights in order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(weights_of(module).items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()
