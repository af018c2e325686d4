from __future__ import annotations

from hypothesis import settings

# Deadlines measure the load of the machine, not the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
