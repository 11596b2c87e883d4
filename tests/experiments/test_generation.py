"""A photograph in another pose: what the network is shown, which network it is, and files that nobody expects."""

import errno
import json
import resource
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from pose_stand_in import absent, landmarks, pretend
from safetensors.torch import save, save_file

from repro import paths
from repro.data import DataError
from repro.data.images import DamagedImage
from repro.data.joints import heatmaps
from repro.data.own_photograph import TooLarge
from repro.data.pose_extra import MissingExtra
from repro.experiments.generation import (
    WIDE,
    Generator,
    generate,
    load_generator,
    panel_file,
    picture,
    prepare,
    require_writable,
    write_picture,
)
from repro.experiments.weights import half, weights_hash
from repro.features import MissingWeights
from repro.models import GFLA

SIDE = 64
PERSON = np.array(
    [(8, 24), (16, 24), (16, 18), (26, 15), (35, 14), (16, 30), (26, 33), (35, 34), (36, 21), (50, 21), (62, 21),
     (36, 27), (50, 27), (62, 27), (7, 23), (7, 25), (8, 21), (8, 27)], dtype=float,
)  # fmt: skip
"""Upright in 72 x 48 pixels."""
SHAPE = (72, 48)
WINDOW = (0, 11, 64, 42)
"""What 72 x 48 pixels fill of 64 x 64."""


def network():
    return GFLA.preset("fashion", 0.0625, init_gain=1.0, seed=0).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def generator():
    return Generator(network(), (SIDE, SIDE), 2.0, 1.0, "tiny")


def flat(places):
    return {"pose_keypoints_2d": np.column_stack([places[:, ::-1], np.ones(len(places))]).ravel().tolist()}


def files(folder, pose=PERSON, pixels=None):
    """A photograph, its joints, and a pose."""
    noise = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    (Image.fromarray(noise) if pixels is None else pixels).save(folder / "photo.png")
    (folder / "photo.json").write_text(json.dumps({"people": [flat(PERSON)]}))
    (folder / "pose.json").write_text(json.dumps({"people": [flat(np.asarray(pose))]}))
    return folder


def scene_in(folder, generator, **options):
    given = {"source": folder / "photo.png", "pose": folder / "pose.json", "source_pose": folder / "photo.json"}
    return prepare(generator=generator, **given | options)


