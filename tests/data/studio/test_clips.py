"""The sets of clips: exact flow to the source and to the frame before, a background that stands still, equal bits."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from studio_people import parts_seen, person
from test_correspondence import landing, quantile, warp

from repro.data.studio.camera import Camera
from repro.data.studio.clip_set import FRAMES, REFERENCE_FRAMES
from repro.data.studio.clips import FashionVideoSet, IperSet, framing_camera, inside_or_missing
from repro.data.studio.cloth import animate
from repro.data.studio.film import Film
from repro.data.studio.motion import HELD_OUT_KIND, KINDS, Motion
from repro.data.studio.people_set import person_wardrobe
from repro.data.studio.raster import interpolate
from repro.data.studio.seeds import GENERATOR_VERSION
from repro.data.studio.shot import Shot, shoot
from repro.data.studio.skeleton import Pose

SETS = {"fashion_video": FashionVideoSet, "iper": IperSet}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=tuple(SETS))
def dataset(cache, request):
    return SETS[request.param]("train", (64, 64), "tiny")


def eroded(mask):
    """Pixels whose eight neighbours are in the mask too."""
    inside = mask.clone()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            inside &= mask.roll((dy, dx), (-2, -1))
    return inside


def test_a_clip_holds_what_the_reference_promises(dataset):
    clip = dataset[0]
    assert dataset._cache.missing() == [1, 2, 3]
    assert len(clip) == FRAMES >= 60
    assert clip.frames.shape == (FRAMES, 3, 64, 64)
    assert clip.joints_clean.shape == clip.joints_noisy.shape == (FRAMES, 17, 2)
    assert clip.slice(0, 2).poses.shape == (2, 20, 64, 64)
    assert clip.source_pose.shape == (20, 64, 64)
    same = (clip.frames == clip.source).flatten(1).all(1).nonzero().squeeze(1).tolist()
    assert min(same) < REFERENCE_FRAMES
    assert torch.equal(clip.source_joints, clip.joints_noisy[clip.truth.source])
    assert torch.equal(clip.masks, clip.person)
    # The camera frames whatever the person reaches, and not much more.
    rows, columns = clip.masks.any(2).any(0).nonzero(), clip.masks.any(1).any(0).nonzero()
    assert min(rows.min(), columns.min()) >= 1
    assert max(rows.max(), columns.max()) <= 62
    assert max(rows.max() - rows.min(), columns.max() - columns.min()) >= 45


def test_the_detector_finds_the_joints_near_their_places(dataset):
    """Shoulders, elbows, wrists, hips, knees and ankles of both skeletons are the same points."""
    coco, human = [5, 7, 9, 11, 13, 15], [11, 12, 13, 4, 5, 6]
    clip = dataset[0]
    found = (clip.joints_noisy[:, coco] != -1).all(-1)
    error = (clip.joints_noisy[:, coco] - clip.joints_clean[:, human]).norm(dim=-1)[found]
    assert found.double().mean() > 0.9
    assert 0.1 < error.median() < 2.0  # of about 50 pixels of height
    assert clip.joints_clean.min() > 0
    assert clip.joints_clean.max() < 63


def test_the_background_stands_still(dataset):
    """Where nobody is in a frame and in the source, flow is 0 and visible; the source person hides the rest."""
    clip = dataset[0]
    for height, width in ((64, 64), (16, 16)):
        flow, visible = clip.to_source_at(height, width)
        person = clip.truth.to_source(range(FRAMES), height, width)[2]
        source = person[clip.truth.source]
        assert bool((flow.movedim(1, -1)[~person] == 0).all())
        assert torch.equal(visible & ~person, ~person & ~source)
        flow, visible = clip.to_previous_at(height, width)
        assert bool((flow.movedim(1, -1)[~person] == 0).all())
        assert torch.equal((visible & ~person)[1:], ~person[1:] & ~person[:-1])
    assert bool((clip.flow_to_previous[0] == 0).all())
    assert not clip.visible_in_previous[0].any()
    own = clip.truth.source
    assert clip.flow_to_source[own].abs().max() < 0.01
    assert clip.visible_in_source[own].double().mean() > 0.999
    # The picture agrees: away from feet and light, the empty background keeps its colours.
    empty = eroded(~(clip.masks | clip.masks[own])[5]) & (torch.arange(64) < 40)[:, None]
    assert (clip.frames[5] - clip.source)[:, empty].abs().max() < 0.01


def residuals(dataset, targets, sources):
    """Rest-position errors (metres) where the source shows the point and its four taps are of the target's part."""
    film = dataset._film(0)
    flow, visible, who = film.flow(targets, sources, 64, 64)
    mesh = film.shots[0].mesh
    faces, rests = film.shots[0].faces, torch.from_numpy(mesh.rest_vertices)
    errors = []
    for number, (target, source) in enumerate(zip(targets, sources)):
        seen = shoot([film.shots[target], film.shots[source]], 64, 64)
        there, here = interpolate(rests, faces, seen).flip(0)
        part, part_there = parts_seen(mesh, seen)
        y, x = landing(flow[number])
        y0, x0 = (value.floor().long().clamp(0, 62) for value in (y, x))
        taps = torch.stack([part_there[y0 + i, x0 + j] for i in (0, 1) for j in (0, 1)])
        interior = (taps == part).all(0) & visible[number] & who[number]
        errors.append((warp(there.movedim(-1, 0), flow[number]).movedim(0, -1) - here).norm(dim=-1)[interior])
    return torch.cat(errors)


