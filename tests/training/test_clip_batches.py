"""Chunks follow one another through a clip, and everything about them follows from seed and step."""

import pytest
import torch
from tiny import RandomClips, tiny_clip_config

from repro.config import CHUNK
from repro.data.structures import skeleton_structure
from repro.models import temporal_discriminator
from repro.training.clip_batches import REFERENCES, ClipBatches, FrameBatches, structures

STILL = tiny_clip_config(data__augmentation=False)


def batches(config=STILL, seed=0, dataset=None):
    return ClipBatches(dataset or RandomClips(), config, seed, "clip")


def same(one, other):
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(one, other, strict=True))


def frame_numbers(images, clip):
    """Find frames in [-1, 1] among those of a clip."""
    return [next(t for t, frame in enumerate(clip.frames) if torch.equal(frame * 2 - 1, image)) for image in images]


def clip_of(image):
    clips = list(map(RandomClips().__getitem__, range(5)))
    return next(clip for clip in clips for frame in clip.frames if torch.equal(frame * 2 - 1, image))


def test_a_chunk_is_what_the_temporal_discriminator_looks_at():
    assert temporal_discriminator.FRAMES == CHUNK == 6


def test_three_chunks_are_eighteen_frames_in_a_row_with_one_reference():
    found = [batches()[step] for step in range(3)]
    assert [batch.starts for batch in found] == [True, False, False]
    for b in range(2):
        clip = clip_of(found[0].frames[b, 0])
        frames = frame_numbers([image for batch in found for image in batch.frames[b]], clip)
        assert frames == list(range(frames[0], frames[0] + 18))
        assert all(torch.equal(batch.source[b], found[0].source[b]) for batch in found)
        (reference,) = frame_numbers(found[0].source[b : b + 1], clip)
        assert reference < REFERENCES
        # the frame before: the reference where the clip starts, else the last true frame of the chunk before
        assert torch.equal(found[0].before[b], found[0].source[b])
        assert torch.equal(found[1].before[b], found[0].frames[b, -1])
        # structures are those of the frames' own skeletons
        part = clip.slice(frames[6], frames[6] + 6)
        assert torch.equal(found[1].poses[b], skeleton_structure(part.joints_noisy, (64, 64), "coco17", 2.0))
        assert found[1].person[b, :, 0].sum((1, 2)).tolist() == [(12 + frame) * 24 for frame in frames[6:12]]


def test_the_order_has_no_memory():
    config = tiny_clip_config()
    forward = [batches(config)[step] for step in range(4)]
    one = batches(config)
    assert all(same(one[step], forward[step]) for step in (3, 1, 0, 2))
    assert not same(batches(config, seed=1)[0], forward[0])


def test_each_clip_is_seen_once_in_an_epoch():
    one = batches()
    seen = [int(clip.identity) for number in range(2) for clip in one.clips(number)]
    assert len(set(seen)) == 4


def test_the_judged_frames_are_drawn_anew_for_every_step():
    drawn = {batches().__getitem__(step).judged for step in range(40)}
    assert {learn for learn, _ in drawn} == {judge for _, judge in drawn} == set(range(6))
    assert len(drawn) > 12  # not one draw for both


def test_clean_skeletons_are_the_other_ones():
    clip = RandomClips()[0]
    assert torch.equal(structures(clip, "clean"), clip.poses)
    assert not torch.equal(structures(clip, "noisy"), clip.poses)
    assert structures(clip, "noisy")[:, 3].abs().max() == 0  # the missing joint


def test_single_frames_for_pair_networks():
    config = tiny_clip_config(stages=["joint"], model__kind="gfla", data__augmentation=False, batch=3)
    batch = FrameBatches(RandomClips(), config, 0, "joint")[4]
    assert [tuple(one.shape) for one in batch] == [
        (3, 3, 64, 64), (3, 3, 64, 64), (3, 20, 64, 64), (3, 20, 64, 64), (3, 1, 64, 64)
    ]  # fmt: skip
    clip = clip_of(batch.target[0])
    (frame,) = frame_numbers(batch.target[:1], clip)
    assert torch.equal(batch.target_pose[0], structures(clip, "noisy")[frame])
    assert same(batch, FrameBatches(RandomClips(), config, 0, "joint")[4])


def test_a_clip_that_is_too_short_is_named():
    with pytest.raises(ValueError, match=r"fashion_video: clip \d has 12 frames, training takes 18 in a row"):
        batches(dataset=RandomClips(frames=12))[0]