class TestScene:
    def test_the_pose_is_put_where_the_person_stands(self, tmp_path, generator):
        """The pose is the person's own, twice as large and elsewhere: fitted it lies on the photograph's joints."""
        scene = scene_in(files(tmp_path, PERSON * 2 + np.array([100, 300])), generator)
        torch.testing.assert_close(scene.target, scene.person.joints)
        assert scene.person.joints[0].tolist() == pytest.approx([8 * 64 / 72, 11 + 24 * 42 / 48])
        assert scene.notes == [
            "18 of 18 joints of the person in photo.png",
            "18 of 18 joints of the pose in pose.json",
            "fitted to the person: one pixel of the pose is 0.5 pixels of the photograph",
        ]

    def test_unfitted_a_files_joints_are_the_photographs_pixels(self, tmp_path, generator):
        scene = scene_in(files(tmp_path, PERSON + np.array([0, 16])), generator, fitting="none")
        expected = scene.person.joints + torch.tensor([0, 16 * 42 / 48], dtype=torch.float64)
        torch.testing.assert_close(scene.target, expected)
        assert not any("fitted" in note for note in scene.notes)

    def test_unfitted_another_photograph_has_a_frame_of_its_own(self, tmp_path, generator, monkeypatch):
        """Landmark 0, the nose, at 1/40 of 32 x 64 pixels, which fill the middle half of the frame's rows."""
        Image.new("RGB", (64, 32)).save(files(tmp_path) / "other.png")
        pretend(monkeypatch, [landmarks(), None])
        scene = scene_in(tmp_path, generator, pose=tmp_path / "other.png", fitting="none")
        assert scene.target[0].tolist() == pytest.approx([16 + 32 / 40 - 0.5, 64 / 40 - 0.5])

    def test_stretched_pictures_are_fitted_before_they_are_stretched(self, tmp_path):
        """DeepFashion's shape fills the square; a pose that is the person stays the person."""
        wide = Generator(network(), (SIDE, SIDE), 2.0, WIDE, "wide")
        photo = Image.fromarray(np.zeros((256, 176, 3), np.uint8))
        scene = scene_in(files(tmp_path, PERSON * 3, photo), wide)
        assert scene.person.photograph.window == (0, 0, 64, 64)
        torch.testing.assert_close(scene.target, scene.person.joints)
        assert scene.person.joints[0].tolist() == pytest.approx([8 / 256 * 64, 24 / 176 * 64])
        made = picture(scene, generate(scene, wide))
        assert made.shape == (3, 64, 44)
        assert "1.45 times as wide" in scene.notes[-1]

    def test_markets_frame_and_another_size(self, tmp_path):
        market = Generator(Mock(), (128, 64), 6.0, 1.0, "market")
        assert scene_in(files(tmp_path), market).size == (128, 64)
        scene = scene_in(tmp_path, market, size=256)
        assert scene.size == (256, 128)
        assert "trained on 128x64 pixels" in scene.notes[-1]

    def test_joints_missing_and_outside_are_counted(self, tmp_path, generator):
        pose = PERSON.copy()
        pose[[4, 7]] = -1
        pose[13] = (62, 60)
        scene = scene_in(files(tmp_path, pose), generator, fitting="none")
        assert "16 of 18 joints of the pose in pose.json" in scene.notes
        assert (scene.target[[4, 7]] == -1).all()
        pose[13] = (62, 90)
        scene = scene_in(files(tmp_path, pose), generator, fitting="none")
        assert "16 of 18 joints of the pose in pose.json, 1 outside of the picture" in scene.notes

    @pytest.mark.parametrize(
        ("options", "pose", "message"),
        [
            ({"size": 80}, PERSON, "a multiple of 32 from 64 on, got 80"),
            ({"fitting": "bodies"}, PERSON, "unknown fit 'bodies'"),
            ({"layout": "body25"}, PERSON, r"pose\.json: expected body25 joints \(..., 25, 2\)"),
            ({}, PERSON[:16], r"pose\.json: expected joints of one of .*, got 16 per person"),
            ({"fitting": "none"}, PERSON + 500, r"all joints of the pose in pose\.json lie outside of the picture"),
            ({}, np.where(np.arange(18)[:, None] < 14, -1, PERSON), "of both the source and the motion.*--fit none"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, tmp_path, generator, options, pose, message):
        with pytest.raises(ValueError, match=message):
            scene_in(files(tmp_path, pose), generator, **options)

    def test_a_row_of_the_authors_csv(self, tmp_path, generator):
        columns = [json.dumps((PERSON + shift)[:, axis].tolist()) for shift in (0, 4) for axis in (0, 1)]
        (files(tmp_path) / "all.csv").write_text(
            "name:keypoints_y:keypoints_x\nphoto.png:{}:{}\nother.png:{}:{}\n".format(*columns)
        )
        scene = scene_in(
            tmp_path,
            generator,
            source_pose=tmp_path / "all.csv",
            pose=f"{tmp_path / 'all.csv'}:other.png",
            fitting="none",
        )
        assert "18 of 18 joints of the pose in other.png" in scene.notes
        shift = scene.target - scene.person.joints
        assert shift[0].tolist() == pytest.approx([4 * 64 / 72, 4 * 42 / 48])
        with pytest.raises(ValueError, match="say which row is meant"):
            scene_in(tmp_path, generator, pose=tmp_path / "all.csv")


class TestPhotographs:
    """Files as users have them; what becomes of the pixels is tested with ``read_photograph``."""

    def variants(self, folder):
        noise = np.random.default_rng(0).integers(0, 256, (*SHAPE, 4), dtype=np.uint8)
        whole, exif = Image.fromarray(noise[..., :3]), Image.Exif()
        exif[0x0112] = 6  # lies on its side; turned clockwise it is upright
        whole.convert("L").save(folder / "grey.png")
        whole.convert("CMYK").save(folder / "cmyk.jpg")
        Image.fromarray(noise).save(folder / "alpha.png")
        whole.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif)
        return ["grey.png", "cmyk.jpg", "alpha.png", "turned.jpg"]

    def test_all_are_generated_from(self, tmp_path, generator):
        for name in self.variants(files(tmp_path)):
            scene = scene_in(tmp_path, generator, source=tmp_path / name)
            assert (scene.person.photograph.original, scene.person.photograph.window) == (SHAPE, WINDOW)
            made = picture(scene, generate(scene, generator))
            assert made.shape == (3, *WINDOW[2:])
            assert made.float().std() > 0

    def test_a_tiny_one_is_enlarged_and_said(self, tmp_path, generator):
        files(tmp_path, pixels=Image.new("RGB", (16, 24)))
        (tmp_path / "photo.json").write_text(json.dumps({"people": [flat(PERSON / 3)]}))
        assert "has 24x16 pixels and is enlarged to 64x42" in scene_in(tmp_path, generator).notes[-1]

    def test_too_large_truncated_none(self, tmp_path, generator):
        files(tmp_path)
        Image.new("1", (10_000, 10_000)).save(tmp_path / "large.png")
        (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:4000])
        for name, error, message in (
            ("large.png", TooLarge, "100 megapixels of PNG: expected at most 40"),
            ("cut.png", DamagedImage, r"cut\.png: damaged image"),
            ("none.png", FileNotFoundError, "no photograph"),
        ):
            with pytest.raises(error, match=message):
                scene_in(tmp_path, generator, source=tmp_path / name)


