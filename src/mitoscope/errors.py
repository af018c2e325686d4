"""Every error that mitoscope raises on purpose, in one tree.

::

    MitoscopeError                      exit status 1
    ├── InputError                      exit status 2: the user can mend it
    │   ├── SlideError
    │   │   ├── SlideFormatError        not a slide, truncated, hostile header
    │   │   │   └── UndecodableError    that OpenSlide knows, but cannot decode
    │   │   ├── SlideReadError          a region that cannot be decoded
    │   │   ├── LevelError              a pyramid level that does not exist
    │   │   ├── ScaleError              resolution missing or implausible
    │   │   └── ColourError             colours that cannot be those of H&E
    │   ├── RegionError                 a region outside the slide, or empty
    │   │   └── CrossedOutlineError     an outline that crosses itself
    │   ├── ConfigError                 unknown key, wrong type, value out of range
    │   ├── FormatError                 a file of annotations or detections that cannot be read
    │   │   ├── UnknownLabelError       class names that are not known and not mapped
    │   │   └── PlacementError          findings that cannot lie where they say on this slide
    │   ├── TruthError                  a ground truth that cannot be used
    │   │   ├── NoAgreedClassError      a policy under which no cell has a class
    │   │   └── NotExaminedError        nobody states what of a whole slide was looked at
    │   ├── BundleError
    │   │   ├── BundleNotFoundError     no bundle of that name or path
    │   │   └── BundleDamagedError      hash, schema or self-test does not hold
    │   ├── StoreError                  an annotation store that cannot be used
    │   │   ├── StoreDamagedError       damaged, or with a schema that mitoscope did not write
    │   │   │   ├── StoreTamperedError  what was said or signed is not what was written
    │   │   │   └── NotAStoreError      a file of something else
    │   │   ├── StoreVersionError       written by a newer mitoscope
    │   │   ├── StoreBusyError          another process kept it locked for too long
    │   │   ├── VersionError            no such version, or one whose slides have changed
    │   │   ├── NotFoundError           no cell, round, region, result … of that id
    │   │   ├── ForbiddenError          not for this rater to see or to do
    │   │   │   ├── BlindedError        would tell a rater who reads blinded what others said
    │   │   │   └── RoundClosedError    work in a round that is closed
    │   │   └── ConflictError           an action on a cell that has changed since it was read
    │   │       └── KeyReusedError      the key of a request that was used for another one
    │   ├── RemoteError                 nothing at an address elsewhere, or no access to it
    │   ├── ClusterError                no Ray, no answer, nothing to compute with, nodes that differ
    │   ├── LedgerMismatchError         resuming with another slide, bundle or configuration
    │   ├── TrainingDataError           a class missing, no field large enough
    │   │   └── LeakError               a case or the same pixels on both sides of a split
    │   └── OutputError                 the target cannot be written (permission, full disk)
    │       └── StoreMovedError         the file of an open store is not where it was
    └── RunError
        ├── IncompleteRunError          with gaps where none are allowed
        │   ├── StoppedError            stopped from the keyboard; the same command goes on
        │   └── UnreachableError        a server or an object store that does not answer
        ├── NotBetterError              what was trained is no better than what there was
        ├── NonFiniteError              NaN or infinity entered or left a computation
        └── OutOfMemoryError            not even a batch of one fits

Each error is one line: what happened, where, and the mend.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


class MitoscopeError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what : str
        What happened, in a few words.
    where : str or Path, optional
        The file, tag, key or region concerned.
    mend : str, optional
        What the user can do about it.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str | Path | None = None, mend: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.mend = mend
        super().__init__(self._line())

    def _line(self) -> str:
        line = self.what if self.where is None else f"{self.where}: {self.what}"
        if self.mend is not None:
            line = f"{line}; {self.mend}"
        return " ".join(line.split())

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (probing, workers); keyword arguments must survive pickling.
        return _rebuild, (type(self), self.what, self.where, self.mend)


def _rebuild(kind: type[MitoscopeError], what: str, where: str | None, mend: str | None) -> MitoscopeError:
    return kind(what, where=where, mend=mend)


class InputError(MitoscopeError):
    """Bad usage or bad input: the user can mend it."""

    exit_status = 2


class SlideError(InputError):
    """Something is wrong with a slide."""


class SlideFormatError(SlideError):
    """Not a slide, truncated, or with a header that no reader should trust."""


class UndecodableError(SlideFormatError):
    """A slide that OpenSlide knows, but cannot decode: damaged, or of a kind that it does not support."""


class SlideReadError(SlideError):
    """A region of a slide that cannot be decoded."""


class LevelError(SlideError):
    """A pyramid level that the slide does not have."""


class ScaleError(SlideError):
    """The resolution (µm per pixel) is missing or implausible."""


class ColourError(SlideError):
    """The colours of a slide cannot be those of H&E."""


class RegionError(InputError):
    """A region that is empty or lies outside the slide."""


class CrossedOutlineError(RegionError):
    """An outline that crosses itself, so that its area is in doubt."""


class ConfigError(InputError):
    """An unknown key, a wrong type or a value out of range."""


class FormatError(InputError):
    """A file of annotations, detections or results that cannot be read."""


class PlacementError(FormatError):
    """Findings that cannot lie on this slide where their file says."""


class UnknownLabelError(FormatError):
    """Class names that are not known and that the user has not mapped.

    Attributes
    ----------
    counts : mapping of str to int
        The names, and how many cells bear each.
    """

    counts: Mapping[str, int] = MappingProxyType({})


class TruthError(InputError):
    """A ground truth that cannot be used."""


class NoAgreedClassError(TruthError):
    """A policy under which no cell has an agreed class."""


class NotExaminedError(TruthError):
    """A whole slide of which nobody states what was looked at."""


class BundleError(InputError):
    """Something is wrong with a model bundle."""


class BundleNotFoundError(BundleError):
    """No model bundle of that name or at that path."""


class BundleDamagedError(BundleError):
    """A model bundle whose hashes, manifest or self-test do not hold."""


class StoreError(InputError):
    """Something is wrong with an annotation store, or with what is asked of it."""


class StoreDamagedError(StoreError):
    """Not an annotation store, damaged, or with a schema that mitoscope did not write."""


class StoreTamperedError(StoreDamagedError):
    """What was said or signed in an annotation store is not what was written."""

    exit_status = 1


class StoreVersionError(StoreError):
    """An annotation store written by a newer mitoscope."""


class StoreBusyError(StoreError):
    """Another process kept the annotation store locked for too long."""


class NotAStoreError(StoreDamagedError):
    """A file that is not an annotation store."""


class VersionError(StoreError):
    """A version that does not exist, or whose slides have changed since."""


class ConflictError(StoreError):
    """An action on a cell that has changed since it was read (promise 9)."""


class KeyReusedError(ConflictError):
    """The key of a request that was used for another one."""


class NotFoundError(StoreError):
    """Nothing of that id is in the annotation store, or nothing that this rater may know of."""


class ForbiddenError(StoreError):
    """Not for this rater to see or to do."""


class BlindedError(ForbiddenError):
    """Would tell a rater who is reading blinded what others said (promise 10)."""


class RoundClosedError(ForbiddenError):
    """Work in a round that is closed."""


class RemoteError(InputError):
    """Nothing at an address elsewhere, or nothing that these credentials may read or write."""


class ClusterError(InputError):
    """A cluster that cannot be joined, has nothing to compute with, or whose nodes do not fit together."""


class LedgerMismatchError(InputError):
    """A run that would be resumed with another slide, bundle or configuration."""


class TrainingDataError(InputError):
    """Training data that cannot be used: an empty class, no field that is large enough."""


class LeakError(TrainingDataError):
    """The same case, or the same pixels, on both sides of a split."""


class OutputError(InputError):
    """The target cannot be written."""


class StoreMovedError(OutputError):
    """The file of a store was moved or deleted while the store is open."""


class RunError(MitoscopeError):
    """A run that failed or is incomplete."""


class NotBetterError(RunError):
    """What was trained is no better on held-out cases than what there was; it is not written."""


class IncompleteRunError(RunError):
    """A run that was stopped, or has gaps where none are allowed."""


class StoppedError(IncompleteRunError):
    """A run that the user stopped; what was done is kept and the same command goes on."""


class UnreachableError(IncompleteRunError):
    """A server or an object store that does not answer; what has come is kept, the same command goes on."""


class NonFiniteError(RunError):
    """NaN or infinity entered or left a computation."""


class OutOfMemoryError(RunError):
    """Not even a batch of one tile fits into memory."""
