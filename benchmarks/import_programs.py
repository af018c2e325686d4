"""Programs whose networks `benchmarks/import_layouts.py` compares with their bundles.

Each function writes networks as its program exports them, and asks the program for their points. Weights are
random; batch norms see real fields first and scores are spread, since those of untrained heads are all alike:
then the last bit of a sum chooses among them, and nothing is compared.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

CLASSES = ("mitotic figure", "look-alike")
FLOOR = 0.05
SLOTS = 3000
_CHOSEN = 300
"""Rows that the heads of YOLO v10 and 26 choose, unless they are told otherwise."""
_KONGNET_PX = 512
_DISTANCE_PX = 21
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
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
    is_searched : bool
        Compare also what `mitoscope.detect` finds on a field, window after window.
    """

    program: str
    network: str
    layout: str
    onnx: Path
    side: int
    ask: Ask
    classes: tuple[str, ...] = CLASSES
    stated: dict[str, Any] = field(default_factory=dict)
    is_searched: bool = False


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


def torchvision_detectors(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
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
        _settle(lambda network=network: network(list(shown)), network)
        _spread(lambda network=network: network(list(shown)), network)
        names = ["boxes", "scores", "labels"]
        path = _export(_Parts(network, names, lists=True), folder / f"{name}.onnx", 512, names, free=False)

        def ask(rgb: NDArray[np.uint8], network: Any = network) -> Points:
            answer = network([_planes(rgb)[0]])[0]
            return _centres(answer["boxes"], answer["scores"], answer["labels"], 1)

        yield Reference(_version("torchvision"), name, "torchvision", path, 512, ask)


def _spread(look: Callable[[], Any], network: torch.nn.Module) -> None:
    """Spread the scores of an untrained head: its last layer is made steeper, its prior taken away."""
    for name, part in network.named_modules():
        if name.endswith(("cls_logits", "cls_score")) or ".classification_head.module_list" in name:
            for own in part.modules():
                if isinstance(own, torch.nn.Linear | torch.nn.Conv2d) and own.bias is not None:
                    torch.nn.init.normal_(own.bias, std=0.5)
                    torch.nn.init.normal_(own.weight, std=0.1)
                if isinstance(own, torch.nn.Linear):  # of regions: let none of the classes be that of all
                    _level(look, own)


def _level(look: Callable[[], Any], part: torch.nn.Linear) -> None:
    seen: list[torch.Tensor] = []
    hook = part.register_forward_hook(lambda _part, _given, out: seen.append(out))
    with torch.no_grad():
        look()
        hook.remove()
        scale = 1 / seen[0].std(0)
        part.weight *= scale[:, None]
        part.bias.copy_((part.bias - seen[0].mean(0)) * scale)


_BUILT_IN = {"nms": True, "conf": FLOOR, "iou": 0.7, "max_det": SLOTS}
YOLO_RUNS = (
    ("yolov5nu", "yolov5n.yaml", "yolo8", {}, 512),
    ("yolov8n", "yolov8n.yaml", "yolo8", {}, 512),
    ("yolov8n, nms=True", "yolov8n.yaml", "yolo8", _BUILT_IN, 512),
    ("yolov8n, half=True", "yolov8n.yaml", "yolo8", {"half": True}, 512),
    ("yolov9t", "yolov9t.yaml", "yolo9", {}, 512),
    ("yolov10n", "yolov10n.yaml", "yolo10", {}, 512),
    ("yolov10n, nms=False", "yolov10n.yaml", "yolo10", {"nms": False}, 512),
    ("yolo11n", "yolo11n.yaml", "yolo11", {}, 512),
    ("yolo11n, dynamic=True", "yolo11n.yaml", "yolo11", {"dynamic": True}, 512),
    ("yolo11n, windows of 512 px at imgsz=640", "yolo11n.yaml", "yolo11", {}, 640),
    ("yolo12n", "yolo12n.yaml", "yolo12", {}, 512),
    ("yolo26n", "yolo26n.yaml", "yolo26", {}, 512),
    ("yolo26n, nms=False", "yolo26n.yaml", "yolo26", {"nms": False}, 512),
    ("rtdetr-l", "rtdetr-l.yaml", "rtdetr", {}, 512),
)
"""Name, configuration, layout, options of the export and side."""


def ultralytics_heads(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
    """YOLO and RT-DETR of Ultralytics, asked by `predict`."""
    from ultralytics import RTDETR, YOLO
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils import YAML

    program = _version("ultralytics")
    for name, config, layout, options, imgsz in YOLO_RUNS:
        torch.manual_seed(5)
        YAML.save(folder / config, yaml_model_load(config) | {"nc": 2})
        own = (RTDETR if layout == "rtdetr" else YOLO)(folder / config)
        _spread_yolo(own.model, shown)
        with contextlib.chdir(folder):
            made = Path(own.export(format="onnx", imgsz=imgsz, simplify=False, verbose=False, **options))
            path = folder / made.name
        if layout in ("yolo10", "yolo26"):  # of two heads the export has one: the program reads its export
            own = YOLO(shutil.copy(path, folder / f"own-{path.name}"), task="detect")

        def ask(
            rgb: NDArray[np.uint8],
            asked: Any = own,
            imgsz: int = imgsz,
            name: str = name,
        ) -> Points:
            answer = asked.predict(
                np.ascontiguousarray(rgb[..., ::-1]),
                imgsz=imgsz,
                conf=FLOOR,
                iou=0.7,
                # Where the head itself chooses, its export does so among as many.
                max_det=_CHOSEN if "nms=False" in name else SLOTS,
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
    # Sides of boxes without a distribution (YOLO26) may be negative, untrained: each program has its own idea
    # of such boxes.
    sides = [
        part
        for name, part in model.model[-1].named_modules()
        if isinstance(part, torch.nn.Conv2d) and "cv2" in name and name.endswith(".2") and len(part.bias) == 4
    ]
    with torch.no_grad():
        if not is_queries:
            _settle(lambda: model.eval()(shown), model)
        for part in heads:
            part.weight *= 2
            part.bias.zero_()
        seen: dict[int, torch.Tensor] = {}
        hooks = [
            part.register_forward_hook(lambda one, _given, out: seen.__setitem__(id(one), out))
            for part in (*heads, *sides)
        ]
        model.eval()(shown)
        for hook in hooks:
            hook.remove()
        for part in heads:
            if id(part) in seen:
                axis = 1 if isinstance(part, torch.nn.Conv2d) else -1
                rows = seen[id(part)].movedim(axis, -1).reshape(-1, len(part.bias))
                share = 0.5 if is_queries else 0.998
                part.bias -= torch.quantile(rows[:50000], share, dim=0)
        for part in sides:
            part.bias += 1 - seen[id(part)].amin((0, 2, 3))


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


def tiatoolbox_peaks(folder: Path, _: torch.Tensor) -> Iterator[Reference]:
    """KongNet's own functions behind a map that is how dark a place is: bytes, of which many are equal."""
    for distance in (3, 11, _DISTANCE_PX):
        path = _export(_Darkness(), folder / f"darkness-{distance}.onnx", 512, ["map"])
        yield Reference(
            _version("tiatoolbox"),
            f"KongNet.postproc on the darkness of a field, distance {distance}",
            "heatmap",
            path,
            512,
            _peaks_of(_Darkness(), distance),
            classes=CLASSES[:1],
            stated={"interface": {"distance_px": distance}},
        )


class _Darkness(torch.nn.Module):
    """Log-odds that are higher where a place is darker."""

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        return -2.0 * planes[:, :1] - 2.0


def tiatoolbox_network(folder: Path, shown: torch.Tensor) -> Iterator[Reference]:
    """KongNet of TIAToolbox, as MIDOG's model is built there, by its own functions before and behind it."""
    from tiatoolbox.models.architecture.kongnet import KongNet

    torch.manual_seed(9)
    network = KongNet(
        num_heads=1,
        num_channels_per_head=[1],
        target_channels=[0],
        min_distance=_DISTANCE_PX,
        threshold_abs=FLOOR,
        wide_decoder=False,
        class_dict={0: "Mitotic_Figure"},
    ).eval()
    _settle(lambda: network(_normal(shown)), network)
    with (
        torch.no_grad()
    ):  # the map shall be neither 0 nor 1 nearly everywhere: rounding would choose its peaks
        odds, (weight, bias) = network(_normal(shown)), network.heads.parameters()
        middle, high = torch.quantile(odds.flatten()[::7], torch.tensor([0.5, 0.99]))
        scale = 4 / (high - middle)
        weight *= scale
        bias.copy_((bias - high) * scale)
    path = _export(network, folder / "kongnet.onnx", _KONGNET_PX, ["map"])
    yield Reference(
        _version("tiatoolbox"),
        "KongNet_Det_MIDOG_1 (architecture)",
        "heatmap",
        path,
        _KONGNET_PX,
        _peaks_of(network, _DISTANCE_PX),
        classes=CLASSES[:1],
        stated={"interface": {"distance_px": _DISTANCE_PX}},
        is_searched=True,
    )


def _peaks_of(network: torch.nn.Module, distance: int) -> Ask:
    """Return what asks KongNet's functions for the peaks of the map of a network."""
    from tiatoolbox.models.architecture.kongnet import KongNet

    network.target_channels = [0]  # of a KongNet its own
    rule = SimpleNamespace(min_distance=distance, threshold_abs=FLOOR)

    def ask(rgb: NDArray[np.uint8]) -> Points:
        shown = torch.from_numpy(KongNet.preproc(rgb))[None]
        peaks = KongNet.postproc(rule, KongNet.infer_batch(network, shown, device="cpu")[0])[..., 0]
        rows, columns = np.nonzero(peaks > FLOOR)
        # The index of a pixel there is its upper left corner here.
        return np.column_stack([columns + 0.5, rows + 0.5, peaks[rows, columns]])

    return ask


def _settle(look: Callable[[], Any], network: torch.nn.Module) -> None:
    """Let batch norms see fields once, so that random weights give an answer that is not the same everywhere.

    A channel that hardly varies in the fields is not blown up: elsewhere it may vary.
    """

    def see(part: torch.nn.BatchNorm2d, given: tuple[torch.Tensor]) -> None:
        values = given[0].movedim(1, 0).flatten(1)
        variance = values.var(1, unbiased=False)
        part.running_mean.copy_(values.mean(1))
        # Less what is added to it: of small weights the variance may be far below that.
        part.running_var.copy_(variance.clamp(min=0.1 * float(variance.mean())) - part.eps)

    norms = [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    hooks = [part.register_forward_pre_hook(see) for part in norms]
    with torch.no_grad():
        look()
    for hook in hooks:
        hook.remove()


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
        _settle(lambda network=network: network(_normal(shown)), network)
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
        crops = _normal(shown[..., :side, :side])
        _settle(lambda network=network, crops=crops: network(crops), network)
        path = _export(network, folder / f"{name}.onnx", side, ["output"])

        def ask(rgb: NDArray[np.uint8], network: Any = network) -> Points:
            with torch.inference_mode():
                return network(_normal(_planes(rgb))).softmax(1)[0].numpy()

        yield Reference(_version("timm"), name, "classifier", path, side, ask)


PROGRAMS = (
    torchvision_detectors,
    ultralytics_heads,
    transformers_queries,
    tiatoolbox_peaks,
    tiatoolbox_network,
    torchvision_segmentation,
    timm_classifiers,
)
