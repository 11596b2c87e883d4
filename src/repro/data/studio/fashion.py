"""The procedural set ``fashion``: clothed people in front of a plain wall, imitating DeepFashion."""

import ast
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from repro import paths
from repro.checks import require_choice
from repro.data.joints import MISSING, SIGMA
from repro.data.pair import Pair
from repro.data.progress import progress_bar
from repro.data.studio import camera as photographer
from repro.data.studio import wardrobe as clothes
from repro.data.studio.backdrop import Backdrop
from repro.data.studio.cache import Arrays, Cache
from repro.data.studio.camera import Camera, fashion_camera
from repro.data.studio.correspondence import SourceBuffer, correspondence, source_buffer
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh
from repro.data.studio.pose import random_pose
from repro.data.studio.render import SUPERSAMPLING, View, render
from repro.data.studio.seeds import GENERATOR_VERSION
from repro.data.studio.shading import Light, random_light
from repro.data.studio.shot import Shot
from repro.data.studio.skeleton import Pose
from repro.data.studio.wardrobe import TEXTURED, Wardrobe

SCALES = {
    "tiny": {"train": 6, "test": 6, "views": 4},
    "default": {"train": 400, "test": 100, "views": 6},
    "full": {"train": 8000, "test": 1000, "views": 6},
}
"""People per split and views of each."""
FIRST_NUMBER = {"train": 0, "test": 100_000}
"""``identity`` counts people from here: no number belongs to a person of both splits."""
FACE_JOINTS = (0, 14, 15, 16, 17)
"""Nose, eyes, ears: a detector finds them only where they are seen; limbs it also guesses behind the body."""


