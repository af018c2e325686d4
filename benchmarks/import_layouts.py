"""Imported networks beside their own programs.

    python benchmarks/import_layouts.py FIELD... [--only NAME] [--write]

Needs ultralytics, tiatoolbox, transformers and scikit-image, which are no part of mitoscope: an environment
of their own. Networks of random weights, their scores spread (those of untrained heads are all alike), are
exported by their own program and imported by `mitoscope.bundle.importing`. Each program is asked for its
points on real fields, a window cut from the middle, by its own code from picture to answer; the graph of the
bundle sees the same bytes. Points are matched one to one; *alone* are those of either side that have no
partner within 4 px. Figures with a score above 0.05 alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import torch
from machine import stamp
from numpy.typing import NDArray
from PIL import Image
from results_page import write_page
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from mitoscope.bundle.importing import Statement, plan_of, read_network, training_source
from mitoscope.bundle.importing.assemble import assemble
from mitoscope.bundle.network import find_points, open_network, score_windows

CLASSES = ("mitotic figure", "look-alike")
FLOOR = 0.05
SLOTS = 3000
_CHOSEN = 300
"""Rows that the heads of YOLO v10 and 26 choose, unless they are told otherwise."""
KONGNET_PX = 256
REACH_PX = 4.0
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HEAD = (
    "Layout",
    "Program",
    "Network",
    "Points",
    "Largest difference, px",
    "in score",
    "Alone",
    "Day, fields",
)
NOTES = """
- Where points of YOLO are alone, boxes of the untrained heads overlap by the hundred and their scores differ
  in the last bits: which of two near equals suppresses the other then differs, most likely, and one that goes
  takes others along.
- YOLO26 has two heads. Exported with `nms=False` the head without suppression is equal to its program. The
  other one, which is exported by default, has thousands of saturated boxes with random weights: **not shown
  to be equal**, measure before use.
- `half=True`: the program computes in float32 here, its export in float16. Measure before use.
- `rtdetr-l` of Ultralytics found nothing above 0.05 with random weights; it says nothing of `rtdetr` in one
  output, which was held against its rule (`tests/bundle/importing/test_boxes.py`), as were YOLOv5 with
  objectness and MMDetection.
- Faster R-CNN found nothing with these weights, so its row says nothing. Of SSDlite 135 points are alone,
  and those that have a partner are equal: why was not found out. Measure before use.
- Detectors of torchvision and classifiers of timm: also `tests/models/test_foreign.py`.
- `KongNet.postproc` and the graph gave the same 1,302 peaks, to the last bit, on 8 drawn maps (smooth, in 50
  steps, in 3; distance 3, 11 and 21). The row of the whole architecture is of weights that gave a map of 1
  nearly everywhere, where rounding decides the places of equal peaks: it says nothing of trained weights.
