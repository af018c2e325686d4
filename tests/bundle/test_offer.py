"""Bundles at addresses: shown before they come, checked when they have, found by their names afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitoscope.bundle import (
    Bundle,
    load_bundle,
    look_at,
    pack_bundle,
    place_on_shelf,
    shelved_bundles,
)
from mitoscope.bundle.shelf import find_shelved
from mitoscope.cli import run
from mitoscope.errors import (
    BundleDamagedError,
    BundleNotFoundError,
    FormatError,
    RemoteError,
    UnreachableError,
)
from mitoscope.remote import Patience
from tests.experiments.datasets.host import Host, Served, serving

QUICK = Patience(tries=2, first_s=0.001, longest_s=0.002, timeout_s=5.0)


@pytest.fixture
def hub(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return a server with the addresses of the hub: a bundle as folder and as file."""
    pack_bundle(tiny_bundle.folder, tmp_path / "tiny.mitobundle")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MITOSCOPE_BUNDLES", str(tmp_path / "shelf"))
    with serving() as host:
        base = "/lab/models/resolve/main"
        for path in tiny_bundle.folder.iterdir():
            host.files[f"{base}/tiny/{path.name}"] = Served(path.read_bytes())
        host.files["/lab/models/resolve/v1/tiny.mitobundle"] = Served(
            (tmp_path / "tiny.mitobundle").read_bytes()
        )
        monkeypatch.setenv("HF_ENDPOINT", host.url)
        yield host


@pytest.mark.parametrize("address", ["hf://lab/models/tiny", "hf://lab/models@v1/tiny.mitobundle"])
def test_a_bundle_is_shown_by_its_manifest_and_comes_as_it_was_shown(
    hub: Host, tiny_bundle: Bundle, address: str
) -> None:
    offer = look_at(address)
    assert (offer.manifest, offer.fingerprint) == (tiny_bundle.manifest, tiny_bundle.fingerprint)
    weights = sum(entry.bytes for entry in tiny_bundle.manifest.files.values())
    assert weights <= offer.size_bytes <= weights + 20_000
    assert len(hub.asked) == 1  # nothing has come but the manifest
    reports: list[tuple[float, float]] = []
    bundle = offer.fetch(report=lambda done, total: reports.append((done, total)), patience=QUICK)
    assert bundle.folder == place_on_shelf("tiny", tiny_bundle.manifest.version)
    assert bundle.fingerprint == tiny_bundle.fingerprint
    assert reports[-1][0] <= reports[-1][1]
    assert [path.name for path in bundle.folder.parent.iterdir()] == [bundle.folder.name]
    hub.asked.clear()
    assert look_at(address).fetch(report=lambda *_: None).folder == bundle.folder
    assert len(hub.asked) == 1  # it is there already
    assert (
        load_bundle("tiny").folder == load_bundle(f"tiny@{bundle.manifest.version}").folder == bundle.folder
    )
    with pytest.raises(BundleNotFoundError, match="known: cascade, semi-fcn, tiny; or"):
        load_bundle("tiny@9.9.9")


def test_what_was_cut_goes_on_and_what_is_no_longer_the_same_is_refused(hub: Host) -> None:
    offer = look_at("hf://lab/models@v1/tiny.mitobundle")
    hub.cuts = [1000, 0]
    with pytest.raises(UnreachableError, match=r"1,000 bytes of tiny\.mitobundle are kept"):
        offer.fetch(report=lambda *_: None, patience=QUICK)
    assert shelved_bundles() == ()
    hub.cuts.clear()
    hub.asked.clear()
    offer.fetch(report=lambda *_: None, patience=QUICK)
    assert [wanted for _, wanted in hub.asked] == ["bytes=1000-"]
    (one,) = shelved_bundles()
    hub.files["/lab/models/resolve/main/tiny/CARD.md"] = Served(b"# tuny\n")
    shutil.rmtree(one.folder)
    with pytest.raises(BundleDamagedError, match="its size or hash is not the manifest's"):
        look_at("hf://lab/models/tiny").fetch(report=lambda *_: None, patience=QUICK)
    assert shelved_bundles() == ()
    hub.files["/lab/models/resolve/main/tiny/CARD.md"] = Served(b"# tiny, and very much more\n")
    shutil.rmtree(one.folder.parent)
    with pytest.raises(RemoteError, match="has more than 7 bytes"):
        look_at("hf://lab/models/tiny").fetch(report=lambda *_: None, patience=QUICK)


def test_what_is_not_there_is_one_line(hub: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(RemoteError, match=r"/resolve/main/none/manifest\.json: the server answers 404"):
        look_at("hf://lab/models/none")
    with pytest.raises(RemoteError, match="names no repository; write hf://OWNER/REPO"):
        look_at("hf://lab")
    for address in ("ftp://lab/tiny", "file:///etc", "tiny.mitobundle", ""):
        with pytest.raises(RemoteError, match="no address of a bundle; write https://"):
            look_at(address)
    hub.files["/page.zip"] = Served(b"<html>")
    with pytest.raises(FormatError, match="is not a packed bundle") as caught:
        look_at(f"{hub.url}/page.zip?token=hf_secret")
    assert "hf_secret" not in str(caught.value)


def test_the_newest_of_a_name_is_found(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOSCOPE_BUNDLES", str(tmp_path))
    for version in ("1.9.0", "1.10.0-rc1", "1.10.0", "0.9.9"):
        shutil.copytree(tiny_bundle.folder, tmp_path / "tiny" / version)
    found = [one.version for one in shelved_bundles()]
    assert found == ["1.10.0", "1.10.0-rc1", "1.9.0", "0.9.9"]
    newest, older = find_shelved("tiny"), find_shelved("tiny@1.9.0")
    assert newest is not None
    assert older is not None
    assert (newest.version, older.version) == ("1.10.0", "1.9.0")
    assert find_shelved("../tiny") is None


def test_the_command_shows_the_licence_and_fetches_nothing_unasked(
    hub: Host, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bundle(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["mitoscope", "bundle", *words])
        with pytest.raises(SystemExit) as left:
            run()
        return int(left.value.code or 0), *capsys.readouterr()

    status, told, refused = bundle("get", "hf://lab/models/tiny", "--sha256", "0123")
    assert (status, hub.asked) == (2, [])
    assert "'0123' is not a fingerprint; give the 64 digits" in refused
    status, told, refused = bundle("get", "hf://lab/models/tiny")
    assert status == 2
    assert f"  licence     {tiny_bundle.manifest.licence}\n" in told
    assert tiny_bundle.fingerprint in told
    assert "the licence was not accepted; read description and licence, then repeat with --yes" in refused
    assert len(hub.asked) == 1
    assert (
        "which differs from --sha256"
        in bundle("get", "hf://lab/models/tiny", "--yes", "--sha256", "0" * 64)[2]
    )
    fingerprint = f"sha256:{tiny_bundle.fingerprint}"
    status, told, refused = bundle("get", "hf://lab/models/tiny", "--yes", "--sha256", fingerprint)
    assert (status, "use it with --model tiny\n" in told) == (0, True), refused
    listed = {row["model"]: row["place"] for row in json.loads(bundle("list", "--json")[1])}
    version = tiny_bundle.manifest.version
    assert listed == {"cascade": "shipped", "semi-fcn": "shipped", f"tiny@{version}": "shelf"}
