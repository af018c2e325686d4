"""Files elsewhere: addresses, downloads, slides staged ahead of the search, results written there."""

from mitoscope.remote.ahead import Ahead
from mitoscope.remote.download import Counted, Told, download
from mitoscope.remote.location import Location, as_shown, is_address, without_credentials
from mitoscope.remote.one_file import fetch_file, list_files, read_beginning, size_of
from mitoscope.remote.outbox import Outbox
from mitoscope.remote.part_file import ASIDE_SUFFIX, PART_SUFFIX, PartFile
from mitoscope.remote.staging import Held, Staging
from mitoscope.remote.web import Answer, CutError, Patience, ask

__all__ = [
    "ASIDE_SUFFIX",
    "PART_SUFFIX",
    "Ahead",
    "Answer",
    "Counted",
    "CutError",
    "Held",
    "Location",
    "Outbox",
    "PartFile",
    "Patience",
    "Staging",
    "Told",
    "as_shown",
    "ask",
    "download",
    "fetch_file",
    "is_address",
    "list_files",
    "read_beginning",
    "size_of",
    "without_credentials",
]
