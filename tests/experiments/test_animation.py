"""A photograph made to move: the frames are the network's, any interruption costs nothing, memory is flat."""

import contextlib
import gc
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from repro.cli import main
from repro.data.images import read_image
from repro.data.tracking import Track
from repro.data.video_file import VideoFile
from repro.experiments.animation import Animator, animate, driving, load_animator, prepare
from repro.experiments.animation.frames import FrameFolder, to_bytes
from repro.experiments.weights import half, weights_hash
from repro.models import SequentialGFLA

SIDE = 64
PERSON = {
    0: (8, 24), 5: (16, 30), 6: (16, 18), 7: (26, 33), 8: (26, 15), 9: (35, 34), 10: (35, 14), 11: (36, 27),
    12: (36, 21), 13: (50, 27), 14: (50, 21), 15: (62, 27), 16: (62, 21), 1: (7, 25), 2: (7, 23), 3: (8, 27),
    4: (8, 21),
}  # fmt: skip


def network():
    return SequentialGFLA.preset(0.0625, init_gain=1.0, seed=0).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def animator():
    return Animator(network(), SIDE, 6.0, "tiny")


def people(shift):
    """One OpenPose frame of COCO's 17 joints in a photograph of 72 x 48 pixels, the right arm ``shift`` columns off."""
    places = [(y, x - shift * (joint in (8, 10))) for joint, (y, x) in sorted(PERSON.items())]
    return {"people": [{"pose_keypoints_2d": [value for y, x in places for value in (x, y, 1.0)]}]}


