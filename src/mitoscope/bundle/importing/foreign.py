"""Reading a network from elsewhere: one plain ONNX graph of standard operators that the runtime knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError
from onnx import compose, external_data_helper, inliner, version_converter

from mitoscope.bundle.graph import check_graph
from mitoscope.errors import BundleError
from mitoscope.fsio import open_regular

OPSET_MIN: Final = 18
"""Of what is appended to a network."""
OPSET_MAX: Final = 21
"""The newest that the oldest supported ONNX Runtime (1.20) runs."""
_IR_MAX: Final = 10
_BYTES_MAX: Final = 1 << 30
_PREFIX: Final = "network/"
"""Before every name of the network, so that none meets a name of what is appended."""
_PICTURES: Final = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.UINT8}

Shape = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """An input or an output: its name as its author wrote it, its type and its shape, None where free."""

    name: str
    kind: int
    shape: Shape

    @property
    def inside(self) -> str:
        """Its name in the graph that is built around the network."""
        return _PREFIX + self.name

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} ({sizes})"


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """A network from elsewhere.

    Parameters
    ----------
    model : onnx.ModelProto
        Of standard operators, opset 18 to 21, every name prefixed.
    picture : Tensor
        Its input.
    outputs : tuple of Tensor
    where : str
        The file, for errors.
    """

    model: onnx.ModelProto
    picture: Tensor
    outputs: tuple[Tensor, ...]
    where: str

    @property
    def opset(self) -> int:
        """Version of the operators."""
        return _opset(self.model)

    @property
    def is_single(self) -> bool:
        """Whether it takes one picture without an axis of pictures."""
        return len(self.picture.shape) == 3

    @property
    def batch(self) -> int | None:
        """How many pictures it takes at once; None: any number."""
        return 1 if self.is_single else self.picture.shape[0]

    def sides(self, axes: str) -> tuple[int | None, int | None]:
        """Return height and width of a picture, None where they are free."""
        start = {"nchw": 2, "nhwc": 1}[axes] - self.is_single
        return self.picture.shape[start], self.picture.shape[start + 1]


def read_network(source: Path | bytes, *, where: str) -> ForeignNetwork:
    """Read an ONNX file.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content. Weights in a second file are taken in if it lies in the same folder.
    where : str
        The file, for errors.

    Raises
    ------
    BundleError
        If it is no ONNX file, is too large, has several inputs, or its opset cannot be brought to one that
        the runtime knows.
    BundleDamagedError
        If it has operators outside of the ONNX standard.
    """
    model = _parsed(source, where=where)
    _take_in_weights(model, source, where=where)
    if model.functions:
        model = inliner.inline_local_functions(model)
    check_graph(_plain(model), where=where)
    model = _supported(model, where=where)
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [_tensor(value) for value in model.graph.input if value.name not in given]
    outputs = tuple(_tensor(value) for value in model.graph.output)
    if len(inputs) != 1 or inputs[0].kind not in _PICTURES or len(inputs[0].shape) not in (3, 4):
        raise BundleError(
            f"one picture expected as input, got {', '.join(map(str, inputs)) or 'nothing'}",
            where=where,
            mend="export the network alone, with pictures of float32, float16 or uint8 as its only input",
        )
    return ForeignNetwork(compose.add_prefix(model, _PREFIX), inputs[0], outputs, where)


def _parsed(source: Path | bytes, *, where: str) -> onnx.ModelProto:
    try:
        if isinstance(source, bytes):
            content = source
        else:
            with open_regular(source) as stream:
                content = stream.read(_BYTES_MAX + 1)
    except OSError as error:
        raise BundleError(f"cannot be read ({error.strerror})", where=where) from None
    if len(content) > _BYTES_MAX:
        raise _too_large(where)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise BundleError("not an ONNX file", where=where, mend="export the network to ONNX") from None
    if not model.graph.node or not model.opset_import:
        raise BundleError("not an ONNX file", where=where, mend="export the network to ONNX")
    return model


def _take_in_weights(model: onnx.ModelProto, source: Path | bytes, *, where: str) -> None:
    """Take in weights that lie in a file beside the graph, as exporters of large networks write them."""
    outside = [
        tensor for tensor in model.graph.initializer if external_data_helper.uses_external_data(tensor)
    ]
    if not outside:
        return
    named = {entry.value for tensor in outside for entry in tensor.external_data if entry.key == "location"}
    mend = "save it as one file: onnx.save(onnx.load(FILE), NEW)"
    if isinstance(source, bytes):
        raise BundleError("its weights are in another file", where=where, mend=mend)
    total = 0
    for name in sorted(named):
        beside = source.parent / name
        if Path(name).name != name or beside.is_symlink() or not beside.is_file():
            raise BundleError(f"its weights are in {name!r}, not beside it", where=where, mend=mend)
        total += beside.stat().st_size
    if total > _BYTES_MAX:
        raise _too_large(where)
    try:
        external_data_helper.load_external_data_for_model(model, str(source.parent))
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise BundleError(f"its weights cannot be read ({_line(error)})", where=where, mend=mend) from None


def _too_large(where: str) -> BundleError:
    return BundleError(
        f"with its weights it is larger than {_BYTES_MAX >> 20} MiB, the most that a bundle's graph may have",
        where=where,
        mend="export it in float16, which halves it",
    )


def _plain(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


def _opset(model: onnx.ModelProto) -> int:
    return max(
        (int(opset.version) for opset in model.opset_import if opset.domain in ("", "ai.onnx")), default=1
    )


def _supported(model: onnx.ModelProto, *, where: str) -> onnx.ModelProto:
    """Bring a model to an opset that the runtime knows, and to which operators can be added."""
    own = _opset(model)
    for unused in [opset for opset in model.opset_import if opset.domain not in ("", "ai.onnx")]:
        model.opset_import.remove(unused)
    target = min(max(own, OPSET_MIN), OPSET_MAX)
    if target != own:
        try:
            model = version_converter.convert_version(model, target)
        except (RuntimeError, ValueError, version_converter.ConvertError) as error:
            raise BundleError(
                f"opset {own} cannot be brought to {target} ({_line(error)})",
                where=where,
                mend=f"export it with an opset of {OPSET_MIN} to {OPSET_MAX}",
            ) from None
    model.ir_version = min(model.ir_version, _IR_MAX)
    return model


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    sizes = (axis.dim_value if axis.dim_value > 0 else None for axis in kind.shape.dim)
    return Tensor(value.name, kind.elem_type, tuple(sizes))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
