"""A bundle as one file: a ZIP archive of exactly the files that its manifest names.

Members are stored, not compressed (weights hardly become smaller), in a fixed order and without times: the
same bundle gives the same bytes. The manifest comes first, so that a reader knows what a file holds from its
first bytes. What is unpacked is believed only as far as the manifest goes: names, sizes and hashes.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from mitoscope.bundle.load import MANIFEST_NAME, SEAL_NAME, Bundle, load_bundle, parse_manifest
from mitoscope.bundle.manifest import Manifest
from mitoscope.bundle.verify import load_tested
from mitoscope.errors import FormatError
from mitoscope.fsio import atomic_directory, atomic_write, open_regular

SUFFIX: Final = ".mitobundle"
"""Of a packed bundle."""
HEAD_BYTES: Final = (4 << 20) + 256
"""So many first bytes of a packed bundle hold its manifest."""
_FILES_MAX: Final = 66
"""Those of a manifest, itself and its seal."""
_BYTES_MAX: Final = 8 << 30
_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that ZIP knows."""
_MODE: Final = 0o100644 << 16
_LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")
_BLOCK_BYTES: Final = 1 << 20
_MEND: Final = "get the file again from where it comes"


def pack_bundle(name_or_path: str | Path, target: Path) -> Bundle:
    """Write a bundle as one file; the same bundle gives the same bytes.

    Parameters
    ----------
    name_or_path : str or Path
        As for `load_bundle`, which checks every byte first.
    target : Path
        The file.

    Raises
    ------
    BundleError
        As `load_bundle`.
    OutputError
        If the file cannot be written.
    """
    bundle = load_bundle(name_or_path)
    with atomic_write(target) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        for name in (MANIFEST_NAME, SEAL_NAME, *sorted(bundle.manifest.files)):
            member = zipfile.ZipInfo(name, _BEGINNING)
            member.external_attr, member.create_system = _MODE, 3  # as Unix writes it, on every system
            content = (
                bundle.read(name) if name in bundle.manifest.files else (bundle.folder / name).read_bytes()
            )
            packed.writestr(member, content)
    return bundle


def unpack_bundle(archive: Path, target: Path) -> Bundle:
    """Unpack a bundle, check every byte of it and run its self-test.

    Parameters
    ----------
    archive : Path
        A packed bundle.
    target : Path
        Its folder; must not exist.

    Raises
    ------
    FormatError
        If it is not a packed bundle, or holds anything else than what its manifest names: other files, links,
        more bytes.
    BundleDamagedError
        If a hash, the interface or the self-test does not hold.
    OutputError
        If the folder exists or cannot be written.
    """
    with atomic_directory(target) as part:
        with _opened(archive) as packed:
            members = _members(packed, archive)
            manifest = _manifest(packed, members, archive)
            sizes = {name: entry.bytes for name, entry in manifest.files.items()}
            for name in (MANIFEST_NAME, SEAL_NAME, *sizes):
                if name not in members:
                    raise FormatError(f"lacks {name}", where=archive, mend=_MEND)
            if foreign := sorted(members.keys() - sizes.keys() - {MANIFEST_NAME, SEAL_NAME}):
                raise FormatError(f"holds {foreign[0]!r}, which its manifest does not name", where=archive)
            for name, member in members.items():
                _extract(packed, member, part / name, sizes.get(name, HEAD_BYTES), archive)
        written = load_tested(part)
    return replace(written, folder=target)


def read_head(archive: Path, most: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    try:
        with open_regular(archive) as stream:
            return stream.read(most)
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=archive) from None


def manifest_at_head(head: bytes, *, where: str) -> tuple[Manifest, str]:
    """Return the manifest of a packed bundle, and the fingerprint of the bundle, from its first bytes.

    Raises
    ------
    FormatError
        If these are not the first bytes of a packed bundle.
    BundleDamagedError
        If the manifest does not fit its schema.
    """
    no_bundle = FormatError(
        "is not a packed bundle", where=where, mend="name a file that `mitoscope bundle pack` has made"
    )
    if len(head) < _LOCAL_HEADER.size:
        raise no_bundle
    magic, _, flags, method, _, _, _, _, size, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(head)
    begin = _LOCAL_HEADER.size + name_bytes + extra_bytes
    name = head[_LOCAL_HEADER.size : _LOCAL_HEADER.size + name_bytes]
    is_ours = magic == b"PK\x03\x04" and not flags & 0x09 and method == zipfile.ZIP_STORED
    if not is_ours or name != MANIFEST_NAME.encode() or len(head) < begin + size:
        raise no_bundle
    return parse_manifest(head[begin : begin + size], where=where)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    with ExitStack() as stack:
        try:
            packed = zipfile.ZipFile(stack.enter_context(open_regular(archive)))
        except zipfile.BadZipFile:
            raise FormatError("is not a packed bundle", where=archive, mend=_MEND) from None
        except OSError as error:
            raise FormatError(f"cannot be read ({error.strerror})", where=archive) from None
        yield packed


def _members(packed: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, none of which is anything but a file of a plain name."""
    listed = packed.infolist()
    if len(listed) > _FILES_MAX:
        raise FormatError(f"holds {len(listed):,} files, a bundle at most {_FILES_MAX}", where=archive)
    if (total := sum(member.file_size for member in listed)) > _BYTES_MAX:
        raise FormatError(
            f"holds {total / 1e9:.1f} GB, a bundle at most {_BYTES_MAX / 1e9:.1f}", where=archive
        )
    members: dict[str, zipfile.ZipInfo] = {}
    for member in listed:
        name = member.filename
        kind = (member.external_attr >> 16) & 0o170000
        if name in members or {"/", "\\", ":", "\0"} & set(name) or name.startswith("."):
            raise FormatError(f"holds {name!r}, no plain name or one that is there twice", where=archive)
        if kind not in (0, 0o100000) or member.flag_bits & 0x1:
            raise FormatError(f"holds {name!r}, a link, a device or an encrypted file", where=archive)
        members[name] = member
    return members


def _manifest(packed: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], archive: Path) -> Manifest:
    member = members.get(MANIFEST_NAME)
    if member is None:
        raise FormatError(f"is not a packed bundle (no {MANIFEST_NAME})", where=archive, mend=_MEND)
    content = b"".join(_blocks(packed, member, HEAD_BYTES, archive))
    return parse_manifest(content, where=f"{archive}, {MANIFEST_NAME}")[0]


def _blocks(packed: zipfile.ZipFile, member: zipfile.ZipInfo, most: int, archive: Path) -> Iterator[bytes]:
    """Yield the content of a member, never more than it may have, whatever the archive says of its size."""
    left = most
    try:
        with packed.open(member) as source:
            while block := source.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise FormatError(
                        f"{member.filename} has more than {most:,} bytes", where=archive, mend=_MEND
                    )
                yield block
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise FormatError(f"is damaged ({error})", where=archive, mend=_MEND) from None


def _extract(
    packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, most: int, archive: Path
) -> None:
    with target.open("xb") as stream:
        for block in _blocks(packed, member, most, archive):
            stream.write(block)
