"""Whole-slide images in DICOM as a test wants them: any frames under any description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

WHOLE_SLIDE = UID("1.2.840.10008.5.1.4.1.1.77.1.6")


def write_dicom(
    path: Path,
    frames: Sequence[bytes],
    *,
    syntax: UID,
    photometric: str,
    size: tuple[int, int],
    tile: int = 256,
    mpp: float = 0.25,
    series: str = "1.2.826.0.1.3680043.8.498.1",
    **others: object,
) -> Path:
    """Write a file of one level.

    Parameters
    ----------
    path : Path
        The file.
    frames : sequence of bytes
        The tiles row by row, each coded as the transfer syntax says.
    syntax : UID
        The transfer syntax.
    photometric : str
        What PhotometricInterpretation says.
    size : tuple of int
        Width and height of the level in px.
    tile : int
        Side of a tile in px.
    mpp : float
        µm/px.
    series : str
        SeriesInstanceUID: the levels of a slide share it.
    **others
        Further attributes by their keyword; None leaves one out.
    """
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = WHOLE_SLIDE
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality, data.Manufacturer, data.PatientID = "SM", "a scanner", "1"
    data.SeriesInstanceUID, data.StudyInstanceUID = series, "1.2.826.0.1.3680043.8.498.2"
    data.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.3"
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.DimensionOrganizationType = "TILED_FULL"
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = size
    data.NumberOfOpticalPaths = data.TotalPixelMatrixFocalPlanes = 1
    data.NumberOfFrames, data.Rows, data.Columns = len(frames), tile, tile
    data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PhotometricInterpretation = photometric
    measures = pydicom.Dataset()
    measures.PixelSpacing, measures.SliceThickness = [mpp / 1000, mpp / 1000], 0.001
    shared = pydicom.Dataset()
    shared.PixelMeasuresSequence = Items([measures])
    data.SharedFunctionalGroupsSequence = Items([shared])
    origin = pydicom.Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0
    data.TotalPixelMatrixOriginSequence = Items([origin])
    data.ImageOrientationSlide = [0, 1, 0, 1, 0, 0]
    data.ImagedVolumeWidth, data.ImagedVolumeHeight = (side * mpp / 1000 for side in size)
    path_item = pydicom.Dataset()
    path_item.OpticalPathIdentifier, path_item.ICCProfile = "1", b""
    data.OpticalPathSequence = Items([path_item])
    for keyword, value in others.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    if syntax == ExplicitVRLittleEndian:
        data.PixelData = b"".join(frames)
    else:
        data.PixelData = encapsulate(list(frames))
        data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path