class TestPeople:
    def test_nobody(self, tmp_path, generator, monkeypatch):
        (files(tmp_path) / "empty.json").write_text('{"people": []}')
        with pytest.raises(DataError, match="no person in 1 frames"):
            scene_in(tmp_path, generator, pose=tmp_path / "empty.json")
        pretend(monkeypatch, [None])
        with pytest.raises(ValueError, match=r"photo\.png: nobody was found: give the joints as a file"):
            scene_in(tmp_path, generator, source_pose=None)

    def test_several(self, tmp_path, generator, monkeypatch):
        files(tmp_path)
        (tmp_path / "photo.json").write_text(json.dumps({"people": [flat(PERSON / 2), flat(PERSON)]}))
        scene = scene_in(tmp_path, generator)
        assert "2 people in photo.json: the largest is taken" in scene.notes
        assert scene.person.found.tolist() == PERSON.tolist()
        pretend(monkeypatch, [landmarks(60), landmarks(), None])
        assert "2 people in photo.png: the largest is taken" in scene_in(tmp_path, generator, source_pose=None).notes

    def test_without_the_extra_the_message_says_what_to_run(self, tmp_path, generator, monkeypatch):
        absent(monkeypatch)
        for change in ({"source_pose": None}, {"pose": tmp_path / "photo.png"}):
            with pytest.raises(MissingExtra, match=r"`make env POSE=1` adds it; or give the joints as a file"):
                scene_in(files(tmp_path), generator, **change)


class TestGenerate:
    def test_it_is_the_networks_picture_of_what_the_photograph_fills(self, tmp_path, generator):
        scene = scene_in(files(tmp_path, PERSON + np.array([0, 8])), generator, fitting="none")
        source = scene.person.photograph.image[None] * 2 - 1
        poses = [heatmaps(joints, (SIDE, SIDE), 2.0)[None] for joints in (scene.person.joints, scene.target)]
        with torch.no_grad():
            expected = generator.network(source, *poses)
        found = generate(scene, generator)
        assert torch.equal(found.image, expected.image)
        assert torch.equal(found.flows[-1], expected.flows[-1])
        top, left, height, width = WINDOW
        own = ((found.image[0, :, top : top + height, left : left + width] + 1) * 127.5).round().byte()
        assert torch.equal(picture(scene, found), own)
        other = generate(scene_in(files(tmp_path), generator), generator)
        assert not torch.equal(other.image, found.image)


