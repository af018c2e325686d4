"""A bundle as one file: the same bytes each time, and nothing but what its manifest names comes out of it."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from mitoscope.bundle import Bundle, load_bundle, manifest_at_head, pack_bundle, read_head, unpack_bundle
from mitoscope.errors import BundleDamagedError, FormatError, MitoscopeError, OutputError

Contents = dict[str, bytes]


@pytest.fixture(scope="module")
def packed(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "tiny.mitobundle"
    pack_bundle(tiny_bundle.folder, path)
    return path


def contents(packed: Path) -> Contents:
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, files: Contents, **more: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(more.get(name, zipfile.ZipInfo(name)), content)
    return path


def test_a_bundle_goes_into_one_file_and_comes_out_of_it(
    packed: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    out = unpack_bundle(packed, tmp_path / "out")
    assert out.fingerprint == tiny_bundle.fingerprint
    names = sorted(path.name for path in tiny_bundle.folder.iterdir())
    assert sorted(path.name for path in out.folder.iterdir()) == names
    again = tmp_path / "again.mitobundle"
    pack_bundle(out.folder, again)
    assert again.read_bytes() == packed.read_bytes()
    manifest, fingerprint = manifest_at_head(read_head(packed), where="packed")
    assert (manifest, fingerprint) == (tiny_bundle.manifest, tiny_bundle.fingerprint)
    with pytest.raises(OutputError, match="exists already"):
        unpack_bundle(packed, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../outside.txt", "no plain name"),
        ("/outside.txt", "no plain name"),
        ("folder/file.txt", "no plain name"),
        ("..\\outside.txt", "no plain name"),
        ("C:outside.txt", "no plain name"),
        (".hidden", "no plain name"),
        ("more.onnx", "which its manifest does not name"),
    ],
)
def test_what_the_manifest_does_not_name_is_not_written(
    packed: Path, tmp_path: Path, name: str, why: str
) -> None:
    evil = zipped(tmp_path / "evil.zip", {**contents(packed), name: b"x"})
    with pytest.raises(FormatError, match=why):
        unpack_bundle(evil, tmp_path / "in" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["evil.zip", "in"]


def test_links_and_more_bytes_than_are_stated_are_refused(packed: Path, tmp_path: Path) -> None:
    files = contents(packed)
    link = zipfile.ZipInfo("CARD.md")
    link.external_attr, link.create_system = (stat.S_IFLNK | 0o777) << 16, 3
    with pytest.raises(FormatError, match=r"'CARD\.md', a link, a device or an encrypted file"):
        unpack_bundle(zipped(tmp_path / "link.zip", files, **{"CARD.md": link}), tmp_path / "out")
    bomb = {**files, "CARD.md": bytes(50_000_000)}
    with pytest.raises(FormatError, match=r"CARD\.md has more than 7 bytes; get the file again"):
        unpack_bundle(zipped(tmp_path / "bomb.zip", bomb), tmp_path / "out")
    many = {**files, **{f"file{number}": b"" for number in range(100)}}
    with pytest.raises(FormatError, match=r"holds \d+ files, a bundle at most 66"):
        unpack_bundle(zipped(tmp_path / "many.zip", many), tmp_path / "out")
    changed = {**files, "CARD.md": b"# tuny\n"}
    with pytest.raises(BundleDamagedError, match="its size or hash is not the manifest's"):
        unpack_bundle(zipped(tmp_path / "changed.zip", changed), tmp_path / "out")
    del files["detector.onnx"]
    with pytest.raises(FormatError, match=r"lacks detector\.onnx"):
        unpack_bundle(zipped(tmp_path / "less.zip", files), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wherever_a_packed_bundle_is_cut_or_flipped_it_is_refused(packed: Path, tmp_path: Path) -> None:
    whole, broken = packed.read_bytes(), tmp_path / "broken.zip"
    for place in range(0, len(whole), len(whole) // 23):
        flipped = bytes([whole[place] ^ 0x55])
        for content in (whole[:place], whole[:place] + flipped + whole[place + 1 :]):
            broken.write_bytes(content)
            target = tmp_path / f"out{place}"
            try:
                unpack_bundle(broken, target)
            except MitoscopeError:
                assert not target.exists()
            else:  # a byte that no reader looks at
                assert load_bundle(target).fingerprint == load_bundle(target).fingerprint


def test_another_file_is_no_packed_bundle(tmp_path: Path) -> None:
    (tmp_path / "text.mitobundle").write_text("a text")
    for path in (tmp_path / "text.mitobundle", zipped(tmp_path / "other.zip", {"a.txt": b"a"})):
        with pytest.raises(FormatError, match="is not a packed bundle"):
            unpack_bundle(path, tmp_path / "out")
        with pytest.raises(FormatError, match="is not a packed bundle; name a file that"):
            manifest_at_head(read_head(path), where=str(path))
