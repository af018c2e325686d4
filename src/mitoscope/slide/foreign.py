"""Slide formats that no reader here knows, told by their names: whose they are and how to convert them."""

from __future__ import annotations

from pathlib import Path

from mitoscope.errors import SlideFormatError

_BIO_FORMATS = "convert it with Bio-Formats: bfconvert -compression JPEG {name} {stem}.ome.tiff"
_OWN_EXPORT = "export it as DICOM, SVS or tiled TIFF with the scanner's own program"
_FOREIGN: dict[str, tuple[str, str]] = {
    ".vsi": ("Olympus VSI", _BIO_FORMATS),
    ".ets": (
        "a part of Olympus VSI",
        "give the .vsi file to Bio-Formats: bfconvert SLIDE.vsi SLIDE.ome.tiff",
    ),
    ".isyntax": ("Philips iSyntax", "convert it with libisyntax: isyntax-to-tiff {name} {stem}.tiff"),
    ".i2syntax": ("Philips iSyntax", _OWN_EXPORT),
    ".zvi": ("Zeiss ZVI", _BIO_FORMATS),
    ".lif": ("Leica LIF", _BIO_FORMATS),
    ".nd2": ("Nikon ND2", _BIO_FORMATS),
    ".oir": ("Olympus OIR", _BIO_FORMATS),
    ".kfb": ("KFBIO", _OWN_EXPORT),
    ".sdpc": ("SQRAY SDPC", _OWN_EXPORT),
    ".tron": ("InteMedic TRON", _OWN_EXPORT),
    ".mds": ("Motic MDS", _OWN_EXPORT),
}
_MIRAX = ".mrxs"


def refuse_foreign(path: Path, *, what: str | None = None) -> None:
    """Refuse a file that nothing here reads by what its name says of it.

    Parameters
    ----------
    path : Path
        A file that OpenSlide does not know, or refuses.
    what : str, optional
        Why OpenSlide refuses it.

    Raises
    ------
    SlideFormatError
        If the name says what it is; other files are left to what comes next.
    """
    suffix = path.suffix.lower()
    if suffix == _MIRAX and not path.with_suffix("").is_dir():
        raise SlideFormatError(
            f"has no folder {path.stem} beside it, which holds the pixels of a MIRAX slide",
            where=path,
            mend="copy the file together with its folder",
        )
    if suffix in _FOREIGN:
        whose, mend = _FOREIGN[suffix]
        said = f"is {whose}, which is not read" if what is None else f"is {whose} that {what}"
        raise SlideFormatError(said, where=path, mend=mend.format(name=path.name, stem=path.stem))
