"""DICOM bulk simple annotations: written for a slide, read back, and read without our private part."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mitoscope.errors import FormatError
from mitoscope.exchange import dicom
from mitoscope.exchange.dicom.terms import ANNOTATION_CLASS
from mitoscope.exchange.dicom.writing import stand_in
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Cells,
    LabelEvents,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    Shape,
    SlideRecord,
    Study,
)

from .studies import content, studies


def made() -> Study:
    """A cell of each shape, two raters, a score, a region."""
    triangle = np.array([[20.5, 20], [40, 20], [20.5, 40]])
    return Study(
        (SlideRecord("slide.svs", sha256="ab" * 32, case="case 7"),),
        DEFAULT_LABELS,
        (Rater("C. B."), Rater("net 1", RaterKind.MODEL)),
        cells=Cells.of(
            [0] * 4,
            np.array([[5.5, 6.5] * 2, [10, 10, 13, 12], [50, 50, 60, 58], [20.5, 20, 40, 40]]),
            shape=[Shape.SPOT, Shape.BOX, Shape.CIRCLE, Shape.POLYGON],
            vertices_px0={3: triangle},
        ),
        events=LabelEvents.of([0, 0, 1, 2], [0, 1, 0, 1], [0, 0, 1, 0], score=[np.nan, 0.75, np.nan, 0.5]),
        regions=(Region(0, triangle * 100, RegionKind.TUMOUR, "Tumor"),),
    )


def test_missing_extra_is_named_with_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for act in (
        lambda: dicom.write(made(), tmp_path / "a.dcm", WriteOptions()),
        lambda: dicom.read(tmp_path / "a.dcm", ReadOptions()),
    ):
        with pytest.raises(FormatError, match=r"make setup EXTRAS=dicom"):
            act()


def written(tmp_path: Path, study: Study | None = None, **options: Any) -> Path:
    pytest.importorskip("highdicom")
    dicom.write(study or made(), tmp_path / "a.dcm", WriteOptions(**options))
    return tmp_path / "a.dcm"


def test_a_study_comes_back(tmp_path: Path) -> None:
    assert dicom.read(written(tmp_path), ReadOptions()) == made()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(studies(most_slides=1))
def test_any_study_comes_back(study: Study) -> None:
    pytest.importorskip("highdicom")
    if (study.cells.deleted.all() and not study.regions) or any(
        (one[0] == one[-1]).all() for one in study.cells.vertices_px0.values()
    ):
        return  # nothing that such a file can hold
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        dicom.write(study, Path(folder) / "a.dcm", WriteOptions())
        assert dicom.read(Path(folder) / "a.dcm", ReadOptions()) == study


def test_a_cell_whose_label_was_taken_back_is_written_as_unlabelled(tmp_path: Path) -> None:
    spot = Cells.of([0], np.array([[5.5, 6.5] * 2]))
    study = Study(
        (SlideRecord("slide.svs", sha256="ab" * 32),),
        DEFAULT_LABELS,
        (Rater("C. B."),),
        cells=spot,
        events=LabelEvents.of([0, 0], [0, 0], [0, -1]),
    )
    path = written(tmp_path, study)
    assert dicom.read(path, ReadOptions()) == study
    assert content(dicom.read(without_private_part(path), ReadOptions()))["events"] == []


def without_private_part(path: Path) -> Path:
    import pydicom

    dataset = pydicom.dcmread(path)
    dataset.remove_private_tags()
    dataset.save_as(path)
    return path


def test_other_tools_find_cells_labels_scores_and_raters(tmp_path: Path) -> None:
    study = dicom.read(without_private_part(written(tmp_path)), ReadOptions())
    expected = content(made())
    found = content(study)
    assert sorted(one[1:3] for one in found["cells"]) == sorted(one[1:3] for one in expected["cells"])
    said = {(one[1], one[2], one[3], one[6]) for one in found["events"]}
    assert said == {
        ("C. B.", RaterKind.EXPERT, "mitotic figure", "nan"),
        ("net 1", RaterKind.MODEL, "mitotic figure", "0.75"),
        ("net 1", RaterKind.MODEL, "mitotic figure", "0.5"),
        ("C. B.", RaterKind.EXPERT, "look-alike", "nan"),
    }
    assert found["regions"][0][1:] == expected["regions"][0][1:]
    assert study.slides[0].name == "slide.svs"


def test_an_edited_file_is_read_as_it_stands(tmp_path: Path) -> None:
    import pydicom

    path = written(tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.AnnotationGroupSequence[0].AnnotationGroupLabel = "look-alike"
    dataset.save_as(path)
    study = dicom.read(path, ReadOptions())
    assert not study.quarantine
    assert "changed by another program since mitoscope wrote it" in study.notes[0]
    assert len(study.cells) == 4


def test_the_slide_is_named_and_two_files_of_it_refer_to_one_image(tmp_path: Path) -> None:
    import pydicom

    first = pydicom.dcmread(written(tmp_path))
    second = pydicom.dcmread(written(tmp_path))
    assert first.SOPClassUID == ANNOTATION_CLASS
    assert first.ContainerIdentifier == "slide.svs"
    assert first.PatientID == "case 7"
    one, other = (found.ReferencedImageSequence[0].ReferencedSOPInstanceUID for found in (first, second))
    assert one == other
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_a_dicom_slide_lends_patient_study_and_reference(tmp_path: Path) -> None:
    import pydicom.uid
    from pydicom.dataset import FileMetaDataset

    source = stand_in(SlideRecord("other"))
    source.PatientID, source.StudyInstanceUID = "P 1", pydicom.uid.UID("1.2.3")
    source.SOPInstanceUID = pydicom.uid.UID("1.2.3.4")
    source.file_meta = FileMetaDataset()
    source.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    source.file_meta.MediaStorageSOPClassUID = source.SOPClassUID
    source.file_meta.MediaStorageSOPInstanceUID = source.SOPInstanceUID
    source.save_as(tmp_path / "slide.dcm", enforce_file_format=True)
    found = pydicom.dcmread(written(tmp_path, slide_file=tmp_path / "slide.dcm"))
    assert (found.PatientID, found.StudyInstanceUID) == ("P 1", "1.2.3")
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    del source.PatientSex
    source.save_as(tmp_path / "slide.dcm", enforce_file_format=True)
    with pytest.raises(FormatError, match="no PatientSex"):
        written(tmp_path, slide_file=tmp_path / "slide.dcm")
    with pytest.raises(FormatError, match="a DICOM whole-slide image expected"):
        written(tmp_path, slide_file=tmp_path / "a.dcm")


def test_nothing_to_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="at least one annotation"):
        written(tmp_path, Study((SlideRecord("a"),)))
    assert not list(tmp_path.iterdir())


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = bytearray(path.read_bytes())
    draw = np.random.default_rng(3)
    changed = [whole[:cut] for cut in (0, 10, 131, 140, 400, len(whole) // 2, len(whole) - 3)]
    for place in draw.integers(128, len(whole), 60).tolist():
        flipped = whole.copy()
        flipped[place] ^= 0xFF
        changed.append(flipped)
    for content_ in changed:
        path.write_bytes(content_)
        try:
            dicom.read(path, ReadOptions())
        except FormatError as error:
            assert "\n" not in str(error)  # noqa: PT017 a flipped value may be read, nothing may crash


def test_a_value_of_the_wrong_length_is_refused_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = bytearray(path.read_bytes())
    assert whole[132:140] == b"\x02\x00\x00\x00UL\x04\x00"
    whole[138:140] = b"\xfb\x00"  # 251 bytes are no whole number of integers
    path.write_bytes(whole)
    with pytest.raises(FormatError, match="damaged DICOM") as caught:
        dicom.read(path, ReadOptions())
    assert "\n" not in str(caught.value)
