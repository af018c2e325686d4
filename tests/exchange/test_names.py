import pytest

from mitoscope.errors import FormatError
from mitoscope.image_names import match_stems, stem


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("P0_01.webp", "P0_01"),
        ("P0_01", "P0_01"),
        (" fields/deep/P0_01.TIFF ", "P0_01"),
        ("C:\\slides\\Case 7.svs", "Case 7"),
        ("case.1.svs", "case.1"),
        ("case.1", "case.1"),
        ("a.ome.tif", "a.ome"),
        ("TCGA-CR-7395-01A", "TCGA-CR-7395-01A"),
    ],
)
def test_stem(name: str, expected: str) -> None:
    assert stem(name) == expected


def test_the_case_of_letters_matters() -> None:
    assert match_stems(["a.png", "A.png"], where="f.csv") == {"a.png": "a", "A.png": "A"}


def test_two_images_of_one_name_are_refused() -> None:
    with pytest.raises(
        FormatError, match=r"f\.csv: the images 'x/a\.png' and 'y/a\.tif' have one name, 'a'; rename"
    ):
        match_stems(["x/a.png", "b.png", "y/a.tif"], where="f.csv")