def files(folder, frames=7):
    """A photograph, its joints, and a motion."""
    pixels = np.random.default_rng(0).integers(0, 256, (72, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    (folder / "photo.json").write_text(json.dumps(people(0)))
    (folder / "poses.json").write_text(json.dumps([people(number / 2) for number in range(frames)]))
    return folder


def scene_in(folder, frames=7, **options):
    files(folder, frames)
    given = {"source_pose": folder / "photo.json", "skeletons": "given"} | options
    return prepare(folder / "photo.png", folder / "poses.json", SIDE, **given)


@pytest.fixture
def scene(tmp_path):
    return scene_in(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, animator):
    """The folder of the clip that nobody interrupted: frames and video."""
    folder = tmp_path_factory.mktemp("whole")
    animate(scene_in(folder), animator, folder / "clip.mp4")
    return folder


def contents(folder):
    """Bytes of the frames and the video."""
    paths = [*sorted((folder / "clip.mp4.frames").glob("*.png")), folder / "clip.mp4"]
    return [(path.name, path.read_bytes()) for path in paths]


@contextlib.contextmanager
def before_frame(number, do):
    """Do something in the moment before a frame is written."""
    add = FrameFolder.add

    def patched(self, picture, state):
        if self.done == number:
            do(self)
        add(self, picture, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FrameFolder, "add", patched)
        yield


class TestFrames:
    def test_they_are_those_of_the_network(self, whole, scene, animator):
        source = scene.photograph.image[None] * 2 - 1
        poses = torch.stack([scene.pose(number, 6.0) for number in range(7)], 1)
        images = animator.network(source, scene.source_pose(6.0), poses).images[0]
        top, left, height, width = scene.photograph.window
        assert (top, left, height, width) == (0, 11, 64, 42)
        for number, image in enumerate(images):
            own = to_bytes(image)[:, :, left : left + width]
            found = read_image(whole / "clip.mp4.frames" / f"{number:06d}.png")
            assert torch.equal((found * 255).round().byte(), own)
        assert len({content for _, content in contents(whole)[:-1]}) == 7  # and each is another picture

    def test_the_video_shows_them_at_its_rate(self, whole):
        video = VideoFile(whole / "clip.mp4")
        assert (video.fps, len(list(video))) == (25.0, 7)

    def test_bytes_of_an_image(self):
        values = torch.tensor([-2.0, -1.0, 0.0, 1 / 255, 1.0, 3.0])
        assert to_bytes(values).tolist() == [0, 0, 128, 128, 255, 255]

    def test_a_panel_shows_source_pose_and_result_and_makes_no_frame_again(self, whole, animator, tmp_path):
        shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
        with before_frame(0, lambda frames: pytest.fail("made again")):
            os.rename(tmp_path / "clip.mp4.frames", tmp_path / "clip.gif.frames")
            animate(scene_in(tmp_path), animator, tmp_path / "clip.gif", panel=True)
        frame = list(VideoFile(tmp_path / "clip.gif"))[3]
        assert frame.shape == (64, 3 * 42, 3)
        source, drawing, result = np.split(frame.astype(int), 3, axis=1)
        assert np.abs(drawing - np.asarray(Image.open(tmp_path / "photo.png").resize((42, 64)), int)).mean() > 50
        assert np.median(drawing) == 0
        assert drawing.max() > 200
        stated = (read_image(tmp_path / "clip.gif.frames" / "000003.png") * 255).permute(1, 2, 0).numpy()
        assert np.abs(result - stated).mean() < 12  # of its 256 colours
        assert np.abs(source - result).mean() > 30


class TestInterruptions:
    @pytest.fixture(autouse=True)
    def saved_when_told(self, monkeypatch):
        """However slow the machine is, no state is saved in between."""
        monkeypatch.setattr("repro.experiments.animation.frames.EVERY", float("inf"))

    def test_a_stop_saves_and_continues_to_the_same_bits(self, whole, scene, animator, tmp_path):
        with (
            before_frame(3, lambda frames: signal.raise_signal(signal.SIGINT)),
            pytest.raises(KeyboardInterrupt, match="stopped after 4 of 7 frames: repeat to continue"),
        ):
            animate(scene, animator, tmp_path / "clip.mp4")
        assert not (tmp_path / "clip.mp4").exists()
        animate(scene, animator, tmp_path / "clip.mp4")
        assert contents(tmp_path) == contents(whole)

    @pytest.mark.parametrize("saved", [0, 2])
    def test_what_a_kill_leaves_continues_to_the_same_bits(self, saved, whole, scene, animator, tmp_path):
        """Five frames and half a sixth are there, the state is that of frame ``saved`` - 1 or none."""
        folder, left = tmp_path / "clip.mp4.frames", tmp_path / "left"

        def kill(frames):
            shutil.copytree(folder, left)
            raise RuntimeError("killed")

        with (
            before_frame(5, kill),
            before_frame(saved, lambda frames: frames.save()),
            pytest.raises(RuntimeError, match="killed"),
        ):
            animate(scene, animator, tmp_path / "clip.mp4")
        shutil.rmtree(folder)
        left.rename(folder)
        (folder / ".000005.png.abc.tmp").write_bytes(b"half a frame")
        assert (folder / "checkpoint.safetensors").exists() == (saved > 0)
        animate(scene, animator, tmp_path / "clip.mp4")
        assert contents(tmp_path) == contents(whole)
        assert not list(folder.glob(".*"))

    @pytest.mark.slow
    def test_a_real_kill(self, animator, tmp_path):
        """SIGKILL before the fifth frame, from within, so that no load of the machine lets it come late; one thread."""
        files(tmp_path, 40)
        code = (
            "import os, signal, sys, torch\n"
            "from pathlib import Path\n"
            "sys.path.insert(0, sys.argv[2])\n"
            "from test_animation import *\n"
            "torch.set_num_threads(1)\n"
            "folder = Path(sys.argv[1])\n"
            "with before_frame(4, lambda _: os.kill(os.getpid(), signal.SIGKILL)):\n"
            "    animate(scene_in(folder, 40), Animator(network(), SIDE, 6.0, 'tiny'), folder / 'clip.mp4')\n"
        )
        done = subprocess.run([sys.executable, "-c", code, tmp_path, os.path.dirname(__file__)], check=False)
        assert done.returncode == -signal.SIGKILL
        assert (tmp_path / "clip.mp4.frames" / "000003.png").exists()
        assert not (tmp_path / "clip.mp4").exists()
        (tmp_path / "other").mkdir()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        for folder in (tmp_path, tmp_path / "other"):
            animate(scene_in(folder, 40), animator, folder / "clip.mp4")
        torch.set_num_threads(threads)
        assert contents(tmp_path) == contents(tmp_path / "other")

    def test_a_full_disk_keeps_the_frames(self, whole, scene, animator, tmp_path):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            with (
                before_frame(3, lambda frames: resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))),
                pytest.raises(OSError, match=r"cannot write .*: File too large; choose another folder"),
            ):
                animate(scene, animator, tmp_path / "clip.mp4")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        names = sorted(path.name for path in (tmp_path / "clip.mp4.frames").iterdir())
        assert names == ["000000.png", "000001.png", "000002.png"]
        animate(scene, animator, tmp_path / "clip.mp4")
        assert contents(tmp_path) == contents(whole)

    def test_another_clip_is_not_mixed_in(self, whole, animator, tmp_path):
        shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
        before = contents(tmp_path)
        other = scene_in(tmp_path, 8)
        with pytest.raises(ValueError, match=r"holds 7 frames of another clip \(changed: motion\)"):
            animate(other, animator, tmp_path / "clip.mp4")
        (tmp_path / "clip.mp4.frames" / "000002.png").unlink()
        with pytest.raises(ValueError, match=r"1 frames are missing \(first 000002.png\)"):
            animate(scene_in(tmp_path), animator, tmp_path / "clip.mp4")
        (tmp_path / "clip.mp4.frames" / "checkpoint.safetensors").write_bytes(b"damaged")
        with pytest.raises(ValueError, match="delete"):
            animate(scene_in(tmp_path), animator, tmp_path / "clip.mp4")
        assert contents(tmp_path) == [one for one in before if one[0] != "000002.png"]


