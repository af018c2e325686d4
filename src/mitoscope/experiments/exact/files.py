"""Files of annotations in a data folder, or where their authors keep them."""

from __future__ import annotations

from pathlib import Path

from mitoscope.errors import TrainingDataError


def find_file(data: Path, *names: str, data_set: str) -> Path:
    """Return a file of annotations.

    Parameters
    ----------
    data : Path
        The data folder.
    *names : str
        Of the file, and other names that it goes by.
    data_set : str
        As `mitoscope data` calls it; also a folder that is looked into.

    Raises
    ------
    TrainingDataError
        If it is not there.
    """
    for folder in ("", "annotations", "databases", data_set, f"{data_set}/databases"):
        for name in names:
            if (data / folder / name).is_file():
                return data / folder / name
    raise TrainingDataError(
        f"no {names[0]} there",
        where=data,
        mend=f"give its folder with --data; see mitoscope data list {data_set}",
    )