"""
PAGE = Path(__file__).parent / "results" / "import_layouts.md"
Points = NDArray[np.floating]
Ask = Callable[[NDArray[np.uint8]], Points]


@dataclass(frozen=True)
class Reference:
    """A network in its own program.

    Parameters
    ----------
    program, network, layout : str
    onnx : Path
        As the program exports it.
    side : int
        Of a window.
    ask : callable
        The program's answer to a window: x, y, score of figures; of a classifier one row of scores.
    stated : dict
        Further fields of `Statement`.
    """

    program: str
    network: str
    layout: str
    onnx: Path
    side: int
    ask: Ask
    classes: tuple[str, ...] = CLASSES
    stated: dict[str, Any] = field(default_factory=dict)


def _version(name: str) -> str:
    from importlib.metadata import version

    return f"{name} {version(name)}"


def _centres(boxes: Any, scores: Any, labels: Any, label: int) -> Points:
    boxes, scores, labels = (np.asarray(part.detach().cpu(), np.float64) for part in (boxes, scores, labels))
    own = (labels == label) & (scores > FLOOR)
    return np.column_stack([(boxes[own, :2] + boxes[own, 2:4]) / 2, scores[own]])


def _export(
    network: torch.nn.Module, path: Path, side: int, outputs: list[str], *, free: bool = True
) -> Path:
    axes = {name: {0: "N"} for name in ("picture", *outputs)} if free else None
    torch.onnx.export(
        network.eval(),
        (torch.zeros(1, 3, side, side),),
        path,
        input_names=["picture"],
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=18,
        dynamo=False,
    )
    return path


class _Parts(torch.nn.Module):
    """A network whose answer is a dictionary, as a tuple of some of its entries."""

    def __init__(self, network: torch.nn.Module, names: list[str], *, lists: bool = False) -> None:
        super().__init__()
        self.network, self.names, self.lists = network, names, lists

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answer = self.network([picture[0]])[0] if self.lists else self.network(picture)
        return tuple(answer[name] for name in self.names)


def _planes(rgb: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255


def torchvision_detectors(folder: Path, _: torch.Tensor) -> Iterator[Reference]:
    """Detectors of torchvision, with the weights that they begin with."""
    from torchvision.models import detection

    for name, floor in (
        ("fasterrcnn_resnet50_fpn", 0.05),
        ("retinanet_resnet50_fpn", 0.005),
        ("fcos_resnet50_fpn", 0.05),
        ("ssdlite320_mobilenet_v3_large", 0.05),
    ):
        torch.manual_seed(3)
        sizes = {} if name.startswith("ssd") else {"min_size": 512, "max_size": 512}
        thresholds = {"box_score_thresh" if name.startswith("faster") else "score_thresh": floor}
        network = getattr(detection, name)(
            weights=None, weights_backbone=None, num_classes=3, **sizes, **thresholds
        ).eval()
        _spread(network)
        names = ["boxes", "scores", "labels"]
        path = _export(_Parts(network, names, lists=True), folder / f"{name}.onnx", 512, names, free=False)

        def ask(rgb: NDArray[np.uint8], network: Any = network) -> Points:
            answer = network([_planes(rgb)[0]])[0]
            return _centres(answer["boxes"], answer["scores"], answer["labels"], 1)

        yield Reference(_version("torchvision"), name, "torchvision", path, 512, ask)


def _spread(network: torch.nn.Module) -> None:
    """Spread the scores of an untrained head: its last layer is made steeper, its prior taken away."""
    for name, part in network.named_modules():
        if name.endswith(("cls_logits", "cls_score")) or ".classification_head.module_list" in name:
            for own in part.modules():
                if isinstance(own, torch.nn.Linear | torch.nn.Conv2d) and own.bias is not None:
                    torch.nn.init.normal_(own.bias, std=0.5)
                    torch.nn.init.normal_(own.weight, std=0.1)


def ultralytics_heads(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
    """YOLO and RT-DETR of Ultralytics, asked by `predict`."""
    from ultralytics import RTDETR, YOLO
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils import YAML

    program = _version("ultralytics")
    built_in = {"nms": True, "conf": FLOOR, "iou": 0.7, "max_det": SLOTS}
    runs = (
        ("yolov5nu", "yolov5n.yaml", "yolo8", {}, 512),
        ("yolov8n", "yolov8n.yaml", "yolo8", {}, 512),
        ("yolov8n, nms=True", "yolov8n.yaml", "yolo8", built_in, 512),
        ("yolov8n, half=True", "yolov8n.yaml", "yolo8", {"half": True}, 512),
        ("yolov9t", "yolov9t.yaml", "yolo9", {}, 512),
        ("yolov10n", "yolov10n.yaml", "yolo10", {}, 512),
        ("yolo11n", "yolo11n.yaml", "yolo11", {}, 512),
        ("yolo11n, dynamic=True", "yolo11n.yaml", "yolo11", {"dynamic": True}, 512),
        ("yolo11n, windows of 512 px at imgsz=640", "yolo11n.yaml", "yolo11", {}, 640),
        ("yolo12n", "yolo12n.yaml", "yolo12", {}, 512),
        ("yolo26n", "yolo26n.yaml", "yolo26", {}, 512),
        ("yolo26n, nms=False", "yolo26n.yaml", "yolo26", {"nms": False}, 512),
        ("rtdetr-l", "rtdetr-l.yaml", "rtdetr", {}, 512),
    )
    for name, config, layout, options, imgsz in runs:
        torch.manual_seed(5)
        YAML.save(folder / config, yaml_model_load(config) | {"nc": 2})
        own = (RTDETR if layout == "rtdetr" else YOLO)(folder / config)
        _spread_yolo(own.model, shown)
        with contextlib.chdir(folder):
            made = Path(own.export(format="onnx", imgsz=imgsz, simplify=False, verbose=False, **options))
            path = folder / made.name
        if layout == "yolo26":  # it has two heads, of which the export has one: the program reads its export
            own = YOLO(shutil.copy(path, folder / f"own-{path.name}"), task="detect")

        def ask(
            rgb: NDArray[np.uint8],
            asked: Any = own,
            imgsz: int = imgsz,
            name: str = name,
            layout: str = layout,
        ) -> Points:
            answer = asked.predict(
                np.ascontiguousarray(rgb[..., ::-1]),
                imgsz=imgsz,
                conf=FLOOR,
                iou=0.7,
                # Where the head itself chooses, its export does so among as many.
                max_det=_CHOSEN if layout == "yolo10" or "nms=False" in name else SLOTS,
                verbose=False,
            )[0].boxes
            return _centres(answer.xyxy, answer.conf, answer.cls, 0)

        stated: dict[str, Any] = {"window_px": 512} if imgsz != 512 or "dynamic" in options else {}
        yield Reference(program, name, layout, path, 512, ask, stated=stated)


def _spread_yolo(model: torch.nn.Module, shown: torch.Tensor) -> None:
    """Let batch norms see a field, and spread the scores of the head: few places are something."""
    is_queries = "RTDETR" in type(model).__name__
    heads = [
        part
        for name, part in model.model[-1].named_modules()
        if (isinstance(part, torch.nn.Conv2d) and "cv3" in name and name.endswith(".2"))
        or (isinstance(part, torch.nn.Linear) and "score_head" in name)
    ]
    with torch.no_grad():
        if not is_queries:
            _settle(model, shown)
        for part in heads:
            part.weight *= 2
            part.bias.zero_()
        seen: dict[int, torch.Tensor] = {}
        hooks = [
            part.register_forward_hook(lambda one, _given, out: seen.__setitem__(id(one), out))
            for part in heads
        ]
        for is_end_to_end in (True, False) if getattr(model, "end2end", False) else (None,):
            if is_end_to_end is not None:  # each of two heads sees the field
                model.end2end = is_end_to_end
            model.eval()(shown)
        for hook in hooks:
            hook.remove()
        for part in heads:
            if id(part) in seen:
                axis = 1 if isinstance(part, torch.nn.Conv2d) else -1
                rows = seen[id(part)].movedim(axis, -1).reshape(-1, len(part.bias))
                share = 0.5 if is_queries else 0.998
                part.bias -= torch.quantile(rows[:50000], share, dim=0)


def transformers_queries(folder: Path, _: torch.Tensor) -> Iterator[Reference]:
    """DETR and RT-DETR of Transformers, small ones: their image processors before and behind the export.

    Not the networks themselves: untrained ones choose among queries that are all alike, so that the last bit
    of a sum decides.
    """
    import transformers as hf

    program = _version("transformers")
    torch.manual_seed(7)
    small = {"encoder_layers": 2, "decoder_layers": 2, "d_model": 64, "num_labels": 2}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    wide = {"encoder_ffn_dim": 128, "decoder_ffn_dim": 128}
    backbone = hf.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], out_features=["stage4"]
    )
    config = hf.DetrConfig(
        backbone_config=backbone, use_timm_backbone=False, num_queries=60, **small, **heads, **wide
    )
    detr = hf.DetrForObjectDetection(config).eval()
    with torch.no_grad():
        detr.model.query_position_embeddings.weight.mul_(50)
        detr.class_labels_classifier.weight.mul_(10)
        for part in detr.bbox_predictor.layers:
            part.weight.mul_(3)
    path = _export(
        _Parts(detr, ["logits", "pred_boxes"]), folder / "detr.onnx", 512, ["logits", "pred_boxes"]
    )
    yield Reference(program, "DETR", "detr", path, 512, _asked_of(path, hf.DetrImageProcessor()))
    torch.manual_seed(7)
    config = hf.RTDetrConfig(
        backbone_config=hf.RTDetrResNetConfig(
            embedding_size=16,
            hidden_sizes=[16, 32, 48, 64],
            depths=[1, 1, 1, 1],
            layer_type="basic",
            out_features=["stage2", "stage3", "stage4"],
        ),
        encoder_in_channels=[32, 48, 64],
        encoder_hidden_dim=64,
        feat_strides=[8, 16, 32],
        decoder_in_channels=[64, 64, 64],
        decoder_layers=2,
        num_queries=100,
        anchor_image_size=None,
        **{key: value for key, value in (small | wide | heads).items() if not key.endswith("layers")},
    )
    rtdetr = hf.RTDetrForObjectDetection(config).eval()
    torch.nn.init.normal_(rtdetr.model.enc_score_head.weight, std=1.0)
    rtdetr.model.enc_score_head.weight.data.neg_()
    for head in rtdetr.model.decoder.class_embed:
        torch.nn.init.normal_(head.weight, std=0.3)
        torch.nn.init.normal_(head.bias, std=0.5)
    path = _export(
        _Parts(rtdetr, ["logits", "pred_boxes"]), folder / "rtdetr-hf.onnx", 512, ["logits", "pred_boxes"]
    )
    yield Reference(program, "RT-DETR", "rtdetr", path, 512, _asked_of(path, hf.RTDetrImageProcessor()))


def _asked_of(path: Path, processor: Any) -> Ask:
    session = onnxruntime.InferenceSession(path)

    def ask(rgb: NDArray[np.uint8]) -> Points:
        shown = processor(images=rgb, do_resize=False, do_pad=False, return_tensors="pt")
        logits, boxes = session.run(None, {"picture": shown["pixel_values"].numpy()})
        answer = SimpleNamespace(logits=torch.from_numpy(logits), pred_boxes=torch.from_numpy(boxes))
        found = processor.post_process_object_detection(
            answer, threshold=FLOOR, target_sizes=[rgb.shape[:2]]
        )[0]
        return _centres(found["boxes"], found["scores"], found["labels"], 0)

    return ask


def tiatoolbox_maps(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
    """KongNet of TIAToolbox, as MIDOG's model is built there, by its own functions before and behind it."""
    from tiatoolbox.models.architecture.kongnet import KongNet

    torch.manual_seed(9)
    distance = 21
    network = KongNet(
        num_heads=1,
        num_channels_per_head=[1],
        target_channels=[0],
        min_distance=distance,
        threshold_abs=FLOOR,
        wide_decoder=False,
        class_dict={0: "Mitotic_Figure"},
    ).eval()
    _settle(network, _normal(shown))
    with torch.no_grad():  # Untrained, it would be 1 almost everywhere: the last bit would choose the peaks.
        odds, (weight, bias) = network(_normal(shown)), network.heads.parameters()
        scale = 3 / odds.std()
        weight *= scale
        bias.copy_((bias - odds.mean()) * scale - 4)
    path = _export(network, folder / "kongnet.onnx", KONGNET_PX, ["map"])

    def ask(rgb: NDArray[np.uint8]) -> Points:
        shown = torch.from_numpy(KongNet.preproc(rgb))[None]
        peaks = network.postproc(KongNet.infer_batch(network, shown, device="cpu")[0])[..., 0]
        rows, columns = np.nonzero(peaks > FLOOR)
        # The index of a pixel there is its upper left corner here.
        return np.column_stack([columns + 0.5, rows + 0.5, peaks[rows, columns]])

    yield Reference(
        _version("tiatoolbox"),
        "KongNet_Det_MIDOG_1 (architecture)",
        "heatmap",
        path,
        KONGNET_PX,
        ask,
        classes=CLASSES[:1],
        stated={"interface": {"distance_px": distance}},
    )


