"""Results for a folder in an object store: written on this machine first, then sent as a whole.

Ledgers need a file system, and a reader of a bucket must never see half a result. So a run writes into a
folder on this machine; what belongs together is sent when it is finished, the file that vouches for the
others last. Before the first of them a record is sent, by which their names are known to be mitoscope's:
nothing else that lies there is replaced. The folder on this machine is the same each time, so that a repeated
command goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from mitoscope.errors import ConfigError, OutputError
from mitoscope.fsio import safe_name
from mitoscope.remote.location import Location
from mitoscope.remote.objects import ObjectStore
from mitoscope.remote.staging import Staging
from mitoscope.written import RECORD, sha256_file

_KEY_DIGITS: Final = 12


class Outbox:
    """A folder of results in an object store.

    Parameters
    ----------
    location : Location
        The folder.
    staging : Staging
        Beside whose slides the results are written on this machine.

    Raises
    ------
    ConfigError
        If nothing can be written there: a web server.
    RemoteError, UnreachableError
        If it cannot be looked at.
    """

    def __init__(self, location: Location, staging: Staging) -> None:
        if location.is_web:
            raise ConfigError(
                "results cannot be written to a web server",
                where=location.shown,
                mend="choose an --out of this machine, s3:// or gs://",
            )
        self.location = location.as_folder()
        self._store = ObjectStore(self.location)
        digest = hashlib.sha256(self.location.identity.encode()).hexdigest()[:_KEY_DIGITS]
        self.folder = staging.folder / "results" / f"{safe_name(location.name or location.server)}-{digest}"
        self._there = self._store.sizes()

    def check(self, groups: Mapping[str, Iterable[str]]) -> None:
        """Refuse, before the work, to replace what mitoscope did not write.

        Parameters
        ----------
        groups : mapping of str to iterable of str
            What is sent together, by its name → the names of its files, in the folder or below it.

        Raises
        ------
        OutputError
            Naming the first such file.
        """
        for group, names in groups.items():
            taken = [name for name in names if name in self._there]
            known = self._recorded(group) if taken else {}
            for name in taken:
                if name not in known:
                    raise OutputError(
                        "exists, and not as mitoscope wrote it",
                        where=self.location.below(name).shown,
                        mend="move or remove it, or choose another --out",
                    )

    def send(self, group: str, files: Sequence[Path]) -> None:
        """Send files that belong together, unless they are there as they are.

        Parameters
        ----------
        group : str
            Their name.
        files : sequence of Path
            Of the folder on this machine, in the order in which they appear there; the last one vouches for
            the others.

        Raises
        ------
        OutputError
            If one would replace what mitoscope did not write.
        RemoteError, UnreachableError
            If one cannot be written. The same call sends what is missing.
        """
        names = {file: self._name(file) for file in files}
        self.check({group: names.values()})
        hashes = {names[file]: sha256_file(file) for file in files}
        known = self._recorded(group)
        if known == hashes and all(map(self._has, files)):
            return
        *others, last = files
        missing = [
            file for file in others if known.get(names[file]) != hashes[names[file]] or not self._has(file)
        ]
        missing.append(last)
        if names[last] in self._there:  # never does it vouch for files that are not its own
            self._store.remove(names[last])
            del self._there[names[last]]
        self._record(group, known | hashes | {names[file]: None for file in missing})
        for file in missing:
            self._put(file)
        self._record(group, hashes)

    def _name(self, file: Path) -> str:
        """Return what a file of the folder on this machine is called there: its path, with ``/``."""
        return file.relative_to(self.folder).as_posix()

    def _has(self, file: Path) -> bool:
        return self._there.get(self._name(file)) == file.stat().st_size

    def _record(self, group: str, hashes: Mapping[str, str | None]) -> None:
        """Note what mitoscope writes there; without a hash while it is being written."""
        self._store.put(_record(group), json.dumps(hashes, indent=1).encode())

    def _put(self, file: Path) -> None:
        self._store.put(self._name(file), file)
        self._there[self._name(file)] = file.stat().st_size

    def _recorded(self, group: str) -> dict[str, str | None]:
        try:
            values = json.loads(self._store.read(_record(group)) or b"{}")
        except ValueError:
            return {}
        return values if isinstance(values, dict) else {}


def _record(group: str) -> str:
    return f"{RECORD}/{group}.json"