class TestOut:
    def test_names(self, tmp_path):
        assert panel_file(tmp_path / "a.b.jpg").name == "a.b.panel.png"
        with pytest.raises(ValueError, match=r"ends in \.png, \.jpg, \.jpeg, got 'out.gif'"):
            require_writable(tmp_path / "out.gif")
        for given in ("out.png", "out.panel.png"):
            with pytest.raises(ValueError, match="is read and would be overwritten"):
                require_writable(tmp_path / "out.png", None, tmp_path / "." / given)

    def test_also_by_another_way_to_the_same_file(self, tmp_path, monkeypatch):
        (tmp_path / "photo.png").touch()
        (tmp_path / "link.png").symlink_to("photo.png")
        monkeypatch.chdir(tmp_path)
        for out, given in (
            ("link.png", "photo.png"),
            ("photo.png", tmp_path / "link.png"),
            ("./photo.png", "photo.png"),
        ):
            with pytest.raises(ValueError, match="is read and would be overwritten: choose another --out"):
                require_writable(Path(out), given)

    def test_where_nothing_can_be_written(self, tmp_path, monkeypatch):
        (tmp_path / "out.png").mkdir()
        with pytest.raises(ValueError, match=r"out\.png is a folder: give a name in it, as .*out\.png/NAME\.png"):
            require_writable(tmp_path / "out.png")
        with pytest.raises(ValueError, match="is a folder: give a name in it"):
            require_writable(tmp_path)
        (tmp_path / "other.panel.png").mkdir()
        with pytest.raises(ValueError, match=r"other\.panel\.png is written too, and is a folder"):
            require_writable(tmp_path / "other.png")
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError, match=f"{tmp_path / 'file'} is a file, no folder: choose another --out"):
            require_writable(tmp_path / "file" / "new" / "out.jpg")
        assert require_writable(tmp_path / "new" / "newer" / "out.jpg")
        asked = []
        monkeypatch.setattr("os.access", lambda path, mode: asked.append(path))  # root may write everywhere
        with pytest.raises(PermissionError, match=f"no permission to write in {tmp_path}: choose another --out"):
            require_writable(tmp_path / "new" / "out.jpg")
        assert asked == [tmp_path]

    @pytest.mark.parametrize("name", ["out.png", "out.JPG"])
    def test_written_whole(self, tmp_path, name):
        pixels = torch.arange(3 * 16 * 8).reshape(3, 16, 8).byte() // 2
        write_picture(tmp_path / "new" / name, pixels)
        found = np.asarray(Image.open(tmp_path / "new" / name)).astype(int)
        assert np.abs(found - pixels.permute(1, 2, 0).numpy()).max() <= (0 if name == "out.png" else 60)
        assert [path.name for path in (tmp_path / "new").iterdir()] == [name]

    def test_or_not_at_all(self, tmp_path):
        (tmp_path / "out.png").write_bytes(b"before")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
            with pytest.raises(OSError, match=r"out\.png: File too large; choose another folder") as full:
                write_picture(tmp_path / "out.png", torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert full.value.errno == errno.EFBIG
        assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
        assert (tmp_path / "out.png").read_bytes() == b"before"


def exported(path, size=SIDE, dataset="fashion", **changes):
    """A network of a run as the project writes it."""
    tensors = half(network())
    config = {"model": {"width": 0.0625}, "data": {"size": size, "heatmap_sigma": 2.5}} | changes
    header = {"config": json.dumps(config), "weights_hash": weights_hash(tensors), "dataset": dataset}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(save(tensors, metadata=header))
    return path


class TestLoad:
    def test_the_one_that_ships(self):
        found = load_generator()
        assert (found.size, found.sigma, found.stretch) == ((64, 64), 2.0, 1.0)
        assert found.name.startswith("table_2-full-fashion-laptop-seed0-")
        assert isinstance(found.network, GFLA)

    def test_of_several_the_one_of_the_largest_pictures_or_what_to_run(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
        with pytest.raises(FileNotFoundError, match="repro table II --rows full"):
            load_generator()
        for profile, size in (("gpu", 128), ("laptop", 64)):
            exported(paths.weights() / f"table_2-full-fashion-{profile}-seed0-0123456789ab.safetensors", size)
        exported(paths.weights() / "table_2-full_mean-fashion-gpu-seed0-0123456789ab.safetensors", 256)
        assert load_generator().size == (128, 128)

    def test_a_network_of_a_run(self, tmp_path):
        found = load_generator(exported(tmp_path / "own.safetensors"))
        assert (found.size, found.sigma, found.stretch, found.name) == ((64, 64), 2.5, 1.0, "own.safetensors")
        for ours, stated in zip(found.network.parameters(), network().parameters()):
            assert torch.equal(ours, stated.half().float())
        assert load_generator(exported(tmp_path / "real.safetensors", dataset="deepfashion")).stretch == 256 / 176

    def test_the_authors(self, tmp_path, monkeypatch):
        asked = Mock(return_value=network())
        monkeypatch.setattr("repro.models.authors.load", asked)
        found = load_generator("latest_net_G.pth", "market")
        assert asked.call_args.args == (Path("latest_net_G.pth"), "market")
        assert (found.size, found.sigma, found.stretch) == ((128, 64), 6.0, 1.0)
        assert found.name == "latest_net_G.pth (the authors')"
        monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
        with pytest.raises(MissingWeights, match=r"authors-fashion needs file authors-fashion\.pth"):
            load_generator(task="fashion")
        (tmp_path / "authors-fashion.pth").touch()
        found = load_generator(task="fashion")
        assert asked.call_args.args == (tmp_path / "authors-fashion.pth", "fashion")
        assert (found.size, found.sigma, found.stretch) == ((256, 256), 6.0, 256 / 176)

    def test_checkpoints_of_other_tasks(self, tmp_path):
        with pytest.raises(ValueError, match=r"unknown task 'dance': .* of 'fashion' and 'market'"):
            load_generator("x.pth", "dance")
        save_file({"flow_net.conv.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
        with pytest.raises(ValueError, match=r"1 unknown .* Is it a checkpoint of another task\?"):
            load_generator(tmp_path / "other.safetensors", "fashion")
        with pytest.raises(ValueError, match=r"other\.safetensors is no network of a run"):
            load_generator(tmp_path / "other.safetensors")
        for change in ({"model": {"kind": "sequential", "width": 0.0625}}, {"task": "clips"}):
            with pytest.raises(ValueError, match="no network that makes a picture of a pair of poses"):
                load_generator(exported(tmp_path / "clips.safetensors", **change))
        (tmp_path / "G.pth").write_bytes(b"PK")
        with pytest.raises(ValueError, match=r"G\.pth.*a checkpoint of the authors needs --task"):
            load_generator(tmp_path / "G.pth")
        with pytest.raises(FileNotFoundError, match="no weights"):
            load_generator(tmp_path / "none.safetensors")