def test_rest_position_residual(dataset):
    """A flow that is one pixel off would show 36 mm."""
    frames = list(range(3, FRAMES, 5))
    for sources in ([dataset[0].truth.source] * len(frames), [frame - 1 for frame in frames]):
        error = residuals(dataset, frames, sources)
        assert len(error) > 2_000
        assert quantile(error, 0.5) < 3e-3
        assert quantile(error, 0.9) < 15e-3


def test_three_steps_back_are_one_way(dataset):
    """Chained flow to the frame before equals the direct correspondence on interior pixels that all frames show."""
    clip, film = dataset[0], dataset._film(0)
    differences = []
    for last in (10, 25, 40, 55):
        flow, visible = clip.flow_to_previous, clip.visible_in_previous
        inner = [eroded(own) for own in (visible & clip.person)]
        total, good = flow[last].double(), inner[last]
        for frame in (last - 1, last - 2):
            good = good & (warp(inner[frame][None].double(), total)[0] > 0.999)
            total = total + warp(flow[frame], total)
        direct, seen, _ = film.flow([last], [last - 3], 64, 64)
        good = good & seen[0]
        differences.append((total - direct[0]).norm(dim=0)[good])
    difference = torch.cat(differences)
    assert len(difference) > 300
    assert quantile(difference, 0.5) < 0.05
    assert quantile(difference, 0.9) < 0.5


def test_who_stands_still_has_no_flow():
    mesh = person(0, "low")
    vertices = animate(mesh, Motion("still", (Pose(),) * 3, 25.0))
    camera = framing_camera(np.random.default_rng(0), vertices, (64, 64))
    film = Film([Shot(mesh, own, Pose(), camera, (64, 64)) for own in vertices])
    flow, visible, who = film.flow([1, 2], [0, 1], 64, 64)
    assert flow.abs().max() < 0.01
    assert visible[who].double().mean() > 0.995
    assert bool(visible[~who].all())
    assert who.sum() > 500


def test_slices_and_frames_alone_are_the_frames_of_the_clip(dataset):
    clip = dataset[0]
    part = clip.slice(7, 9)
    for name in ("frames", "masks", "flow_to_source", "visible_in_source", "person", "flow_to_previous"):
        assert torch.equal(getattr(part, name), getattr(clip, name)[7:9])
    alone, pair = dataset.render(0, [8])[0], dataset.render(0, [8, 9])[0]
    assert torch.equal((alone.image * 255).round(), (clip.frames[8] * 255).round())
    assert torch.equal(alone.image, pair.image)
    assert torch.equal(alone.part >= 0, clip.masks[8])


def test_threads_change_nothing(dataset):
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            view = dataset.render(0, [20])[0]
            results.append((view.image, view.part, *dataset._film(0).flow([20, 21], [3, 20], 64, 64)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, two) for one, two in zip(*results))


