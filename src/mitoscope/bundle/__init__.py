"""The model bundle: a detector as ONNX with everything that says what it is and how to use it."""

from mitoscope.bundle.entries import (
    BALANCED_ACCURACY,
    F1,
    GREATEST_F1,
    KIND_RECALLS,
    ROBUST,
    Blend,
    FigureShare,
    Metric,
    OperatingPoint,
    ScoreCalibration,
    Shrinkage,
    StainRange,
    Subtype,
    Verifier,
)
from mitoscope.bundle.load import DEFAULT, Bundle, load_bundle, shipped
from mitoscope.bundle.manifest import (
    Border,
    FileEntry,
    Manifest,
    ModelDescription,
    Normalisation,
    SelfTest,
    TrainingSource,
)
from mitoscope.bundle.offer import Offer, look_at
from mitoscope.bundle.origin import Interface, Origin
from mitoscope.bundle.pack import SUFFIX, manifest_at_head, pack_bundle, read_head, unpack_bundle
from mitoscope.bundle.shelf import Shelved, place_on_shelf, shelf_folder, shelved_bundles
from mitoscope.bundle.verify import verify_bundle
from mitoscope.bundle.write import write_bundle

__all__ = [
    "BALANCED_ACCURACY",
    "DEFAULT",
    "F1",
    "GREATEST_F1",
    "KIND_RECALLS",
    "ROBUST",
    "SUFFIX",
    "Blend",
    "Border",
    "Bundle",
    "FigureShare",
    "FileEntry",
    "Interface",
    "Manifest",
    "Metric",
    "ModelDescription",
    "Normalisation",
    "Offer",
    "OperatingPoint",
    "Origin",
    "ScoreCalibration",
    "SelfTest",
    "Shelved",
    "Shrinkage",
    "StainRange",
    "Subtype",
    "TrainingSource",
    "Verifier",
    "load_bundle",
    "look_at",
    "manifest_at_head",
    "pack_bundle",
    "place_on_shelf",
    "read_head",
    "shelf_folder",
    "shelved_bundles",
    "shipped",
    "unpack_bundle",
    "verify_bundle",
    "write_bundle",
]
