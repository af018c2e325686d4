"""The store: a thin, locked shell over the functions of this package."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from mitoscope.errors import MitoscopeError, OutputError, StoreBusyError, StoreError
from mitoscope.fsio import publish, sync_directory, take_lock
from mitoscope.labels import DEFAULT_LABELS, Label, LabelMapping, LabelSet, class_set
from mitoscope.store import chain
from mitoscope.store.comments import remarks_left_out
from mitoscope.store.connection import atomic, copied, create_file, open_beside, open_file, translated
from mitoscope.store.dump import dump, read_slides
from mitoscope.store.examined import examined_areas, state_whole
from mitoscope.store.ground_truth import read_truth
from mitoscope.store.ingest import ImportReport, Source, add_slide, plan_import
from mitoscope.store.manifest import Query, parse_version
from mitoscope.store.opinions import CROWD_THRESHOLD, Agreed, Policy, agreed, live_cells
from mitoscope.store.overview import Overview, overview
from mitoscope.store.queue import disputed, list_cells
from mitoscope.store.records import UNSTATED_ROUND, Rater, Round, SlideRecord, Study
from mitoscope.store.snapshot import Snapshots
from mitoscope.store.staged import (
    PackedImport,
    is_pending,
    lay_down,
    take_away,
    take_import,
    write_piece,
    write_pieces,
)
from mitoscope.store.verify import Checked, backup, check
from mitoscope.store.versions import (
    DraftVersion,
    Frozen,
    check_versions,
    draft_version,
    read_frozen,
    write_version,
)
from mitoscope.store.vocabulary import (
    id_of,
    intern_labels,
    intern_raters,
    intern_rounds,
    read_labels,
    read_raters,
    read_rounds,
    rename_label,
)
from mitoscope.truth import GroundTruth

_PAUSE_S = 0.05
"""Between two pieces of an import, at most."""


def _nothing() -> None:
    """Give no lock back."""


class Store:
    """The annotation store of a study: one SQLite file.

    May be used from many threads and opened by many processes. Who writes waits for who else writes; who
    reads does so on a connection of its own, and waits for a writer only while the change goes to the file.
    Every method that writes is one transaction: it is done and on disk when it returns, or not at all.

    Raises
    ------
    StoreError, StoreDamagedError, StoreVersionError, StoreBusyError, ConflictError, OutputError
        From every method; one line, and nothing has changed.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, reader: sqlite3.Connection | None = None
    ) -> None:
        self.path = path
        self._connection, self._turn = connection, threading.RLock()
        self._reader, self._reader_turn = connection, self._turn
        if reader is not None:
            self._reader, self._reader_turn = reader, threading.RLock()
        self._snapshots = Snapshots(connection, self._turn, self._changes, write_pieces)
        self._release = _nothing

    @classmethod
    def create(cls, path: str | Path, *, name: str | None = None, labels: LabelSet = DEFAULT_LABELS) -> Self:
        """Create a store; the file appears under its name when it is complete.

        Parameters
        ----------
        path : str or Path
            Must not exist.
        name : str, optional
            Of the study; by default the file's.
        labels : LabelSet
            The study begins with these; imports add theirs.
        """
        path = Path(path)
        if path.exists():
            raise StoreError("exists already", where=path, mend="choose another name or open it")
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            with closing(create_file(part)) as connection, atomic(connection, part):
                connection.execute(
                    "INSERT INTO study (id, name, uuid, seed, created_s) VALUES (1, ?, ?, ?, ?)",
                    (name or path.stem, str(uuid.uuid4()), secrets.randbits(48), time.time()),
                )
                intern_labels(connection, labels)
                intern_rounds(connection, [UNSTATED_ROUND])
                chain.extend(connection)
            publish(part, path)
            sync_directory(path.parent)
        except FileExistsError:
            raise StoreError("exists already", where=path, mend="choose another name or open it") from None
        except OSError as error:
            raise OutputError(f"cannot be written ({error.strerror})", where=path) from None
        finally:
            part.unlink(missing_ok=True)
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path, *, write: bool = True) -> Self:
        """Open an existing store."""
        path = Path(path)
        connection = open_file(path, write=write)
        try:
            if not write and is_pending(connection):
                connection = copied(connection, path)
                write_pieces(connection)
                connection.execute("PRAGMA query_only = ON")
            opened = cls(path, connection, open_beside(path) if write else None)
        except BaseException:
            connection.close()
            raise
        # What is left of an import is written once there is space, and nobody else is writing.
        with suppress(OutputError, StoreBusyError):
            opened.finish_imports()
        return opened

    def claim(self) -> None:
        """Be the one server of this study until it is closed or the process ends, however it ends.

        The lock is a file beside the study; where none can be made or locked there, as in some network
        folders, it is one of this machine.

        Raises
        ------
        StoreBusyError
            If another process serves the study.
        """
        path = self.path.resolve()
        try:
            release = take_lock(path.with_name(f".{path.name}.serving"))
        except OSError:
            name = hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).hexdigest()[:32]
            release = take_lock(Path(tempfile.gettempdir(), f"mitoscope-{name}.serving"))
        if release is None:
            mend = "use the link that the other server printed, or end it first"
            raise StoreBusyError("this study is being served already", where=self.path, mend=mend)
        self._release = release

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._snapshots.close()
        with self._turn, self._reader_turn:
            self._reader.close()
            self._connection.close()
            self._release()
            self._release = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection that is read for several queries that see one state of the store."""
        with self._reader_turn, translated(self.path):
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    def _changes(self) -> int:
        """Return a number that is another one once somebody has written."""
        with self._reader_turn, translated(self.path):
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
            return int(version)

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """Hold a copy of the store in memory, to be read, for what looks at all of it: nobody waits for that.

        It is as the store is at this moment, and kept until the store has changed; what was imported is all
        in it. Not to be asked for inside of :meth:`reading` or :meth:`writing`.
        """
        with suppress(OutputError):  # who reads does not mind that the disk is full
            self.finish_imports()
        with self._snapshots.reading() as copy:
            yield Store(self.path, copy)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection that writes for one transaction; what it writes is chained (`store.chain`).

        Who reads meanwhile sees the study as it was before.
        """
        with self._turn, atomic(self._connection, self.path, alone=self._reader_turn) as connection:
            chain.extend(connection, chain.Origin.FOREIGN)
            yield connection
            chain.extend(connection)

    # Whole studies

    def import_study(
        self,
        study: Study,
        *,
        source: Source,
        trust_scale: bool = False,
        join_within_um: float | None = None,
    ) -> ImportReport:
        """Add a study that was read from a file: all of it, save what goes to quarantine, or nothing.

        A large one is kept whole in one transaction and then written in pieces, between which others write
        and see what is there of it. What a killed process has left of it is written when the store is opened.

        Parameters
        ----------
        study : Study
            As a reader of ``exchange`` returns it.
        source : Source
            The file.
        trust_scale : bool
            Take coordinates that look half-scale as they are.
        join_within_um : float, optional
            A cell of the file within this distance in µm of one of the study, nearest first and one to one,
            is that cell, and its labels are further ones of it: for files of several raters, which share no
            ids.

        Raises
        ------
        ScaleError
            If cells are to be joined on a slide without a resolution.
        """
        taking = self.importing(study, source, trust_scale=trust_scale, join_within_um=join_within_um)
        with taking as packed, self.writing() as connection:
            return take_import(connection, packed)

    @contextmanager
    def importing(
        self,
        study: Study,
        source: Source,
        *,
        trust_scale: bool = False,
        join_within_um: float | None = None,
    ) -> Iterator[PackedImport]:
        """Import a study as :meth:`import_study` does, in a transaction of the caller's.

        Inside of the block, the import is to be taken: `mitoscope.store.take_import`.
        """
        with self.snapshot() as copy, copy.reading() as connection:
            plan = plan_import(
                connection, study, source, trust_scale=trust_scale, join_within_um=join_within_um
            )
        packed = PackedImport.of(plan)
        pieces = iter(packed.pieces)

        def lay(connection: sqlite3.Connection) -> bool:
            piece = next(pieces, None)
            if piece is not None:
                lay_down(connection, packed.key, piece)
            return piece is not None

        try:
            self._in_pieces(lay)
            yield packed
        except BaseException:
            with suppress(MitoscopeError), self.writing() as connection:
                take_away(connection, packed.key)
            raise
        if packed.pieces:
            with self.writing() as connection:
                take_away(connection, packed.key)  # where the caller found it taken before
        try:
            self.finish_imports()
        except OutputError as error:
            what = f"imported, but not all of it is written yet: {error.what}"
            mend = f"{error.mend}, or open the study again: the rest is written then"
            raise OutputError(what, where=source.name, mend=mend) from None

    def finish_imports(self) -> None:
        """Write what imports have left, piece by piece; others write in between."""
        with self.reading() as connection:
            if not is_pending(connection):
                return
        self._in_pieces(write_piece)

    def _in_pieces(self, write: Callable[[sqlite3.Connection], bool]) -> None:
        """Write in transactions of their own until there is nothing more; others write in between."""
        others = self._is_served()
        while True:
            begun = time.perf_counter()
            with self.writing() as connection:
                if not write(connection):
                    return
            if others:  # who waits for the file looks only now and then whether it is free
                time.sleep(min(time.perf_counter() - begun, _PAUSE_S))

    def _is_served(self) -> bool:
        """Whether others may be at work: this process serves the study, or another one may."""
        lock = self.path.resolve()
        return self._release is not _nothing or lock.with_name(f".{lock.name}.serving").exists()

    def export_study(
        self,
        slides: Sequence[str] | None = None,
        *,
        version: str | None = None,
        with_ids: bool = False,
        keeps_numbers: bool = False,
    ) -> Study:
        """Return the study, or the part of it on some slides, for a writer of ``exchange``.

        Parameters
        ----------
        slides : sequence of str, optional
            Names; by default all.
        version : str, optional
            A frozen version: its cells as they were, each with one label of a rater named as the version.
        with_ids, keeps_numbers : bool
            Give every cell of the study an id by which it is known when the file comes back; but where all
            have numbers of their source, for a file that keeps these.

        Raises
        ------
        StoreError
            If there is no slide or version of a name.
        """
        with self.reading() as connection:
            if version is None:
                found = dump(connection, slides, with_ids=with_ids, keeps_numbers=keeps_numbers)
                names = {id_: slide.name for id_, slide in read_slides(connection).items()}
                areas = {names[id_]: area for id_, area in examined_areas(connection).items()}
            else:
                for name in slides or ():
                    id_of(connection, "slide", name)
                frozen, areas = read_frozen(connection, *parse_version(version)), {}
                found = frozen.study if slides is None else frozen.study.part_on(slides)
                for slide in frozen.truth.slides:
                    if slide.stated_examined is not None:
                        areas[slide.name] = slide.stated_examined
            wanted = {slide.name for slide in found.slides}
            return replace(found, examined={name: area for name, area in areas.items() if name in wanted})

    def ground_truth(
        self,
        version: str | None = None,
        *,
        policy: Policy = Policy.SETTLED,
        threshold: float = CROWD_THRESHOLD,
        mapping: LabelMapping | None = None,
    ) -> GroundTruth:
        """Return what is true in the study, under a policy.

        Parameters
        ----------
        version : str, optional
            A frozen version, ``MEL`` (the newest) or ``MEL@2``; by default the study as it is now.
        policy : Policy
            How the labels of a cell become one.
        threshold : float
            Smallest score of the crowd.
        mapping : LabelMapping, optional
            What class names stand for; by default the study's own classes.
        """
        with self.reading() as connection:
            if version is not None:
                found = read_frozen(
                    connection, *parse_version(version), mapping=mapping, source=self.path.name
                )
                return found.truth
            return read_truth(
                connection,
                policy=policy,
                threshold=threshold,
                source=f"{self.path.name} ({policy})",
                mapping=mapping,
            )

    def freeze(
        self,
        variant: str,
        query: Query | None = None,
        *,
        split: Mapping[str, str] | None = None,
        licences: Mapping[str, str] | str | None = None,
        note: str = "",
    ) -> Frozen:
        """Freeze the next version of a data set (MEL, HEAEL, ODAEL, CODAEL); nothing can change it.

        Parameters
        ----------
        variant : str
            Its name.
        query : Query, optional
            Which cells, under which policy; by default all that have a settled class.
        split : mapping of str to str, optional
            Slide name → train, validation or test.
        licences : mapping of str to str, or str, optional
            Licence by slide name, or of all slides.
        note : str
            How it was made.

        Raises
        ------
        LeakError
            If a case or the same pixels would stand on both sides of the split.
        """
        while True:
            draft = self.draft_version(variant, query, split=split, licences=licences, note=note)
            with self.writing() as connection:
                if write_version(connection, draft):
                    return draft.frozen

    def draft_version(
        self,
        variant: str,
        query: Query | None = None,
        *,
        split: Mapping[str, str] | None = None,
        licences: Mapping[str, str] | str | None = None,
        note: str = "",
    ) -> DraftVersion:
        """Freeze a version of the study as it is now, while nobody waits; see :meth:`freeze`.

        It is in the study once `mitoscope.store.write_version` has written it.
        """
        more = {"split": split, "licences": licences, "note": note}
        while True:
            self.finish_imports()
            with translated(self.path), self._snapshots.reading() as copy:
                if not copy.is_ahead:  # its cells would have other numbers
                    return draft_version(copy, variant, query or Query(), **more)

    def version(self, name: str) -> Frozen:
        """Return a version as it was frozen: ``MEL``, the newest, or ``MEL@2``.

        Raises
        ------
        VersionError
            If there is none, or its slides have changed.
        """
        with self.reading() as connection:
            return read_frozen(connection, *parse_version(name))

    def state_examined(self, slides: Collection[str] = (), *, is_whole: bool = True) -> int:
        """State of slides, by default all, that they were looked at as a whole; return how many these are."""
        with self.writing() as connection:
            return state_whole(connection, slides, is_whole=is_whole)

    # What there is

    def slides(self) -> dict[int, SlideRecord]:
        """Return the slides by id."""
        with self.reading() as connection:
            return read_slides(connection)

    def remarks_left_out(self, names: Iterable[str]) -> tuple[str, ...]:
        """Say how many comments on cells and tags of these slides an export leaves in the study."""
        with self.reading() as connection:
            return remarks_left_out(connection, names)

    def labels(self) -> dict[int, Label]:
        """Return the labels by id."""
        with self.reading() as connection:
            return read_labels(connection)

    def add_classes(self, classes: LabelSet | str) -> LabelSet:
        """Add classes that the study does not have, and return all that it has then.

        Parameters
        ----------
        classes : LabelSet or str
            Or a text as of `mitoscope.labels.class_set`: ``ambiguous, granulocyte, megakaryocyte``.
        """
        wanted = class_set(classes) if isinstance(classes, str) else classes
        with self.writing() as connection:
            intern_labels(connection, wanted)
            return LabelSet(tuple(read_labels(connection).values()))

    def rename_class(self, name: str, new_name: str) -> None:
        """Give a class of the study's own another name; its labels stay, the old name is understood.

        Raises
        ------
        StoreError
            If there is no such class, it is one of the field, or another class has the new name.
        """
        with self.writing() as connection:
            rename_label(connection, name, new_name)

    def raters(self) -> dict[int, Rater]:
        """Return the raters by id."""
        with self.reading() as connection:
            return read_raters(connection)

    def rounds(self) -> dict[int, Round]:
        """Return the rounds by id."""
        with self.reading() as connection:
            return read_rounds(connection)

    def slide_id(self, name: str) -> int:
        """Return the id of a slide by its name."""
        with self.reading() as connection:
            return id_of(connection, "slide", name)

    def overview(self, policy: Policy = Policy.SETTLED) -> Overview:
        """Return the counts per slide, class and variant; see :func:`mitoscope.store.overview.overview`."""
        with self.reading() as connection:
            return overview(connection, policy)

    def agreed(self, policy: Policy, *, threshold: float = CROWD_THRESHOLD) -> Agreed:
        """Return the agreed class of all live cells under a policy."""
        with self.reading() as connection:
            return agreed(connection, policy, threshold=threshold)

    def live_cells(self) -> list[int]:
        """Return the ids of the live cells, ascending."""
        with self.reading() as connection:
            found: list[int] = live_cells(connection).tolist()
            return found

    def disputed(self) -> list[int]:
        """Return the live cells on which the first two experts differ and nobody has decided."""
        with self.reading() as connection:
            return disputed(connection)

    # Work

    def add_slide(self, slide: SlideRecord) -> int:
        """Return the id of a slide, adding it or what it states more than the store does."""
        with self.writing() as connection:
            return add_slide(connection, slide)

    def add_rater(self, rater: Rater) -> int:
        """Return the id of a rater, adding one of a new name."""
        with self.writing() as connection:
            return int(intern_raters(connection, [rater])[0])

    def open_round(
        self, round_: Round, *, is_blinded: bool | None = None, cells: Iterable[int] | None = None
    ) -> int:
        """Return the id of a round, adding one of a new name.

        Parameters
        ----------
        round_ : Round
            Its name and kind.
        is_blinded : bool, optional
            Whether raters do not see the labels of others; by default as the kind has it.
        cells : iterable of int, optional
            The cells it covers, e.g. :meth:`disputed` ones for a third expert; added to those listed before.
            By default all cells of the study, also those to come.
        """
        with self.writing() as connection:
            rounds = intern_rounds(connection, [round_], is_blinded=is_blinded, is_listed=cells is not None)
            if cells is not None:
                list_cells(connection, int(rounds[0]), cells)
            return int(rounds[0])

    # The file

    def backup(self, target: str | Path) -> Path:
        """Copy the store while others write; see :func:`mitoscope.store.verify.backup`."""
        return backup(self.path, Path(target))

    def verify(self, *, head: str | None = None) -> Checked:
        """Check the file, its chain, that its tables say what its events say, and versions their hashes.

        Parameters
        ----------
        head : str, optional
            The hash of a head of the chain that was noted before: the study must still hold it.

        Raises
        ------
        StoreDamagedError
            Naming the first that does not hold: a row that was changed, removed or put in, or a check.
        """
        with self.reading() as connection:
            checked = check(connection, self.path, head=head)
            return replace(checked, versions=check_versions(connection, self.path))