def _settle(network: torch.nn.Module, planes: torch.Tensor) -> None:
    """Let batch norms see fields once, so that random weights give a map that is not the same everywhere."""
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
            part.reset_running_stats()
            part.train()
    with torch.no_grad():
        network(planes)
    network.eval()


def _normal(planes: torch.Tensor) -> torch.Tensor:
    """Return planes as networks that began with ImageNet see them."""
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (_MEAN, _STD))
    return (planes - mean) / std


def torchvision_segmentation(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
    """Segmentations of torchvision; components and their centres by scikit-image."""
    from skimage.measure import label, regionprops
    from torchvision.models import segmentation

    for name in ("fcn_resnet50", "lraspp_mobilenet_v3_large"):
        torch.manual_seed(11)
        network = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=3).eval()
        _settle(network, _normal(shown))
        path = _export(_Parts(network, ["out"]), folder / f"{name}.onnx", 512, ["map"])

        def ask(rgb: NDArray[np.uint8], network: Any = network) -> Points:
            with torch.inference_mode():
                shares = network(_normal(_planes(rgb)))["out"].softmax(1)[0].numpy()
            numbers = label(shares.argmax(0) == 1, connectivity=2)
            rows = [
                (one.centroid[1] + 0.5, one.centroid[0] + 0.5, one.mean_intensity)
                for one in regionprops(numbers, intensity_image=shares[1])
            ]
            return np.array([row for row in rows if row[2] > FLOOR]).reshape(-1, 3)

        classes = ("background", "mitotic figure", "look-alike")
        program = f"{_version('torchvision')}, {_version('scikit-image')}"
        yield Reference(program, name, "segmentation", path, 512, ask, classes=classes)


