"""Opening a study for work: its store, slides and the lead's link; a new one from a folder of slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitoscope.errors import FormatError, MitoscopeError, StoreError
from mitoscope.labels import DEFAULT_LABELS, LabelSet
from mitoscope.slide import open_slide
from mitoscope.store import Rater, Round, RoundKind, SlideRecord, Store
from mitoscope.store.access import Role, grant, renew_token
from mitoscope.store.setting import read_setting, write_setting
from mitoscope.store.terms import Terms, assign, write_terms
from mitoscope.store.vocabulary import intern_raters, intern_rounds
from mitoscope.web.shelf import SlideShelf, find_slide_files

FOLDERS = "slide folders"
FIRST_ROUND = Round("annotation", RoundKind.UNSTATED)
"""A new study begins with an open round in which the lead may label at once."""


@dataclass(frozen=True, eq=False)
class OpenedStudy:
    """A study that is ready to be served.

    Parameters
    ----------
    store : Store
        Open for writing.
    shelf : SlideShelf
        Its slides.
    lead_id : int
        The lead's rater.
    token : str
        Of the lead's link, new each time.
    """

    store: Store
    shelf: SlideShelf
    lead_id: int
    token: str


def open_study(
    path: Path,
    *,
    folders: Sequence[Path] = (),
    add: bool = False,
    lead: str = "lead",
    mpp: float | None = None,
    labels: LabelSet = DEFAULT_LABELS,
) -> OpenedStudy:
    """Open a study, or make one from a folder of slides.

    Parameters
    ----------
    path : Path
        The store.
    folders : sequence of Path
        Where the slides are; by default where they were the last time.
    add : bool
        Whether slides of the folders that the study lacks are added to it.
    lead : str
        Who leads the study.
    mpp : float, optional
        Replaces the resolution that the files state.
    labels : LabelSet
        Of a new study.

    Raises
    ------
    FormatError
        If a folder is not there, or a new study would have no slide.
    StoreError
        If there is no study and no folder to make one from.
    """
    for folder in folders:
        if not folder.is_dir():
            raise FormatError(
                "no such folder", where=folder, mend="give the folder of the slides with --slides"
            )
    if not path.exists():
        store, files = _made(path, folders, labels, mpp)
    else:
        store = Store.open(path)
        files = find_slide_files(folders or _remembered(store))
        if add:
            _add_slides(store, files, mpp)
    try:
        _remember(store, folders)
        lead_id, token = _let_in(store, lead)
    except BaseException:
        store.close()
        raise
    return OpenedStudy(store, SlideShelf(store, files, mpp=mpp), lead_id, token)


def _made(
    path: Path, folders: Sequence[Path], labels: LabelSet, mpp: float | None
) -> tuple[Store, dict[str, Path]]:
    if not folders:
        mend = f"make it from a folder of slides: mitoscope serve {path} --slides DIR"
        raise StoreError("no such study", where=path, mend=mend)
    files = find_slide_files(folders)
    if not files:
        raise FormatError("no slides in this folder", where=folders[0], mend="give another with --slides")
    records = _readable(files, mpp)
    store = Store.create(path, labels=labels)
    for record in records:
        store.add_slide(record)
    return store, files


def _add_slides(store: Store, files: dict[str, Path], mpp: float | None) -> None:
    known = {one.name for one in store.slides().values()}
    new = {name: one for name, one in files.items() if name not in known}
    for record in _readable(new, mpp) if new else []:
        store.add_slide(record)


def _readable(files: dict[str, Path], mpp: float | None) -> list[SlideRecord]:
    """Return what files of slides say; those that cannot be read are left out, unless none can."""
    records, refused = [], []
    for name, file in files.items():
        try:
            with open_slide(file, mpp=mpp) as slide:
                records.append(SlideRecord(name, slide.info.size, slide.info.mpp))
        except MitoscopeError as error:
            refused.append(error)
    if refused and not records:
        raise refused[0]
    return records


def _remembered(store: Store) -> list[Path]:
    with store.reading() as connection:
        known = [Path(one) for one in read_setting(connection, FOLDERS, [])]
    found = [one for one in known if one.is_dir()]
    return found or [store.path.absolute().parent]


def _remember(store: Store, folders: Sequence[Path]) -> None:
    if folders:
        with store.writing() as connection:
            write_setting(connection, FOLDERS, [str(one.absolute()) for one in folders])


def _let_in(store: Store, lead: str) -> tuple[int, str]:
    """Return the lead's id and a new token; a study without rounds of its own gets the first."""
    with store.writing() as connection:
        (rater_id,) = intern_raters(connection, [Rater(lead)]).tolist()
        grant(connection, rater_id, Role.LEAD)
        if connection.execute("SELECT 1 FROM assignment").fetchone() is None:
            (round_id,) = intern_rounds(connection, [FIRST_ROUND]).tolist()
            write_terms(connection, round_id, Terms(shows_labels=True))
            assign(connection, round_id, [rater_id])
        return rater_id, renew_token(connection, rater_id)
