"""A re-identification network from its weights and the list of its operations."""

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor


class Reid:
    """A re-identification network: picture (1, 3, 256, 128) in [0, 1] -> code (1, C)."""

    def __init__(self, network: Path, graph: Path) -> None:
        self.weights = {name: value.float() for name, value in load_file(network).items()}
        self.graph = json.loads(graph.read_text())

    @torch.no_grad()
    def __call__(self, picture: Tensor) -> Tensor:
        mean, spread = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        values: dict[str, Any] = {**self.weights, self.graph["input"]: (picture - mean) / spread}
        for op in self.graph["ops"]:
            values[op["out"][0]] = self._apply(op["op"], op["attr"], *(values.get(name) for name in op["in"]))
        return values[self.graph["output"]]

    @staticmethod
    def _apply(op: str, attr: dict, *x: Any) -> Any:
        match op:
            case "Conv":
                pad = attr["pads"][:2]
                return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, attr["strides"], pad, 1, attr["group"])
            case "MaxPool":
                return F.max_pool2d(x[0], attr["kernel_shape"], attr["strides"], attr["pads"][:2])
            case "AveragePool":
                return F.avg_pool2d(x[0], attr["kernel_shape"], attr["strides"], attr["pads"][:2])
            case "GlobalAveragePool":
                return x[0].mean((2, 3), keepdim=True)
            case "Relu":
                return F.relu(x[0])
            case "Sigmoid":
                return torch.sigmoid(x[0])
            case "Mul" | "Add" as name:
                return x[0] * x[1] if name == "Mul" else x[0] + x[1]
            case "Gemm":
                return F.linear(x[0], x[1], x[2])
            case "BatchNormalization":
                return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=attr["epsilon"])
            case "Reshape":  # the only reshape of the graph flattens; what computes its shape is skipped
                return x[0].flatten(1)
            case "Shape" | "Constant" | "Gather" | "Unsqueeze" | "Concat":
                return None
        raise ValueError(f"unknown operation {op!r} in the re-identification graph")