class FashionSet:
    """All ordered pairs of different views of each person; ``dataset[i]`` is a :class:`~repro.data.pair.Pair`.

    A person is rendered when first asked for and kept in the cache; ``prepare`` renders everybody. Views are numbered
    person by person. Missing joints: outside the image, or of the face and hidden.

    Attributes:
        name, split, size, scale, sigma: as asked for.
        identity: (N,) int64, number of the person of each view; train and test share none.
        pairs: (N * (views - 1), 2) int64, source and target view.
        hash: SHA-256 of name, split, size, scale, settings and generator version: equal hashes mean equal data.
    """

    name = "fashion"

    def __init__(self, split: str, size: tuple[int, int], scale: str = "default", sigma: float = SIGMA):
        require_choice("split", split, ("train", "test"))
        counts = SCALES[require_choice("scale", scale, tuple(SCALES))]
        self.split, self.size, self.scale, self.sigma = split, size, scale, sigma
        self.people, self.views = counts[split], counts["views"]
        person = torch.arange(self.people)
        self.identity = (person + FIRST_NUMBER[split]).repeat_interleave(self.views)
        of_one = torch.tensor(list(permutations(range(self.views), 2)))
        self.pairs = (person[:, None, None] * self.views + of_one).reshape(-1, 2)
        self.hash = "sha256:" + hashlib.sha256(json.dumps(self._description()).encode()).hexdigest()
        self._start()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:
        if not -len(self) <= index < len(self):
            raise IndexError(f"fashion {self.split} ({self.scale}) has {len(self)} pairs, got index {index}")
        return self.pair(*self.pairs[index].tolist())

    def pair(self, source: int, target: int) -> Pair:
        """Return the pair of two views of one person."""
        person, other = source // self.views, target // self.views
        if person != other:
            raise ValueError(f"expected two views of one person, got views of persons {person} and {other}")
        arrays = self._cache.person(person)
        s, t = source % self.views, target % self.views
        return Pair(
            source=_image(arrays["images"][s]),
            target=_image(arrays["images"][t]),
            source_joints=torch.tensor(arrays["joints"][s]),
            target_joints=torch.tensor(arrays["joints"][t]),
            identity=int(self.identity[source]),
            sigma=self.sigma,
            truth=StudioTruth(self, source, target),
        )

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, 3, H, W) uint8, memory-mapped; renders everybody at the first use."""
        return self._all("images")

    @property
    def parts(self) -> NDArray[np.int8]:
        """(N, H, W) int8 index into ``mesh.PARTS``, -1 background, memory-mapped."""
        return self._all("parts")

    @property
    def joints(self) -> Tensor:
        """(N, 18, 2) float64 (row, column), -1 missing."""
        return torch.tensor(self._all("joints"))

    @property
    def texture(self) -> Tensor:
        """(N, 5) int64: texture family (index into ``wardrobe.TEXTURES``) of each garment of ``TEXTURED``, -1 none."""
        return torch.tensor(self._all("texture")).long()

    @property
    def held_out(self) -> Tensor:
        """(N,) bool: the person wears a texture family that no training person wears."""
        return torch.tensor(self._all("held_out"))

    def person(self, view: int) -> Identity:
        """Return who is seen in a view."""
        return Identity(self.name, self.split, view // self.views)

    def shot(self, view: int) -> Shot:
        """Return the geometry of a view: mesh, pose, camera."""
        return self._shot(view)

    def render(self, views: list[int]) -> list[View]:
        """Render views of one person anew, with everything that is not kept in the cache (albedo, depth, alpha)."""
        person = self.person(views[0])
        return _render(person, [self.shot(view) for view in views], [view % self.views for view in views], self.size)

    def prepare(self, workers: int = 2) -> None:
        """Render everybody who is not in the cache yet, with progress; interrupted, what is done stays.

        Raises:
            RuntimeError: a worker process failed; its last words are in the message.
        """
        missing = self._cache.missing()
        if missing:
            label = f"rendering fashion {self.split} {self.size[0]}x{self.size[1]}"
            with progress_bar(label, self.people, "person", done=self.people - len(missing)) as bar:
                if workers > 1 and len(missing) > 4 * workers:
                    self._render_apart(workers, bar)
                else:
                    for person in missing:
                        self._cache.make(person)
                        bar.update()
        self._cache.whole()

    def _render_apart(self, workers: int, bar: tqdm) -> None:
        """Let processes of their own render every n-th person; plain commands, so that no caller's script is rerun."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        with tempfile.TemporaryFile() as words:
            running = []
            try:
                for share in range(workers):
                    job = json.dumps([self.split, self.size, self.scale, share, workers, _source_digest()])
                    command = [sys.executable, "-c", f"from {__name__} import work; work()", job]
                    running.append(subprocess.Popen(command, env=environment, stderr=words))
                while any(process.poll() is None for process in running):
                    time.sleep(0.2)
                    done = self.people - len(self._cache.missing())
                    if done > bar.n:
                        bar.update(done - bar.n)
                    if any(process.poll() for process in running):
                        break
            finally:
                for process in running:
                    process.terminate()
                    process.wait()
            if any(process.returncode for process in running):
                words.seek(0)
                raise RuntimeError(f"rendering failed:\n{words.read().decode(errors='replace')[-2000:]}")
        bar.update(self.people - bar.n)

    def _all(self, name: str) -> NDArray:
        if self._cache.missing():
            self.prepare()
        array = self._cache.whole()[name]
        return array.reshape(-1, *array.shape[2:])

    def _description(self) -> dict:
        settings = {
            "detail": _detail(self.size),
            "supersampling": SUPERSAMPLING,
            "upper_body_share": photographer.UPPER_BODY_SHARE,
            "back_share": photographer.BACK_SHARE,
            "held_out": [clothes.HELD_OUT, clothes.HELD_OUT_SHARE],
            "face_joints": FACE_JOINTS,
            "people": [self.people, self.views],
        }
        return {
            "name": self.name,
            "split": self.split,
            "size": self.size,
            "scale": self.scale,
            "generator": GENERATOR_VERSION,
            "settings": settings,
        }

    def _start(self) -> None:
        height, width = self.size
        key = f"v{GENERATOR_VERSION}-{self.hash[7:15]}-{_source_digest()[:8]}"
        folder = f"{self.name}-{self.split}-{height}x{width}-{self.scale}-{key}"
        self._cache = Cache(paths.cache() / "studio" / folder, self.people, self._draw)
        self._shot = lru_cache(64)(self._take)
        self._buffer = lru_cache(64)(self._look)

    def _draw(self, person: int) -> Arrays:
        """Return what the cache keeps of one person, drawn on one thread: several fight over such small tensors."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self._drawn(Identity(self.name, self.split, person))
        finally:
            torch.set_num_threads(threads)

    def _drawn(self, identity: Identity) -> Arrays:
        mesh = _mesh(identity, _detail(self.size))
        poses = [random_pose(mesh, identity.rng("pose", view)) for view in range(self.views)]
        stature = identity.body.height
        cameras = [fashion_camera(identity.rng("camera", view), stature) for view in range(self.views)]
        shots = [Shot.take(mesh, pose, camera, self.size) for pose, camera in zip(poses, cameras)]
        views = _render(identity, shots, list(range(self.views)), self.size)
        dressed = _wardrobe(identity)
        labels = [dressed.texture_labels[garment] for garment in TEXTURED]
        return {
            "images": np.stack([_bytes(view.image) for view in views]),
            "parts": np.stack([view.part.numpy() for view in views]).astype(np.int8),
            "joints": np.stack([_joints(view) for view in views]),
            "rotations": np.stack([pose.rotations for pose in poses]),
            "roots": np.stack([pose.root for pose in poses]),
            "cameras": np.stack([_camera_numbers(camera) for camera in cameras]),
            "texture": np.tile(np.array(labels, np.int8), (self.views, 1)),
            "held_out": np.full(self.views, dressed.wears_held_out),
        }

    def _take(self, view: int) -> Shot:
        arrays, number = self._cache.person(view // self.views), view % self.views
        pose = Pose(np.array(arrays["rotations"][number]), np.array(arrays["roots"][number]))
        camera = _camera(arrays["cameras"][number])
        return Shot.take(_mesh(self.person(view), _detail(self.size)), pose, camera, self.size)

    def _look(self, view: int) -> SourceBuffer:
        return source_buffer(self.shot(view))

    def __getstate__(self) -> dict:
        return {"split": self.split, "size": self.size, "scale": self.scale, "sigma": self.sigma}

    def __setstate__(self, state: dict) -> None:
        self.__init__(**state)  # type: ignore[misc]


class StudioTruth:
    """The exact flow, albedo and parts of one pair, computed from mesh, poses and cameras when asked for."""

    def __init__(self, dataset: FashionSet, source: int, target: int):
        self.dataset, self.source, self.target = dataset, source, target

    def correspondence(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return flow (2, h, w), visible and person (h, w); see :func:`repro.data.studio.correspondence`."""
        target = self.dataset.shot(self.target)
        return correspondence(self.dataset._buffer(self.source), target, height, width)

    def albedo(self) -> tuple[Tensor, Tensor]:
        """Return both pictures without light and shadow, (3, H, W); rendered anew."""
        source, target = self.dataset.render([self.source, self.target])
        return source.albedo, target.albedo

    def parts(self) -> tuple[Tensor, Tensor]:
        """Return the part ids of both pictures, (H, W) int8."""
        dataset = self.dataset
        parts = dataset._cache.person(self.source // dataset.views)["parts"]
        source, target = (torch.tensor(parts[view % dataset.views]) for view in (self.source, self.target))
        return source, target


def work() -> None:
    """Render one worker's share of a set: what :meth:`FashionSet.prepare` starts in processes of their own."""
    split, size, scale, share, workers, source = json.loads(sys.argv[1])
    if source != _source_digest():
        raise RuntimeError("the studio's code changed while people were rendered: start again")
    dataset = FashionSet(split, tuple(size), scale)
    for person in range(share, dataset.people, workers):
        if person in set(dataset._cache.missing()):
            dataset._cache.make(person)


@lru_cache(1)
def _source_digest() -> str:
    """Return a digest of the studio's code (not of its layout): the cache never shows other code's people."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256("".join(ast.dump(ast.parse(file.read_text("utf-8"))) for file in files).encode()).hexdigest()


def _detail(size: tuple[int, int]) -> str:
    return "low" if max(size) <= 64 else "full"


@lru_cache(16)
def _mesh(identity: Identity, detail: str) -> Mesh:
    return build_person(identity, detail)


@lru_cache(4)
def _wardrobe(identity: Identity) -> Wardrobe:
    return Wardrobe.for_identity(identity)


def _render(identity: Identity, shots: list[Shot], numbers: list[int], size: tuple[int, int]) -> list[View]:
    lights: list[Light] = [
        random_light(identity.rng("light", number), shot.camera) for number, shot in zip(numbers, shots)
    ]
    walls = [Backdrop.random(identity.rng("backdrop", number)) for number in numbers]
    poses, cameras = [shot.pose for shot in shots], [shot.camera for shot in shots]
    return render(shots[0].mesh, _wardrobe(identity), poses, cameras, size, light=lights, background=walls)


def _joints(view: View) -> NDArray[np.float64]:
    joints = view.joints2d.numpy().copy()
    hidden = [joint for joint in FACE_JOINTS if not view.visible[joint]]
    joints[hidden] = MISSING
    return joints


def _bytes(image: Tensor) -> NDArray[np.uint8]:
    return (image * 255).round().to(torch.uint8).numpy()


def _image(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(pixels)).float() / 255


def _camera_numbers(camera: Camera) -> NDArray[np.float64]:
    return np.array([camera.yaw, camera.pitch, camera.roll, camera.distance, *camera.look_at, camera.focal])


def _camera(numbers: NDArray[np.float64]) -> Camera:
    yaw, pitch, roll, distance, x, y, z, focal = (float(number) for number in numbers)
    return Camera(yaw, pitch, roll, distance, (x, y, z), focal)
