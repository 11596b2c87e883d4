"""The procedural set: pairs with exact flow, the same bits every time, nothing shared between the splits."""

import json
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tqdm import tqdm

from repro.data import JOINTS, load, prepare, stack_pairs
from repro.data.joints import is_missing
from repro.data.studio.fashion import FashionSet
from repro.data.studio.seeds import GENERATOR_VERSION
from repro.data.studio.skeleton import OPENPOSE_18
from repro.data.studio.wardrobe import HELD_OUT, TEXTURES

SIZE = (64, 64)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def dataset(cache):
    return prepare("fashion", "train", 64, "tiny")


@pytest.fixture(scope="module")
def held(cache):
    return prepare("fashion", "test", 64, "tiny")


def test_the_first_pair_needs_one_person_only(cache):
    lazy = load("fashion", "train", size=(96, 64), scale="tiny")
    assert lazy[0].source.shape == (3, 96, 64)
    assert len(lazy._cache.missing()) == 5


def test_pairs_are_all_ordered_pairs_of_views_of_one_person(dataset):
    assert len(dataset) == 6 * 4 * 3
    assert len({tuple(pair) for pair in dataset.pairs.tolist()}) == len(dataset)
    source, target = dataset.pairs.T
    assert bool((source != target).all())
    assert torch.equal(dataset.identity[source], dataset.identity[target])
    assert dataset.identity.bincount().tolist() == [4] * 6


def test_a_pair_holds_what_the_set_holds(dataset):
    pair = dataset[17]
    source, target = dataset.pairs[17].tolist()
    assert torch.equal((pair.source * 255).round().to(torch.uint8), torch.tensor(dataset.images[source]))
    assert torch.equal((pair.target * 255).round().to(torch.uint8), torch.tensor(dataset.images[target]))
    assert torch.equal(pair.target_joints, dataset.joints[target])
    assert torch.equal(pair.source_parts, torch.tensor(dataset.parts[source]))
    assert pair.identity == int(dataset.identity[source])
    assert pair.source_pose.shape == (18, 64, 64)
    assert dataset[-1].identity == 5
    with pytest.raises(IndexError, match="72 examples"):
        dataset[72]
    with pytest.raises(ValueError, match="one person"):
        dataset.pair(0, 4)


def test_person_and_parts_agree(dataset):
    for index in (0, 20, 41):
        pair = dataset[index]
        assert torch.equal(pair.person, pair.target_parts >= 0)
        assert bool((pair.visible <= pair.person).all())
        assert pair.flow.shape == (2, 64, 64)
        assert pair.flow_at(16, 16)[0].shape == (2, 16, 16)


def test_the_flow_carries_the_unshaded_source_onto_the_target(dataset):
    """One flow, one pair, by hand: nearest source pixel of each visible target pixel has nearly the same colour."""
    errors, chance = [], []
    for index in range(0, 72, 9):
        pair = dataset[index]
        rows, columns = pair.visible.nonzero().T
        x = (columns + pair.flow[0][rows, columns]).round().long().clamp(0, 63)
        y = (rows + pair.flow[1][rows, columns]).round().long().clamp(0, 63)
        same = pair.source_parts[y, x] == pair.target_parts[rows, columns]
        errors.append((pair.source_albedo[:, y, x] - pair.target_albedo[:, rows, columns]).abs().mean(0)[same])
        chance.append((pair.source_albedo - pair.target_albedo).abs().mean(0)[rows, columns])
    assert torch.cat(errors).mean() < 0.06
    assert torch.cat(errors).mean() < 0.4 * torch.cat(chance).mean()


