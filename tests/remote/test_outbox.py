"""Results in a bucket: whole, the manifest last, and nothing of others replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mitoscope.errors import ConfigError, MitoscopeError, OutputError, RemoteError
from mitoscope.remote import Location, Outbox, Staging
from mitoscope.remote.objects import ObjectStore
from tests.remote.conftest import Bucket


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what is written, in their order."""
    names: list[str] = []
    put = ObjectStore.put

    def noted(self: ObjectStore, name: str, content: Path | bytes) -> None:
        put(self, name, content)
        names.append(name)

    monkeypatch.setattr(ObjectStore, "put", noted)
    return names


def outbox(bucket: Bucket, tmp_path: Path) -> Outbox:
    return Outbox(Location.parse(f"{bucket.url}/runs/june"), Staging(tmp_path, limit_bytes=1000))


def written(folder: Path, **content: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        (folder / f"a.{name}").write_text(text)
    return [folder / f"a.{name}" for name in content]


def test_a_result_is_sent_as_a_whole_and_once(bucket: Bucket, tmp_path: Path, sent: list[str]) -> None:
    box = outbox(bucket, tmp_path)
    files = written(box.folder, csv="x,y", html="page", json="manifest")
    box.send("a", files)
    record = ".mitoscope-files/a.json"
    assert sent == [record, "a.csv", "a.html", "a.json", record]
    assert bucket.get("runs/june/a.json") == b"manifest"
    sent.clear()
    again = outbox(bucket, tmp_path)
    assert again.folder == box.folder  # a repeated command goes on with what it finds there
    again.check({"a": [file.name for file in files]})
    again.send("a", files)
    assert sent == []
    again.send("a", written(box.folder, csv="x,y", html="new page", json="new manifest"))
    assert sent == [record, "a.html", "a.json", record]
    bucket.client.delete_object(Bucket=bucket.name, Key="runs/june/a.csv")
    sent.clear()
    outbox(bucket, tmp_path).send("a", files)
    assert sent == [record, "a.csv", "a.json", record]


def test_a_kill_in_between_leaves_no_manifest_and_nothing_unknown(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = outbox(bucket, tmp_path)
    box.send("a", written(box.folder, csv="x,y", html="page", json="manifest"))
    files = written(box.folder, csv="x,y,z", html="egap", json="new manifest")
    put = ObjectStore.put

    def killed(self: ObjectStore, name: str, content: Path | bytes) -> None:
        if name == "a.html":
            raise KeyboardInterrupt
        put(self, name, content)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            box.send("a", files)
    left = bucket.keys()
    assert "runs/june/a.json" not in left
    outbox(bucket, tmp_path).send("a", files)
    assert bucket.get("runs/june/a.json") == b"new manifest"
    assert bucket.get("runs/june/a.html") == b"egap"  # of as many bytes as the one before
    assert set(json.loads(bucket.get("runs/june/.mitoscope-files/a.json"))) == {"a.csv", "a.html", "a.json"}


def test_what_others_wrote_is_refused_before_the_work(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("runs/june/a.html", b"somebody's")
    with pytest.raises(OutputError, match=r"runs/june/a\.html: exists, and not as mitoscope wrote it; move"):
        outbox(bucket, tmp_path).check({"b": ["b.html"], "a": ["a.csv", "a.html"]})
    box = outbox(bucket, tmp_path)
    with pytest.raises(OutputError):
        box.send("a", written(box.folder, html="page", json="manifest"))
    assert bucket.get("runs/june/a.html") == b"somebody's"


def test_a_bucket_that_is_gone_is_one_line(bucket: Bucket, tmp_path: Path) -> None:
    box = outbox(bucket, tmp_path)
    files = written(box.folder, json="manifest")
    bucket.remove()
    with pytest.raises(RemoteError, match=r"^s3://[^;]+: no such object or bucket; check the address$"):
        box.send("a", files)
    with pytest.raises(MitoscopeError, match="no such object or bucket"):
        outbox(bucket, tmp_path)
    with pytest.raises(ConfigError, match="cannot be written to a web server; choose an --out"):
        Outbox(Location.parse("https://h/runs"), Staging(tmp_path, limit_bytes=1000))
