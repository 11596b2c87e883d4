"""How face-like the faces of the set ``face`` are to a landmark network that never saw them.

The network looks at a square about the face; its 68 points are compared with the true ones: mean distance over the
distance between the outer corners of the eyes (NME), for all points and for each part of the face.

No network is shipped: bring the 68-point network of face-api.js as safetensors (``dense{0..3}.conv{0..3}``, ``fc``).

    python benchmarks/face_landmarks.py --network N --clips 5 --record data/records/face_landmarks.json

About a minute on one core, nearly all of it to render the clips.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from repro.data.sets import load
from repro.data.studio.seeds import GENERATOR_VERSION

SIZE = 256
EVERY = 8  # frames between those that are looked at
BOX = 1.1  # side of the square in extents of the landmarks; 1.0 and 1.3 change the mean by less than 0.003
ABOVE = 0.05  # sides by which the square reaches higher: detectors box the forehead too
INPUT = 112
MEAN = (122.782, 117.001, 104.298)
PARTS = {"outline": (0, 17), "brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "mouth": (48, 68)}


def main() -> None:
    if len(sys.argv) == 1:  # `make bench` runs every script as it is
        print("nothing measured: this needs a network that is not shipped, --help says which")
        return
    parser = argparse.ArgumentParser(description="Measure how face-like the studio's faces are to a landmark network.")
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=10, help="test clips to look at, 10 at most")
    parser.add_argument("--record", type=Path, help="file for the result; default: print only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network, faces = Network(arguments.network), load("face", "test", size=SIZE, scale="default")
    errors, clips = [], min(arguments.clips, len(faces))
    for index in range(clips):
        clip = faces[index]
        for frame in range(0, len(clip), EVERY):
            true = clip.landmarks[frame].flip(1).float()
            found = network.look(clip.frames[frame], true)
            errors.append(((found - true).norm(dim=1) / (true[36] - true[45]).norm()).numpy())
    error = np.stack(errors)
    record = {
        "schema": 1,
        "what": "landmarks of the face test clips as another network finds them; NME by the outer corners of the eyes",
        "command": f"python benchmarks/face_landmarks.py --network … --clips {clips}",
        "dataset": "face", "split": "test", "scale": "default", "size": SIZE, "clips": clips, "n": len(error),
        "dataset_hash": faces.hash, "generator_version": GENERATOR_VERSION,
        "network": hashlib.sha256(arguments.network.read_bytes()).hexdigest(),
        "nme": round(float(error.mean()), 4),
        "nme_median": round(float(np.median(error.mean(1))), 4),
        "share_of_frames_below_0.1": round(float((error.mean(1) < 0.1).mean()), 4),
        "parts": {part: round(float(error[:, slice(*span)].mean()), 4) for part, span in PARTS.items()},
    }  # fmt: skip
    text = json.dumps(record, indent=1, ensure_ascii=False)
    print(text)
    if arguments.record:
        arguments.record.write_text(text + "\n", "utf-8")


class Network:
    """The landmark network: four dense blocks of separable convolutions, each halving the map, then one matrix."""

    def __init__(self, file: Path) -> None:
        self.weights = {name: tensor.float() for name, tensor in load_file(file).items()}

    def look(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """Return the points (68, 2), x and y in pixels, that are found in the square about the landmarks (68, 2)."""
        low, high = landmarks.amin(0), landmarks.amax(0)
        side = float((high - low).max()) * BOX
        corner = (low + high - side) / 2 - torch.tensor([0.0, ABOVE * side])
        ticks = (torch.arange(INPUT) + 0.5) / INPUT * side
        size = torch.tensor([image.shape[2], image.shape[1]])
        x, y = (2 * (corner[axis] + ticks + 0.5) / size[axis] - 1 for axis in (0, 1))
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
        crop = F.grid_sample(image[None], grid, padding_mode="border", align_corners=False)
        return self(crop)[0] * side + corner

    def __call__(self, crops: Tensor) -> Tensor:
        """Return (B, 68, 2) in parts of the crop for crops (B, 3, 112, 112) in [0, 1]."""
        x = crops - torch.tensor(MEAN)[:, None, None] / 255
        for block in range(4):
            x = self._block(x, f"dense{block}")
        pooled = F.avg_pool2d(x, 7).flatten(1)
        return F.linear(pooled, self.weights["fc.weights"], self.weights["fc.bias"]).view(-1, 68, 2)

    def _block(self, x: Tensor, name: str) -> Tensor:
        first = self._convolve(x, f"{name}.conv0", 2)
        total = outputs = F.relu(first)
        for layer in (1, 2, 3):
            outputs = self._convolve(F.relu(total) if layer > 1 else outputs, f"{name}.conv{layer}", 1)
            total = total + outputs
        return F.relu(total)

    def _convolve(self, x: Tensor, name: str, stride: int) -> Tensor:
        # TensorFlow's "same" padding: with stride 2 and an even side, one row and column at the end.
        x = F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        bias = self.weights[f"{name}.bias"]
        if f"{name}.filters" in self.weights:
            return F.conv2d(x, self.weights[f"{name}.filters"], bias, stride=stride)
        depthwise = self.weights[f"{name}.depthwise_filter"]
        x = F.conv2d(x, depthwise, stride=stride, groups=len(depthwise))
        return F.conv2d(x, self.weights[f"{name}.pointwise_filter"], bias)


if __name__ == "__main__":
    main()