def test_memory_does_not_grow_with_the_clip(animator, tmp_path):
    """Bytes of all tensors that are alive while frame 3 and frame 13 are written: equal."""
    alive = []

    def count(frames):
        gc.collect()
        tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
        alive.append(sum(tensor.untyped_storage().nbytes() for tensor in tensors))

    with before_frame(3, count), before_frame(13, count):
        animate(scene_in(tmp_path, 14), animator, tmp_path / "clip.mp4")
    assert alive[0] == alive[1]


class TestScene:
    def test_the_motion_is_put_where_the_person_stands(self, scene):
        """The motion is the person's own, but for an arm: it lies where the photograph's joints lie."""
        joints, own = scene.joints[0], scene.source_joints
        assert joints[[3, 6], 0].tolist() == pytest.approx(own[[16, 15], 0].tolist())  # ankles' rows
        assert float(joints[0, 1]) == pytest.approx(float(own[[11, 12], 1].mean()))  # the hip's column
        assert scene.notes == [
            "18 of 18 joints of the person in photo.png",
            "7 frames of coco17 joints (recognised)",
            "fitted to the person: one pixel of the motion is 0.889 pixels of the clip",
            "skeletons as given, not cleaned: as asked for",
        ]

    def test_unfitted_it_is_taken_in_the_photographs_pixels(self, tmp_path):
        files(tmp_path)
        moved = json.loads((tmp_path / "poses.json").read_text())
        for frame in moved:
            values = frame["people"][0]["pose_keypoints_2d"]
            values[0::3] = [x + 12 for x in values[0::3]]
        (tmp_path / "poses.json").write_text(json.dumps(moved))
        given = {"source_pose": tmp_path / "photo.json", "fps": 10.0, "skeletons": "given"}
        fitted, own = (
            prepare(tmp_path / "photo.png", tmp_path / "poses.json", SIDE, fitting=word, **given)
            for word in ("body", "none")
        )
        assert own.fps == 10.0
        shift = own.joints - fitted.joints
        # The photograph's sides became even numbers, 64/72 and 42/48, which a similarity does not follow.
        torch.testing.assert_close(shift, torch.tensor([0, 12 * 42 / 48]).double().expand(7, 17, 2), atol=0.2, rtol=0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 80}, "a multiple of 32 from 64 on, got 80"),
            ({"size": 32}, "a multiple of 32 from 64 on, got 32"),
            ({"fps": 0.0}, "between 0 and 1000 frames per second"),
            ({"layout": "body25"}, r"expected body25 joints \(..., 25, 2\)"),
            ({"layout": "body_25"}, "unknown joint layout"),
            ({"skeletons": "clean"}, "unknown kind of skeletons"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, tmp_path, options, message):
        files(tmp_path)
        given = {"size": SIDE, "source_pose": tmp_path / "photo.json"} | options
        with pytest.raises(ValueError, match=message):
            prepare(tmp_path / "photo.png", tmp_path / "poses.json", **given)

    def test_far_joints(self, tmp_path):
        files(tmp_path)
        far = [people(0), people(1e6)]
        (tmp_path / "poses.json").write_text(json.dumps(far))
        with pytest.raises(ValueError, match="pixels away: remove these outliers"):
            prepare(tmp_path / "photo.png", tmp_path / "poses.json", SIDE, source_pose=tmp_path / "photo.json")
        elsewhere = people(0)
        elsewhere["people"][0]["pose_keypoints_2d"][0::3] = [500.0] * 17
        (tmp_path / "photo.json").write_text(json.dumps(elsewhere))
        with pytest.raises(
            ValueError,
            match=r"all joints of the person in photo\.png lie outside of the picture",
        ):
            prepare(tmp_path / "photo.png", tmp_path / "poses.json", SIDE, source_pose=tmp_path / "photo.json")