def test_the_same_bits_from_another_object_and_cache(dataset, tmp_path, monkeypatch):
    clip = dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[0].slice(4, 6).flow_to_source, clip.flow_to_source[4:6])
    assert len(pickle.dumps(dataset)) < 500
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    again = type(dataset)("train", (64, 64), "tiny")
    assert again.hash == dataset.hash
    assert torch.equal(again[0].frames, clip.frames)
    assert torch.equal(again[0].joints_noisy, clip.joints_noisy)


def test_any_frame_may_be_the_source(dataset):
    clip = dataset.clip(0, 40)
    assert torch.equal(clip.source, clip.frames[40])
    assert clip.slice(40, 41).flow_to_source.abs().max() < 0.01
    with pytest.raises(ValueError, match="source frame from 0 to 63, got 64"):
        dataset.clip(0, 64)
    with pytest.raises(IndexError, match="4"):
        dataset[4]


def test_test_clips_move_as_no_training_clip_does(cache):
    for kind in SETS.values():
        train, test = (kind(split, (64, 64), "default") for split in ("train", "test"))
        seen = {train.motion_kind(index) for index in range(train.count)}
        assert HELD_OUT_KIND not in seen
        assert seen == set(kind.MOTIONS) <= set(KINDS)
        assert [test.motion_kind(index) for index in range(8)].count(HELD_OUT_KIND) == 2
        people = [dataset.person(index) for dataset in (train, test) for index in range(dataset.count)]
        assert len({(who.split, who.index) for who in people}) == 50
        assert train.hash != test.hash


def test_the_generalisation_subset_is_reported(cache):
    """The last of four test clips moves as no training clip does; others may wear what nobody wears in training."""
    dataset = IperSet("test", (64, 64), "tiny")
    assert [KINDS[kind] for kind in dataset.kind] == [dataset.motion_kind(index) for index in range(4)]
    wears = [person_wardrobe(dataset.person(index)).wears_held_out for index in range(4)]
    assert dataset.held_out.tolist() == [*wears[:3], True]
    assert dataset._cache.missing() == []
    assert dataset[3].identity == 100_003
    assert torch.equal(dataset[3].slice(2, 4).frames, dataset[3].frames[2:4])


def test_at_least_half_wear_skirts_or_dresses(cache):
    dataset = FashionVideoSet("train", (64, 64), "default")
    worn = [dataset.person(index) for index in range(dataset.count)]
    skirted = [who.garment("skirt") is not None or who.garment("dress") is not None for who in worn]
    assert sum(skirted) >= 0.5 * len(worn)


def test_exception():
    shot = Shot(person(0, "low"), person(0, "low").rest_vertices, Pose(), Camera(), (64, 64))
    with pytest.raises(ValueError, match="one camera"):
        Film([shot, replace(shot, camera=Camera(yaw=0.1))])
    joints = np.array([[-0.5, 3.0], [-0.6, 3.0], [4.0, 31.6], [8.0, 31.4]])
    assert inside_or_missing(joints, (9, 32)).tolist() == [[-0.5, 3.0], [-1, -1], [-1, -1], [8.0, 31.4]]


GOLDEN = Path(__file__).with_name("golden_clips.json")


def test_clips_change_only_with_the_generator_version(dataset):
    """A failure means that the studio films other clips than before, while records name data by the version.

    Raise GENERATOR_VERSION and store the new numbers:
    ``REPRO_GOLDEN=write pytest tests/data/studio/test_clips.py -k generator_version``.
    """
    arrays = dataset.arrays(0)
    found = {
        "version": GENERATOR_VERSION,
        "masks": np.asarray(arrays["masks"]).sum((1, 2)).tolist(),
        "colour": np.asarray(arrays["images"]).mean((2, 3)).round(2).tolist(),
        "joints": np.concatenate([arrays["joints_clean"], arrays["joints_noisy"]], 1).mean((1, 2)).round(4).tolist(),
    }
    stored = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("REPRO_GOLDEN") == "write":
        stored[dataset.name] = found
        GOLDEN.write_text(json.dumps(stored) + "\n")
    golden = stored[dataset.name]
    assert found["version"] == golden["version"]
    assert found["masks"] == golden["masks"]
    assert np.abs(np.array(found["joints"]) - golden["joints"]).max() < 1e-3
    # Colours may differ by a level of 255 between machines, their means by much less.
    assert np.abs(np.array(found["colour"]) - golden["colour"]).max() < 0.1
