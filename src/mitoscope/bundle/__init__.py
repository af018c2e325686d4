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
from mitoscope.bundle.origin import Interface, Origin
from mitoscope.bundle.verify import verify_bundle
from mitoscope.bundle.write import write_bundle

__all__ = [
    "BALANCED_ACCURACY",
    "DEFAULT",
    "F1",
    "GREATEST_F1",
    "KIND_RECALLS",
    "ROBUST",
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
    "OperatingPoint",
    "Origin",
    "ScoreCalibration",
    "SelfTest",
    "Shrinkage",
    "StainRange",
    "Subtype",
    "TrainingSource",
    "Verifier",
    "load_bundle",
    "shipped",
    "verify_bundle",
    "write_bundle",
]