class TestDrivingSkeletons:
    """A network that moves every joint down by a tenth of the picture stands in for the trained one."""

    @pytest.fixture
    def trained(self, monkeypatch):
        def extract(network, joints, width, *, missing):
            assert (network, missing) == ("network", "zero")
            return joints + torch.tensor([width / 10, 0.0], dtype=joints.dtype)

        monkeypatch.setattr(driving, "extractor", lambda: ("network", "zero", "0123456789abcdef"))
        monkeypatch.setattr(driving, "extract_motion", extract)

    def test_detected_joints_are_cleaned_where_they_stand(self, tmp_path, trained):
        scene = scene_in(tmp_path, skeletons="auto")
        assert scene.notes[-1] == "skeletons cleaned by the Motion Extraction Network (0123456789ab)"
        # COCO's left ankle is that of the photograph, a tenth of 64 pixels lower.
        assert float(scene.joints[0, 15, 0]) == pytest.approx(float(scene.source_joints[15, 0]) + 6.4)

    def test_others_are_taken_as_they_are(self, trained):
        captured = Track(torch.ones(3, 17, 2).double(), 25.0)
        gappy = Track(captured.joints, 25.0, [], captured.joints.index_fill(1, torch.tensor([7, 3, 15]), -1.0))
        faceless = Track(captured.joints, 25.0, [], captured.joints.index_fill(1, torch.arange(5), -1.0))
        advice = "take another detector, or a clip in which they can be seen"
        for track, reason in (
            (captured, "they are none of a detector"),
            (gappy, f"never found in the clip: left elbow, left ankle; .*: {advice}"),
            (faceless, f"never found in the clip: nose, left eye, right eye, left ear, right ear; .*: {advice}"),
        ):
            joints, note = driving.driving_skeletons(track, lambda joints: joints * 2, SIDE)
            assert torch.equal(joints, track.joints * 2)
            assert re.fullmatch(f"skeletons as given, not cleaned: {reason}", note)
            with pytest.raises(ValueError, match=reason):
                driving.driving_skeletons(track, lambda joints: joints, SIDE, "extracted")

    def test_parts_of_the_face_are_stood_in_for(self, trained):
        """Never found: the eyes and the left ear. They stand between nose and right ear; what is not drawn stays so."""
        detected = torch.rand(3, 17, 2, generator=torch.Generator().manual_seed(0)).double() * SIDE
        detected[:, 1:4] = -1
        joints = torch.full_like(detected, 9.0)
        joints[:, 10] = -1
        cleaned, note = driving.driving_skeletons(Track(joints, 25.0, [], detected), lambda joints: joints, SIDE)
        assert note.endswith("Network (0123456789ab); never found and stood in for: left eye, right eye, left ear")
        middle = (detected[:, 0] + detected[:, 4]) / 2
        expected = detected.clone()
        expected[:, 1:4] = middle[:, None]
        expected[..., 0] += SIDE / 10  # the stand-in network
        expected[:, 10] = -1
        torch.testing.assert_close(cleaned, expected)
        assert bool((detected[:, 1:4] == -1).all())

    def test_without_the_network(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
        assert "no Motion Extraction Network is recorded" in scene_in(tmp_path, skeletons="auto").notes[-1]
        with pytest.raises(FileNotFoundError, match="repro table motion"):
            scene_in(tmp_path, skeletons="extracted")


def exported(path, kind="sequential"):
    """A network of a run as the project writes it."""
    tensors = half(network())
    model = {"kind": kind, "width": 0.0625, "attention_mean": True}
    config = {"model": model, "data": {"size": SIDE, "heatmap_sigma": 2.5}}
    header = {"config": json.dumps(config), "weights_hash": weights_hash(tensors)}
    path.write_bytes(save(tensors, metadata=header))
    return path


class TestAnimator:
    def test_a_network_of_a_run(self, tmp_path):
        found = load_animator(exported(tmp_path / "own.safetensors"))
        assert (found.size, found.sigma, found.name) == (SIDE, 2.5, "own.safetensors")
        for ours, stated in zip(found.network.parameters(), network().parameters()):
            assert torch.equal(ours, stated.half().float())

    def test_the_one_that_ships_or_what_to_run(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
        with pytest.raises(FileNotFoundError, match=r"repro table IV --rows ours_animation.*--task dance"):
            load_animator()
        (tmp_path / "data" / "weights").mkdir(parents=True)
        exported(tmp_path / "data/weights/table_4-ours_animation-fashion_video-laptop-seed0-0123456789ab.safetensors")
        assert load_animator().size == SIDE

    def test_the_authors(self, monkeypatch):
        asked = Mock(return_value=network())
        monkeypatch.setattr("repro.models.authors.load", asked)
        found = load_animator("latest_net_G.pth", "dance")
        assert asked.call_args.args == (Path("latest_net_G.pth"), "dance")
        assert (found.size, found.sigma, found.name) == (256, 6.0, "latest_net_G.pth (the authors')")

    def test_what_does_not_animate(self, tmp_path):
        with pytest.raises(ValueError, match="unknown task 'face'"):
            load_animator("x.pth", "face")
        with pytest.raises(FileNotFoundError, match=r"authors-dance needs file authors-dance\.pth"):
            load_animator(None, "dance")
        with pytest.raises(FileNotFoundError, match="no weights"):
            load_animator(tmp_path / "none.safetensors")
        (tmp_path / "text.safetensors").write_text("text")
        with pytest.raises(ValueError, match=r"cannot read .*text\.safetensors"):
            load_animator(tmp_path / "text.safetensors")
        (tmp_path / "empty.safetensors").touch()
        with pytest.raises(ValueError, match=r"empty\.safetensors: the file is empty \(0 bytes\)"):
            load_animator(tmp_path / "empty.safetensors")
        with pytest.raises(IsADirectoryError, match="it is a folder"):
            load_animator(tmp_path)
        with pytest.raises(ValueError, match="no network that animates"):
            load_animator(exported(tmp_path / "pair.safetensors", kind="gfla"))
        content = bytearray(exported(tmp_path / "own.safetensors").read_bytes())
        content[-1] ^= 1
        (tmp_path / "own.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match="is damaged"):
            load_animator(tmp_path / "own.safetensors")


class TestCommand:
    def run(self, folder, *changes):
        exported(folder / "own.safetensors")
        words = {"source": "photo.png", "motion": "poses.json", "out": "clip.gif", "source-pose": "photo.json"}
        words |= {"weights": "own.safetensors"} | dict(changes)
        given = [[f"--{name}", str(folder / value) if "." in value else value] for name, value in words.items()]
        return main(["animate", *(word for pair in given for word in pair)])

    def test_it_says_what_it_found_and_where_the_clip_is(self, tmp_path, capsys):
        files(tmp_path, 3)
        assert self.run(tmp_path, ("fps", "12")) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "network: own.safetensors, 64 pixels a side"
        assert "3 frames of coco17 joints (recognised)" in said
        assert said[-1] == str(tmp_path / "clip.gif")
        assert len(list(VideoFile(tmp_path / "clip.gif"))) == 3

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (("out", "clip.webm"), "ends in .mp4, .gif"),
            (("out", "photo.png/new/clip.mp4"), "photo.png is a file, no folder: choose another --out"),
            (("out", "./"), "is a folder: give a name in it"),
            (("size", "0"), "a multiple of 32 from 64 on, got 0"),
            (("motion", "walk.bvh"), "no motion"),
            (("source", "none.png"), "no photograph"),
            (("fit", "bodies"), "unknown fit 'bodies': did you mean 'body'"),
            (("layout", "body_25"), "unknown joint layout 'body_25': did you mean 'body25'"),
            (("task", "face"), "unknown task 'face'"),
        ],
    )
    def test_what_a_person_got_wrong_is_one_line_and_no_folder(self, tmp_path, capsys, change, message):
        files(tmp_path, 3)
        assert self.run(tmp_path, change) == 2
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
        assert not list(tmp_path.glob("clip*"))

    @pytest.mark.parametrize("reads", ["source", "source-pose", "motion"])
    def test_what_is_read_is_never_written_over(self, tmp_path, capsys, monkeypatch, reads):
        """Given by another way to the same file, before anything is read."""
        files(tmp_path, 3)
        (tmp_path / "dance.gif").write_bytes(b"the user's own")
        (tmp_path / "link.gif").symlink_to("dance.gif")
        monkeypatch.chdir(tmp_path)
        for out in ("dance.gif", "link.gif", "./dance.gif"):
            assert self.run(tmp_path, (reads, "link.gif"), ("out", out)) == 2
            assert "is read and would be overwritten: choose another --out" in capsys.readouterr().err
        assert (tmp_path / "dance.gif").read_bytes() == b"the user's own"
        assert not list(tmp_path.glob("*.frames"))

    def test_nor_are_the_frames_put_into_what_is_read(self, tmp_path, capsys):
        files(tmp_path, 3)
        (tmp_path / "clip.gif.frames").mkdir()
        assert self.run(tmp_path, ("motion", "clip.gif.frames")) == 2
        assert "clip.gif.frames is read and would be overwritten" in capsys.readouterr().err
        (tmp_path / "clip.gif.frames").rmdir()
        (tmp_path / "clip.gif.frames").touch()
        assert self.run(tmp_path) == 2
        assert "clip.gif.frames should become a folder, and is a file" in capsys.readouterr().err

    def test_damage_in_the_middle_is_named_and_frames_are_kept(self, tmp_path, capsys):
        files(tmp_path, 4)
        assert self.run(tmp_path) == 0
        frames = sorted(tmp_path.glob("clip.gif.frames/*"))
        (tmp_path / "poses.json").write_text(json.dumps([people(0), people(1)], indent=0)[:150])
        assert self.run(tmp_path) == 2
        said = capsys.readouterr().err
        assert "poses.json: line" in said
        assert sorted(tmp_path.glob("clip.gif.frames/*")) == frames
