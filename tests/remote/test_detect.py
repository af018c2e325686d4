"""``mitoscope detect`` on slides in buckets and on web servers: the results are those of slides here."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mitoscope.bundle import load_bundle
from mitoscope.cli import run
from mitoscope.errors import ConfigError, RemoteError
from mitoscope.infer import find_slides, ordered, read_slide_list, refuse_same_names
from mitoscope.infer.cohort import ORDERS, Order
from mitoscope.report import detect as detect_in_python
from tests.experiments.datasets.host import Host, Served
from tests.remote.conftest import SECRET, Bucket

SIGNED = "X-Amz-Signature=5ca1ab1e&X-Amz-Expires=60"


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the fields one.png and two.png: a self-test picture and its mirror image."""
    folder = tmp_path_factory.mktemp("fields")
    bundle = load_bundle("semi-fcn")
    picture = Image.open(io.BytesIO(bundle.read(bundle.manifest.self_test.image)))
    picture.save(folder / "one.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "two.png")
    return folder


@dataclass(frozen=True)
class Done:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str


Detect = Callable[..., Done]


@pytest.fixture
def detect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Detect:
    """Run the command in this process."""

    def ask(*words: str | Path) -> Done:
        staging, log = tmp_path / "staging", tmp_path / "log.txt"
        command = ["mitoscope", "detect", *map(str, words), "--mpp", "0.25", "--formats", "csv,json,geojson"]
        command += [
            "--stage",
            "proposals",
            "--retries",
            "0",
            "--staging",
            str(staging),
            "--log-file",
            str(log),
        ]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as left:
            run()
        return Done(int(left.value.code or 0), *capsys.readouterr())

    return ask


def content(manifest: bytes) -> dict[str, object]:
    """Return what a manifest says, but for how long it took."""
    values: dict[str, object] = json.loads(manifest)
    del values["timings"]
    return values


def test_slides_elsewhere_give_the_same_results_there(
    bucket: Bucket, host: Host, fields: Path, tmp_path: Path, detect: Detect
) -> None:
    assert detect(fields, "--out", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "one.csv").read_text().count("\n") > 1  # there are candidates
    bucket.put("cohort/one.png", (fields / "one.png").read_bytes())
    bucket.put("cohort/broken.png", b"no picture")
    host.files["/two.png"] = Served((fields / "two.png").read_bytes())
    signed = f"{host.url.replace('http://', f'http://ann:{SECRET}@')}/two.png?{SIGNED}"
    out = f"{bucket.url}/results/june"
    done = detect(f"{bucket.url}/cohort/", signed, "--out", out)
    assert done.status == 1
    (error,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"error: {bucket.url}/cohort/broken.png: ")
    for stem in ("one", "two"):
        for suffix in (".csv", ".geojson", ".tissue.png"):
            mine = (tmp_path / "out" / f"{stem}{suffix}").read_bytes()
            assert bucket.get(f"results/june/{stem}{suffix}") == mine
        here = (tmp_path / "out" / f"{stem}.json").read_bytes()
        assert content(bucket.get(f"results/june/{stem}.json")) == content(here)
    table = bucket.get("results/june/cohort.csv").decode()
    assert f"{bucket.url}/cohort/one.png" in table
    assert f"{host.url}/two.png" in table
    # Nobody who reads results, logs or the cache learns how they were reached.
    written = [path.read_bytes() for path in (tmp_path / "staging").rglob("*") if path.is_file()]
    keys = bucket.keys()
    written += [bucket.get(key) for key in keys if key.startswith("results/")]
    told = [*written, (tmp_path / "log.txt").read_bytes(), done.out.encode(), done.err.encode()]
    assert not any(word.encode() in text for word in (SECRET, "5ca1ab1e", "X-Amz") for text in told)
    host.asked.clear()
    again = detect(f"{bucket.url}/cohort/", signed, "--out", out)
    assert again.out.count("; made before\n") == 2
    assert [wanted for _, wanted in host.asked] == ["bytes=0-0"]


def test_a_bucket_that_is_gone_stops_no_other_and_the_same_command_goes_on(
    bucket: Bucket, fields: Path, tmp_path: Path, detect: Detect
) -> None:
    gone = Bucket(f"{bucket.name}-gone", bucket.client)
    bucket.put("one.png", (fields / "one.png").read_bytes())
    (tmp_path / "list.csv").write_text(
        f"slide,case\n{gone.url}/two.png,A\n{bucket.url}/one.png,B\n{(fields / 'two.png').as_uri()},C\n"
    )
    slides = read_slide_list(tmp_path / "list.csv")
    with pytest.raises(ConfigError, match=rf"^{gone.url}/two.png \(.*:2\) and /.*:4\) would write the same"):
        refuse_same_names(slides)
    (tmp_path / "list.csv").write_text(f"slide,case\n{gone.url}/two.png,A\n{bucket.url}/one.png,B\n")
    command = ("--slides-from", tmp_path / "list.csv", "--out", tmp_path / "out")
    done = detect(*command)
    assert done.status == 1
    assert f"error: {gone.url}/two.png: no such object or bucket; check the address\n" in done.err
    assert (tmp_path / "out" / "one.json").exists()
    bucket.client.create_bucket(Bucket=gone.name)
    gone.put("two.png", (fields / "two.png").read_bytes())
    again = detect(*command)
    assert again.status == 0, again.err
    assert again.out.count("; made before\n") == 1
    assert (tmp_path / "out" / "two.json").exists()


def test_slides_of_one_name_have_folders_of_their_own_there_and_python_takes_an_address(
    bucket: Bucket, fields: Path, tmp_path: Path, detect: Detect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patient, field in (("p1", "one"), ("p2", "two")):
        bucket.put(f"{patient}/HE.png", (fields / f"{field}.png").read_bytes())
    out = f"{bucket.url}/results/july"
    done = detect(f"{bucket.url}/p1/", f"{bucket.url}/p2/", "--out", out, "--roi", "0,0,128,128")
    assert done.status == 0, done.err
    rows = list(csv.DictReader(bucket.get("results/july/cohort.csv").decode().splitlines()))
    assert [(row["slide"], row["result"]) for row in rows] == [
        (f"{bucket.url}/{patient}/HE.png", f"{patient}/HE") for patient in ("p1", "p2")
    ]
    one, two = (json.loads(bucket.get(f"results/july/{patient}/HE.json")) for patient in ("p1", "p2"))
    assert one["slide"]["fingerprint"] != two["slide"]["fingerprint"]
    sent = set(bucket.keys())
    assert (
        detect(f"{bucket.url}/p?/*.png", "--out", out, "--roi", "0,0,128,128").out.count("; made before\n")
        == 2
    )
    assert set(bucket.keys()) == sent
    monkeypatch.setenv("MITOSCOPE_STAGING", str(tmp_path / "staging"))
    words: dict[str, Any] = {"mpp": 0.25, "stage": "proposals", "roi": (0, 0, 128, 128), "progress": False}
    found = detect_in_python(f"{bucket.url}/p2/HE.png", out=tmp_path / "python", **words)
    assert found.slide.fingerprint == two["slide"]["fingerprint"]
    assert len(found.detections) == two["search"]["candidates"]
    with pytest.raises(RemoteError, match="no such object"):
        detect_in_python(f"{bucket.url}/p3/HE.png", out=tmp_path / "python", **words)


def test_slides_elsewhere_go_by_their_size(bucket: Bucket, host: Host, tmp_path: Path) -> None:
    bucket.put("a.svs", b"123")
    bucket.put("b.svs", b"1")
    host.files["/c.svs"] = Served(b"12")
    (tmp_path / "d.svs").write_bytes(b"1234")
    places: list[Path | str] = [
        f"{bucket.url}/a.svs",
        f"{bucket.url}/b.svs",
        f"{host.url}/c.svs",
        tmp_path / "d.svs",
    ]
    listed = find_slides([*places, f"{bucket.url}/gone.svs"])

    def names(order: Order) -> str:
        return " ".join(slide.path.stem for slide in ordered(listed, order))

    assert [names(order) for order in ORDERS] == ["a b c d gone", "gone b c a d", "d a c b gone"]


def test_folders_and_patterns_of_a_bucket_mean_its_slides(bucket: Bucket, host: Host) -> None:
    for key in (
        "a/one.svs", "a/deep/two.tif", "a/notes.txt", "a/.hidden/three.svs", "a/m.mrxs", "a/m/Data0.dat",
        "a/m/x.png", "a/dicom/2.dcm", "a/dicom/1.dcm", "a/one.json", "a/one.tissue.png", "b/four.svs",
    ):  # fmt: skip
        bucket.put(key, b"x")

    def found(*named: str) -> list[str]:
        slides = find_slides([f"{bucket.url}/{name}" for name in named])
        return [slide.shown.removeprefix(f"{bucket.url}/") for slide in slides]

    assert found("a/", "b") == ["a/deep/two.tif", "a/dicom/1.dcm", "a/m.mrxs", "a/one.svs", "b/four.svs"]
    assert found("a/*.svs", "*/*.svs") == ["a/one.svs", "a/one.svs", "b/four.svs"]
    assert found("") == ["a/deep/two.tif", "a/dicom/1.dcm", "a/m.mrxs", "a/one.svs", "b/four.svs"]
    with pytest.raises(ConfigError, match=rf"{bucket.url}/c/: no slide is there; name slides"):
        found("c/")
    with pytest.raises(RemoteError, match="no such object or bucket"):
        find_slides([f"{bucket.url}-gone/"])
    with pytest.raises(RemoteError, match="a web server does not list folders; name each slide"):
        find_slides([f"{host.url}/slides/"])
    (slide,) = find_slides([f"{host.url}/download?id=7"])  # nothing says what it is: it is asked for
    assert slide.path == Path("download")
