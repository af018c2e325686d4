"""mitoscope without what Windows lacks; what it leaves on a machine, and what leaves the machine: nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.machine import Machine, leaves

TRUTH = "image,x,y,label,mpp\nslide.tiff,30,40,mitotic figure,0.25\nslide.tiff,90,50,hard negative,0.25\n"


def test_everything_runs_without_what_windows_lacks(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "out").mkdir()
    (machine.out / "truth.csv").write_text(TRUTH)
    (machine.out / "found.csv").write_text("image,x,y,score\nslide,30,40,0.9\nslide,90,50,0.6\n")
    machine.run(
        ["doctor", "--json"],
        ["synth", "--size", "300x200", "--out", "slide.tiff"],
        ["detect", "slide.tiff", "--out", "results"],
        ["detect", "slide.tiff", "--out", "results", "--no-resume"],
        ["count", "results", "--area", "0.001"],
        ["evaluate", "--pred", "found.csv", "--truth", "truth.csv", "--plot", "curve.png"],
        ["store", "create", "study.mito"],
        ["store", "import", "study.mito", "truth.csv"],
        ["store", "backup", "study.mito", "copy.mito"],
        ["store", "export", "study.mito", "--format", "geojson", "--out", "labels.geojson"],
        ["store", "verify", "study.mito"],
        ["curate", "freeze", "study.mito", "mel", "--out", "version.json"],
    )
    serving = machine.start("-m", "mitoscope", "serve", "study.mito", "--slides", ".")
    assert serving.stdout is not None
    said = ""
    for line in serving.stdout:
        said += line
        if line.startswith("open "):
            break
    assert "http://127.0.0.1:" in said
    serving.send_signal(signal.SIGTERM)
    serving.communicate()
    machine.check()


OPENED = "7 openat(AT_FDCWD</x>, {}, {}, 0600) = 5</x>"
CONNECTED = (
    "7 connect(3<TCP:[1]>, {{sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr({})}}, 16) = 0"
)


@pytest.mark.parametrize(
    ("line", "is_left"),
    [
        (CONNECTED.format('"20.1.2.3"'), True),
        (CONNECTED.format('"127.0.0.1"'), False),
        (OPENED.format('"/root/.cache/Microsoft/deviceid"', "O_WRONLY|O_CREAT"), True),
        (OPENED.format('"/work/out/slide.csv"', "O_WRONLY|O_CREAT"), False),
        (OPENED.format('"/root/.cache/x"', "O_RDONLY|O_CLOEXEC"), False),
    ],
)
def test_the_witness_sees_what_leaves(line: str, is_left: bool) -> None:
    assert leaves(line, Path("/work")) is is_left