def timm_classifiers(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
    """Classifiers of timm."""
    import timm

    for name in ("resnet18", "tf_efficientnet_lite0", "vit_tiny_patch16_224"):
        torch.manual_seed(13)
        network = timm.create_model(name, pretrained=False, num_classes=2).eval()
        side = 224 if "224" in name else 96
        _settle(network, _normal(shown[..., :side, :side]))
        path = _export(network, folder / f"{name}.onnx", side, ["output"])

        def ask(rgb: NDArray[np.uint8], network: Any = network) -> Points:
            with torch.inference_mode():
                return network(_normal(_planes(rgb))).softmax(1)[0].numpy()

        yield Reference(_version("timm"), name, "classifier", path, side, ask)


PROGRAMS = (
    torchvision_detectors,
    ultralytics_heads,
    transformers_queries,
    tiatoolbox_maps,
    torchvision_segmentation,
    timm_classifiers,
)


@dataclass
class Difference:
    """How far a bundle is from a program, over all fields."""

    points: int = 0
    alone: int = 0
    place_px: float = 0.0
    score: float = 0.0

    def add(self, theirs: Points, ours: Points) -> None:
        """Match the points of a field."""
        self.points += len(theirs)
        apart = cdist(theirs[:, :2], ours[:, :2]) + 10 * np.abs(theirs[:, None, 2] - ours[None, :, 2])
        rows, columns = linear_sum_assignment(apart)
        near = np.hypot(*(theirs[rows, :2] - ours[columns, :2]).T) <= REACH_PX
        rows, columns = rows[near], columns[near]
        self.alone += len(theirs) + len(ours) - 2 * len(rows)
        if len(rows):
            place = np.hypot(*(theirs[rows, :2] - ours[columns, :2]).T).max()
            self.place_px = max(self.place_px, float(place))
            self.score = max(self.score, float(np.abs(theirs[rows, 2] - ours[columns, 2]).max()))


def compare(reference: Reference, fields: list[NDArray[np.uint8]]) -> Difference:
    """Return how far the bundle of a network is from its program."""
    stated = Statement.stating(
        layout=reference.layout,
        mpp=0.25,
        classes=reference.classes,
        licence="none",
        training=(training_source("none"),),
        citation="none",
        slots=SLOTS,
        floor=FLOOR,
        **reference.stated,
    )
    plan = plan_of(read_network(reference.onnx, where=reference.network), stated)
    session = open_network(assemble(plan), where=reference.network, threads=os.cpu_count() or 1)
    difference = Difference()
    for rgb in fields:
        top, left = ((size - reference.side) // 2 for size in rgb.shape[:2])
        shown = np.ascontiguousarray(rgb[top : top + reference.side, left : left + reference.side])
        theirs = reference.ask(shown)
        if plan.layout.kind == "scores":
            ours = score_windows(session, shown[None])[0]
            difference.points += 1
            difference.score = max(difference.score, float(np.abs(theirs - ours).max()))
            continue
        found = find_points(session, shown[None])[0].astype(np.float64)
        difference.add(theirs, found[found[:, 2] > FLOOR])
    return difference


def main() -> None:
    """Compare, and print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("fields", nargs="+", type=Path, help="pictures of H&E, 512 px a side or more")
    parser.add_argument("--only", help="a part of the name of a function; other rows stay")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    arguments = parser.parse_args()
    fields = [np.asarray(Image.open(path).convert("RGB"), dtype=np.uint8) for path in arguments.fields]
    shown = torch.cat([_planes(rgb[:256, :256]) for rgb in fields])
    rows = _rows_there() if arguments.only else {}
    for program in PROGRAMS:
        if arguments.only and arguments.only not in program.__name__:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for reference in program(Path(folder), shown):
                own = compare(reference, fields)
                px = "–" if reference.layout == "classifier" else f"{own.place_px:.2g}"
                cells = [
                    f"`{reference.layout}`", reference.program, reference.network, f"{own.points}", px,
                    f"{own.score:.2g}", f"{own.alone}", f"{date.today()}, {len(fields)}",
                ]  # fmt: skip
                rows[cells[2]] = f"| {' | '.join(cells)} |"
                print(rows[cells[2]], flush=True)
                reference.onnx.unlink()
    if arguments.write:
        head = f"| {' | '.join(HEAD)} |"
        write_page(
            PAGE, __doc__, [stamp(), "", head, "|---" * len(HEAD) + "|", *rows.values(), NOTES.rstrip()]
        )


def _rows_there() -> dict[str, str]:
    """Return the rows of the page as it is, by their networks: a part that is run replaces its own."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return {line.split(" | ")[2]: line for line in lines if line.startswith("| `")}


if __name__ == "__main__":
    main()
