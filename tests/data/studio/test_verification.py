"""The same checks for every set of the studio: threads, batches, feature sizes, devices and time change nothing.

What each set shows is tested in its own file.
"""

import hashlib
import json
import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from repro.data import load
from repro.data.sets import PROCEDURAL
from repro.data.studio.correspondence import correspondences, source_buffers
from repro.data.studio.object_render import photograph
from repro.data.studio.objects import light_of
from repro.data.studio.people_set import person_mesh, person_wardrobe
from repro.data.studio.render import render
from repro.data.studio.seeds import GENERATOR_VERSION
from repro.data.studio.shot import shoot

VIEWS, CLIPS = ["fashion", "market", "car", "chair"], ["fashion_video", "iper", "face"]
PICTURE = ("image", "albedo", "alpha", "part", "depth", "joints2d", "joints3d", "visible")
STRIDES = (2, 4, 8)
GOLDEN = Path(__file__).with_name("golden_bits.json")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
    for kept in (dataset_of, film_of, pairs_of):
        kept.cache_clear()


@cache
def dataset_of(name):
    return load(name, "train", None if name == "h36m" else 64, "tiny")


@cache
def film_of(name):
    return dataset_of(name).film(0)


@contextmanager
def threads(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def pairs_of(name):
    """Shots of six sources and six targets: of a person, of a thing, of a clip's frames."""
    if name in CLIPS:
        shots = film_of(name).shots
        return [shots[k] for k in (0, 3, 9, 20, 30, 40)], [shots[k] for k in (5, 2, 30, 21, 50, 60)]
    taken = [dataset_of(name).take(view) for view in range(4)]
    return [taken[k] for k in (0, 1, 2, 3, 0, 1)], [taken[k] for k in (1, 0, 3, 2, 2, 3)]


def look(name, numbers):
    """Views of a person or thing, or frames of a clip, rendered together."""
    dataset = dataset_of(name)
    return dataset.render(0, numbers) if name in CLIPS else dataset.render(numbers)


def assert_same(one, other, names):
    for name in names:
        assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("name", list(PROCEDURAL))
def test_everything_that_is_kept_is_the_same_on_one_and_four_threads(name):
    """Pictures, parts, masks, joints, noise, landmarks, poses, cameras, labels: all arrays of the cache."""
    dataset = dataset_of(name)
    kept = dataset.arrays(0)
    with threads(4):
        drawn = dataset.draw(0)
    assert set(drawn) == set(kept)
    for array, values in drawn.items():
        np.testing.assert_array_equal(values, kept[array], err_msg=array)


@pytest.mark.parametrize("name", VIEWS + CLIPS)
def test_flow_and_visibility_are_the_same_on_one_and_four_threads_alone_and_together(name):
    sources, targets = pairs_of(name)
    together = correspondences(source_buffers(sources), targets, 64, 64)
    with threads(4):
        again = correspondences(source_buffers(sources), targets, 64, 64)
        alone = [correspondences(source_buffers([sources[k]]), [targets[k]], 64, 64) for k in (1, 4)]
    for part, value in enumerate(together):
        assert torch.equal(value, again[part])
        assert torch.equal(value[[1, 4]], torch.cat([one[part] for one in alone]))
    assert 200 < together[1].sum() < together[1].numel()


@pytest.mark.parametrize("name", VIEWS + CLIPS)
def test_pictures_alone_and_together_are_the_same(name):
    """Batches of one and of eight (of four, where a person has no more views)."""
    numbers = list(range(4 if name in ("fashion", "market") else 8))
    together = look(name, numbers)
    with threads(4):
        for number in (1, 3):
            assert_same(look(name, [number])[0], together[number], PICTURE)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("name", VIEWS + CLIPS)
def test_flow_at_every_feature_size_is_that_of_the_cells_centres(name, stride):
    """In a map five times as fine, cell centres are pixel centres: the same point, flow and visibility; no averages.

    Corners of faces lie on a grid of 1/256 pixel of their own map. So the two maps may differ by that, times how much
    the mapping stretches there; by more only where a face is seen edge-on and the stretch changes within a pixel. A
    silhouette that runs exactly through centres may fall to either side.
    """
    sources, targets = (shots[:3] for shots in pairs_of(name))
    side, buffers = 64 // stride, source_buffers(sources)
    coarse, visible, who = correspondences(buffers, targets, side, side)
    fine, fine_visible, fine_who = correspondences(buffers, targets, 5 * side, 5 * side)
    assert (who != fine_who[:, 2::5, 2::5]).sum() <= 0.05 * who.sum()
    fine_face = shoot(targets, 5 * side, 5 * side).face
    same = who & (shoot(targets, side, side).face == fine_face[:, 2::5, 2::5])
    assert same.sum() > 0.9 * who.sum()
    difference = (coarse - fine[..., 2::5, 2::5] / 5).abs().amax(1)[same]
    assert (difference <= ((1 + stretch(fine)) / 256)[same]).double().mean() > 0.98
    assert difference.max() < 0.05
    assert (visible == fine_visible[:, 2::5, 2::5])[same].double().mean() > 0.9


def stretch(fine):
    """How much (target + flow) spreads per pixel around each cell's centre, the Jacobian's Frobenius norm (B, h, w)."""
    columns = (fine[..., 2::5, 3::5] - fine[..., 2::5, 1::5]) / 2
    rows = (fine[..., 3::5, 2::5] - fine[..., 1::5, 2::5]) / 2
    identity = torch.eye(2)[None, :, :, None, None]
    return (torch.stack([columns, rows], 2) + identity).square().sum((1, 2)).sqrt()


@pytest.mark.parametrize("name", CLIPS)
def test_clips_give_their_flow_at_every_feature_size(name):
    """Frame by frame as the film's shots have it, the static background included; to source and frame before."""
    clip = dataset_of(name)[0].slice(4, 6)
    shots = film_of(name).shots
    for stride in STRIDES:
        side = 64 // stride
        for ask, sources in ((clip.to_source_at, [clip.truth.source] * 2), (clip.to_previous_at, [3, 4])):
            flow, visible = ask(side, side)
            expected = correspondences(source_buffers([shots[k] for k in sources]), shots[4:6], side, side)
            person = expected[2]
            assert torch.equal(flow, expected[0])
            assert torch.equal(visible & person, expected[1])
            free = shoot([shots[k] for k in sources], side, side).face < 0
            assert torch.equal(visible & ~person, free & ~person)


def digest(values, steps=1):
    """A hash of whole numbers: ``values`` in units of 1 / ``steps``."""
    whole = np.round(np.asarray(values, dtype=np.float64) * steps).astype("<i4")
    return hashlib.sha256(whole.tobytes()).hexdigest()[:16]


def bits(name):
    """What of a set's first unit is exact: ids, masks, visibility; joints, landmarks and flow in 1/64 pixel."""
    dataset = dataset_of(name)
    arrays = dataset.arrays(0)
    found = {what: digest(arrays[what]) for what in ("parts", "masks", "station", "hidden") if what in arrays}
    points = ("joints", "joints_clean", "joints_noisy", "landmarks", "clean", "coco")
    found |= {what: digest(arrays[what], 64) for what in points if what in arrays}
    if name == "h36m":
        return found | {"noisy": [digest(dataset.sequence(camera).noisy, 64) for camera in range(4)]}
    flow, visible, who = correspondences(source_buffers(pairs_of(name)[0]), pairs_of(name)[1], 64, 64)
    return found | {
        "flow": digest(flow, 64),
        "visible": [*visible.sum((1, 2)).tolist(), digest(visible)],
        "person": [*who.sum((1, 2)).tolist(), digest(who)],
    }


@pytest.mark.parametrize("name", list(PROCEDURAL))
def test_sets_change_only_with_the_generator_version(name):
    """A failure means that the studio makes something else than before, while records name data by the version.

    Raise GENERATOR_VERSION and store the new numbers:
    ``REPRO_GOLDEN=write pytest tests/data/studio/test_verification.py -k generator_version``.
    """
    found = {"version": GENERATOR_VERSION} | bits(name)
    stored = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("REPRO_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(stored | {name: found}, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())[name]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
class TestDevices:
    """Screen coordinates are whole numbers on every device: ids and masks are the CPU's, colours within 1/255."""

    @pytest.mark.parametrize("name", VIEWS + CLIPS)
    def test_flow_and_visibility(self, name):
        sources, targets = pairs_of(name)
        flow, visible, person = correspondences(source_buffers(sources), targets, 64, 64)
        there = correspondences(source_buffers(sources, "cuda"), targets, 64, 64)
        assert all(part.is_cuda for part in there)
        assert torch.equal(there[1].cpu(), visible)
        assert torch.equal(there[2].cpu(), person)
        assert (there[0].cpu() - flow).abs().max() < 1e-3

    def test_pictures_of_people(self):
        dataset = dataset_of("fashion")
        shots, who = [dataset.take(view) for view in range(4)], dataset.person(0)
        given = person_mesh(who, "low"), person_wardrobe(who), [s.pose for s in shots], [s.camera for s in shots]
        assert_close(*(render(*given, (64, 64), device=device) for device in ("cpu", "cuda")))

    @pytest.mark.parametrize("name", ["car", "chair"])
    def test_pictures_of_things(self, name):
        dataset = dataset_of(name)
        thing, cameras = dataset.thing(0), [dataset.camera(view) for view in range(8)]
        given = dataset.model(thing), cameras, [light_of(thing, camera) for camera in cameras], (64, 64)
        assert_close(*(photograph(*given, device=device) for device in ("cpu", "cuda")))


def assert_close(here, there):
    for one, other in zip(here, there):
        assert_same(one, other, ("part", "visible", "joints2d"))
        assert torch.equal(torch.isfinite(one.depth), torch.isfinite(other.depth))
        for name in ("image", "albedo", "alpha"):
            difference: Tensor = (getattr(one, name) - getattr(other, name)).abs()
            assert difference.max() <= 1 / 255, name
