"""The folders of a study's slides: where the server looks for files, and where it puts new ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mitoscope.errors import OutputError
from mitoscope.store import Store, read_setting, write_setting

FOLDERS = "slide folders"


def remembered(store: Store) -> list[Path]:
    """Return the folders that were named the last time and are there, or else that of the study."""
    with store.reading() as connection:
        known = [Path(text) for text in read_setting(connection, FOLDERS, [])]
    found = [folder for folder in known if folder.is_dir()]
    return found or [store.path.absolute().parent]


def remember(store: Store, folders: Sequence[Path]) -> None:
    """Look into these folders from now on."""
    if folders:
        with store.writing() as connection:
            write_setting(connection, FOLDERS, [str(folder.absolute()) for folder in folders])


def folder_for_new(store: Store) -> Path:
    """Return the folder for new slides: the first of the study's that can be written, or one beside it.

    Raises
    ------
    OutputError
        If none can be written.
    """
    folders = remembered(store)
    for folder in folders:
        if os.access(folder, os.W_OK):
            return folder
    beside = store.path.absolute().with_suffix(".slides")
    try:
        beside.mkdir(exist_ok=True)
    except OSError as error:
        mend = "make a folder of the slides writable and repeat it"
        raise OutputError(f"no slide can be added ({error.strerror})", where=beside, mend=mend) from None
    remember(store, [*folders, beside])
    return beside
