"""A file on its way into a study: read, mapped and sifted, before a byte of the study changes.

The command and the page ask this, so that a file gives the same cells, classes and quarantine by either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mitoscope.exchange.classes import apply_mapping
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.registry import detect_format, find_format, read_study
from mitoscope.labels import LabelMapping, LabelSet
from mitoscope.store import Source, Store, Study, fit_study
from mitoscope.written import sha256_file


@dataclass(frozen=True)
class Incoming:
    """What a file brings to a study.

    Parameters
    ----------
    study : Study
        Its content under the classes of the study; what cannot be taken is in the quarantine.
    source : Source
        The file, its format and its hash.
    label_names : dict of str to str
        Class name of the file → class, or ``ignore``.
    ignored : int
        Cells that were left out because all their names are ignored.
    """

    study: Study
    source: Source
    label_names: dict[str, str]
    ignored: int


def read_incoming(
    path: Path,
    store: Store,
    *,
    format_name: str | None = None,
    options: ReadOptions | None = None,
    labels: Iterable[str] = (),
    trust_scale: bool = False,
) -> Incoming:
    """Read an annotation file, or a folder of them, for a study.

    Parameters
    ----------
    path : Path
        File or folder.
    store : Store
        The study: its classes come before those of the field, and the sizes of its slides say what lies
        outside. Nothing is written.
    format_name : str, optional
        By default the content decides.
    options : ReadOptions, optional
        What the file does not say; the resolution is also that of slides that state none.
    labels : iterable of str
        ``name in the file=class``; a class that is not known becomes a new one.
    trust_scale : bool
        Take coordinates that look half-scale as they are.

    Raises
    ------
    FormatError, ScaleError
        If the file cannot be read.
    UnknownLabelError
        If a class name is not known and not mapped; it holds all such names.
    ConfigError
        If a mapping is not of the form.
    """
    options = options or ReadOptions()
    known = detect_format(path) if format_name is None else find_format(format_name)
    classes = LabelMapping().with_classes(LabelSet(tuple(store.labels().values()))).classes
    mapping = LabelMapping.parse(labels, classes=classes, may_add=True)
    stated = read_study(path, known.name, replace(options, outlines=mapping.outlines))
    mapped, label_names = apply_mapping(stated, mapping, path)
    slides = tuple(replace(slide, mpp=slide.mpp or options.mpp) for slide in mapped.slides)
    with store.reading() as connection:
        fitted = fit_study(
            connection, replace(mapped, slides=slides), source=path.name, trust_scale=trust_scale
        )
    source = Source(path.name, known.name, _hash(path))
    return Incoming(fitted, source, label_names, len(stated.cells) - len(mapped.cells))


def _hash(path: Path) -> str:
    """Return the hash of a file, or of the names and hashes of a folder's files."""
    if not path.is_dir():
        return sha256_file(path)
    inner = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path)} {sha256_file(file)}" for file in inner]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
