"""Backgrounds of clips: one picture per clip, in perspective, darker under the feet."""

import numpy as np
import pytest
import torch

from repro.data.studio.camera import Camera
from repro.data.studio.rooms import indoor_room, white_studio

CAMERA = Camera(yaw=0.1, pitch=0.03, distance=4.5, look_at=(0.0, 0.9, 0.0), focal=1.9)
SIZE = (48, 40)
NOWHERE = np.zeros((0, 3))


def room(kind, seed, size=SIZE, camera=CAMERA):
    return kind(np.random.default_rng(seed), camera, size)


@pytest.mark.parametrize("kind", [white_studio, indoor_room])
def test_a_room_is_one_picture_for_the_whole_clip(kind):
    first, again = room(kind, 3), room(kind, 3)
    assert torch.equal(first.picture, again.picture)
    assert first.paint(CAMERA, NOWHERE, SIZE).shape == (3, *SIZE)
    # A foot darkens the floor around it, and nothing above.
    feet = np.array([[0.0, 0.09, 0.0]])
    lost = first.paint(CAMERA, NOWHERE, SIZE) - first.paint(CAMERA, feet, SIZE)
    at = np.floor(CAMERA.project(np.array([0.0, 0.0, 0.0]), SIZE)).astype(int)
    assert lost[:, at[1], at[0]].min() > 0.05
    assert lost[:, : SIZE[0] // 2].abs().max() == 0


def test_the_white_studio_is_white_and_shaded_towards_the_viewer():
    for seed in range(8):
        picture = room(white_studio, seed).picture.mean((0, 2))
        assert picture[: SIZE[0] // 2].min() > 0.87
        assert bool((picture.diff() <= 1e-6).all())
        assert 0.02 < picture[0] - picture[-1] < 0.16


def test_rooms_differ_and_are_furnished():
    pictures = torch.stack([room(indoor_room, seed).picture for seed in range(8)])
    assert (pictures.flatten(1).mean(1) > 0.3).all()
    assert (pictures.flatten(2).std(-1).mean(1) > 0.05).all()
    distances = (pictures[:, None] - pictures[None]).abs().mean((2, 3, 4))
    assert distances[~torch.eye(8, dtype=torch.bool)].min() > 0.02


def test_a_room_is_the_same_at_any_size():
    """A small picture is the average of a large one: nothing is drawn at random per pixel."""
    large, small = room(indoor_room, 5, (96, 80)).picture, room(indoor_room, 5).picture
    averaged = torch.nn.functional.avg_pool2d(large[None], 2)[0]
    assert (averaged - small).abs().mean() < 0.004