def test_the_same_bits_from_another_cache_and_another_object(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    again = FashionSet("train", SIZE, "tiny")
    for index in (1, 30):
        first, second = dataset[index], again[index]
        assert torch.equal(first.source, second.source)
        assert torch.equal(first.target_joints, second.target_joints)
        for height, width in ((64, 64), (16, 16)):
            assert torch.equal(first.flow_at(height, width)[0], second.flow_at(height, width)[0])
            assert torch.equal(first.flow_at(height, width)[1], second.flow_at(height, width)[1])
        assert torch.equal(first.source_albedo, second.source_albedo)
    assert again.hash == dataset.hash


def test_a_set_that_is_filled_pair_by_pair_equals_a_prepared_one(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    lazy = FashionSet("train", SIZE, "tiny")
    pair = lazy[71]
    assert torch.equal(pair.source, dataset[71].source)
    assert np.array_equal(lazy.images, dataset.images)
    assert np.array_equal(lazy.parts, dataset.parts)


def test_processes_of_their_own_render_the_same(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    apart = FashionSet("train", SIZE, "tiny")
    with tqdm(total=apart.people, disable=True) as bar:
        apart._draw_apart(2, bar)
    assert apart._cache.missing() == []
    assert np.array_equal(apart.images, dataset.images)


def test_a_worker_that_fails_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", "/dev/null/nowhere")
    broken = FashionSet("train", SIZE, "tiny")
    with tqdm(total=6, disable=True) as bar, pytest.raises(RuntimeError, match="rendering failed"):
        broken._draw_apart(2, bar)


def test_people_of_another_version_of_the_studio_are_said_and_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    monkeypatch.setattr(FashionSet, "draw", lambda self, index: {"images": np.zeros((4, 3, 64, 64), np.uint8)})
    old = tmp_path / "studio" / "fashion-train-64x64-tiny-v0-aaaaaaaa-bbbbbbbb"
    old.mkdir(parents=True)
    with pytest.warns(UserWarning, match="rendered again: another version of the studio made .*v0-aaaaaaaa"):
        FashionSet("train", SIZE, "tiny").prepare(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FashionSet("train", SIZE, "tiny").prepare(1)  # what is there is not mentioned again
        FashionSet("test", SIZE, "tiny").prepare(1)  # nor what belongs to another set
    assert old.is_dir()


def test_another_version_is_said_once_when_people_are_drawn_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    monkeypatch.setattr(FashionSet, "draw", lambda self, index: {"images": np.zeros((4, 3, 64, 64), np.uint8)})
    (tmp_path / "studio" / "fashion-train-64x64-tiny-v0-aaaaaaaa-bbbbbbbb").mkdir(parents=True)
    lazy = FashionSet("train", SIZE, "tiny")
    with pytest.warns(UserWarning, match="another version of the studio made .*v0-aaaaaaaa"):
        lazy.arrays(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lazy.arrays(1)
        lazy.prepare(1)


def test_train_and_test_share_no_person(dataset, held):
    assert not set(dataset.identity.tolist()) & set(held.identity.tolist())
    assert dataset.hash != held.hash
    assert not np.array_equal(dataset.images[0], held.images[0])


def test_held_out_textures_are_worn_in_the_test_split_only(dataset, held):
    out = {TEXTURES.index(family) for family in HELD_OUT}
    assert not dataset.held_out.any()
    assert not set(dataset.texture.unique().tolist()) & out
    worn = torch.tensor([[label in out for label in labels] for labels in held.texture.tolist()]).any(1)
    assert bool((worn <= held.held_out).all())
    assert dataset.texture.shape == (24, 5)


def test_joints_are_inside_the_image_or_missing(dataset):
    assert tuple(JOINTS) == OPENPOSE_18
    present = dataset.joints[~is_missing(dataset.joints)]
    assert present.min() >= -0.5
    assert present.max() <= 63.5
    assert dataset.joints[is_missing(dataset.joints)].eq(-1).all()
    assert 0.02 < is_missing(dataset.joints).float().mean() < 0.5


def test_a_copy_for_a_worker_process_is_small_and_works(dataset):
    pair = dataset[3]
    content = pickle.dumps(dataset)
    assert len(content) < 500
    assert torch.equal(pickle.loads(content)[3].source, pair.source)
    assert torch.equal(pickle.loads(pickle.dumps(pair)).flow, pair.flow)


def test_batches_hold_the_ground_truth(dataset):
    batch = stack_pairs([dataset[index] for index in (0, 40)])
    assert torch.equal(batch.flow_at(32, 32)[0][1], dataset[40].flow_at(32, 32)[0])
    assert batch.target_albedo.shape == (2, 3, 64, 64)


GOLDEN = Path(__file__).with_name("golden_fashion.json")


def fingerprint(dataset):
    """Pixels per part (whole numbers decide them: equal on every machine) and each person's mean colour."""
    parts = np.asarray(dataset.parts).reshape(dataset.people, -1).astype(int) + 1
    colour = np.asarray(dataset.images).reshape(dataset.people, dataset.views, 3, -1).mean((1, 3))
    return {
        "version": GENERATOR_VERSION,
        "parts": [np.bincount(own, minlength=12).tolist() for own in parts],
        "colour": colour.round(2).tolist(),
    }


def test_people_change_only_with_the_generator_version(dataset):
    """A failure means that the studio draws other people than before, while records name data by the version.

    Raise GENERATOR_VERSION and store the new numbers:
    ``REPRO_GOLDEN=write pytest tests/data/studio/test_fashion.py -k generator_version``.
    """
    found = fingerprint(dataset)
    if os.environ.get("REPRO_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(found) + "\n")
    golden = json.loads(GOLDEN.read_text())
    assert found["version"] == golden["version"]
    assert found["parts"] == golden["parts"]
    # Colours may differ by a level of 255 between machines, their means by much less.
    assert np.abs(np.array(found["colour"]) - golden["colour"]).max() < 0.1


def test_images_are_real_pictures(dataset):
    """Near-white wall, a person in the middle: a guard against empty or inverted pictures."""
    for view in (0, 9):
        image, parts = np.array(dataset.images[view]), np.array(dataset.parts[view])
        assert image[:, parts < 0].mean() > 180
        assert 0.05 < (parts >= 0).mean() < 0.6
        assert image[:, parts >= 0].std() > 20
