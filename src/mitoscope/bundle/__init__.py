"""The model bundle: a detector as ONNX with everything that says what it is and how to use it."""

from mitoscope.bundle.load import Bundle, load_bundle
from mitoscope.bundle.manifest import (
    FileEntry,
    Manifest,
    Metric,
    ModelDescription,
    Normalisation,
    SelfTest,
    TrainingSource,
)
from mitoscope.bundle.shelf import shipped
from mitoscope.bundle.verifier import Verifier
from mitoscope.bundle.verify import verify_bundle
from mitoscope.bundle.write import write_bundle

__all__ = [
    "Bundle",
    "FileEntry",
    "Manifest",
    "Metric",
    "ModelDescription",
    "Normalisation",
    "SelfTest",
    "TrainingSource",
    "Verifier",
    "load_bundle",
    "shipped",
    "verify_bundle",
    "write_bundle",
]
