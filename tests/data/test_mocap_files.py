"""Motion capture from files: hand-computed positions, and every kind of damage said with its line."""

import numpy as np
import pytest

from repro.data import DataError
from repro.data.mocap import read_asf_amc, read_bvh

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Leg
  {
    OFFSET 0 -2 0
    CHANNELS 3 Xrotation Zrotation Yrotation
    End Site
    {
      OFFSET 0 -3 0
    }
  }
}
MOTION
Frames: 2
Frame Time: .0083333
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 90 90 0
"""

ASF = """# a comment
:version 1.10
:name tiny
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
  free text, begin end :not a section
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name thigh
    direction 0 -1 0
    length 2
    axis 0 0 90 XYZ
    dof rx ry
    limits (-160.0 20.0)
           (-inf inf)
  end
  begin
    id 2
    name shin
    direction 0 -2 0
    length 3
    axis 0 0 0 XYZ
    dof rx
    limits (-10.0 170.0)
  end
  begin
    id 3
    name stiff
    direction 1 0 0
    length 1
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root stiff thigh
    thigh shin
  end
"""

AMC = """#!OML:ASF tiny.asf
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
thigh 0 0
shin 0
2
root 1 2 3 0 0 90
thigh 0 90
shin 90
"""


def bvh(folder, text=BVH):
    (folder / "tiny.bvh").write_text(text)
    return read_bvh(folder / "tiny.bvh")


def asf_amc(folder, asf=ASF, amc=AMC):
    (folder / "tiny.asf").write_text(asf)
    (folder / "tiny.amc").write_text(amc)
    return read_asf_amc(folder / "tiny.asf", folder / "tiny.amc")


class TestBvh:
    def test_hand_computed_positions(self, tmp_path):
        capture = bvh(tmp_path)
        assert (capture.names, capture.parents, len(capture)) == (("Hips", "Leg", "Leg_end"), (-1, 0, 1), 2)
        assert capture.fps == 120.0  # .0083333 seconds
        assert capture.positions[0].tolist() == [[1, 2, 3], [1, 0, 3], [1, -3, 3]]
        # The root's quarter turn about z carries -y to +x. In its axes the leg turns about z first (-y to +x), then
        # about x, which keeps +x; seen from outside it ends along +y.
        np.testing.assert_allclose(capture.positions[1], [[1, 2, 3], [3, 2, 3], [3, 5, 3]], atol=1e-12)

    def test_the_files_order_of_channels_is_the_order_of_the_turns(self, tmp_path):
        capture = bvh(tmp_path, BVH.replace("Xrotation Zrotation Yrotation", "Zrotation Xrotation Yrotation"))
        # x first: -y to -z, which z keeps.
        np.testing.assert_allclose(capture.positions[1, 2], [3, 2, 0], atol=1e-12)

    def test_position_channels_of_a_joint_replace_its_offset(self, tmp_path):
        text = BVH.replace("CHANNELS 3 Xrotation Zrotation Yrotation", "CHANNELS 2 Yposition Xposition")
        text = text.replace("1 2 3 0 0 0 0 0 0", "1 2 3 0 0 0 -7 5").replace("90 0 0 90 90 0", "90 0 0 -7 5")
        capture = bvh(tmp_path, text)
        assert capture.positions[0].tolist() == [[1, 2, 3], [6, -5, 3], [6, -8, 3]]
        assert capture.rest.tolist() == [[0, 0, 0], [0, -2, 0], [0, -5, 0]]

    def test_windows_lines_and_braces_anywhere(self, tmp_path):
        text = BVH.replace("Hips\n{", "Hips {").replace("    }\n  }\n}", "} } }").replace("\n", "\r\n")
        np.testing.assert_array_equal(bvh(tmp_path, text).positions, bvh(tmp_path).positions)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("HIERARCHY", "HIERARCHIE", "line 1: expected HIERARCHY, got 'HIERARCHIE'"),
            ("Xrotation Zrotation Y", "Xrotation Wrotation Y", "line 9: Leg: expected 3 of .* got 'Wrotation'"),
            ("Xrotation Zrotation Y", "Xrotation Xrotation Y", "line 9: Leg: Xrotation"),
            ("OFFSET 0 -2 0", "OFFSET 0 -2 nan", "line 8: values in the offset of Leg, value 3: .* got 'nan'"),
            ("OFFSET 0 -2 0", "OFSET 0 -2 0", "line 8: 'OFSET'"),
            ("    OFFSET 0 -2 0\n", "", "joint without an offset"),
            ("JOINT Leg", "JOINT Hips", "line 6: Hips"),
            ("JOINT Leg", "ROOT Leg", "line 6: ROOT"),
            ("}\nMOTION", "MOTION", "line 15: expected } of Hips, got MOTION"),
            ("Frames: 2", "Frames: 0", "impossible length"),
            ("Frames: 2", "Frames: 3", "line 20: expected 3 frames, got 2"),
            ("Frames: 2", "Frames: 1", "line 20: expected 1 and then the end"),
            ("Frame Time: .0083333", "Frame Time: 0", "line 18: 2 frames of 0 seconds"),
            ("Frame Time: .0083333", "Frame Time: 1e-320", "line 18: 2 frames of .*e-32[01] seconds"),
            ("Frame Time: .0083333", "Frame: 1", "line 18: expected 'Frame Time: NUMBER'"),
            ("1 2 3 90 0 0 90 90 0", "1 2 3 90 0 0 90 90", "line 20: expected 9, got 8"),
            ("1 2 3 90 0 0 90 90 0", "1 2 3 90 0 0 90 9O 0", "line 20: values in frame 2, value 8: .* got '9O'"),
            ("MOTION\n" + BVH.partition("MOTION\n")[2], "", "truncated file"),
        ],
    )
    def test_damage_is_said_with_its_line(self, old, new, message, tmp_path):
        assert old in BVH
        with pytest.raises(DataError, match=message):
            bvh(tmp_path, BVH.replace(old, new))

    def test_no_file_no_text_nothing_in_it(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="absent"):
            read_bvh(tmp_path / "absent.bvh")
        with pytest.raises(DataError, match="empty file"):
            bvh(tmp_path, " \n")
        (tmp_path / "binary.bvh").write_bytes(b"\xff\xfe\x00HIERARCHY")
        with pytest.raises(DataError, match="not text"):
            read_bvh(tmp_path / "binary.bvh")


class TestAsfAmc:
    def test_hand_computed_positions(self, tmp_path):
        capture = asf_amc(tmp_path)
        assert capture.names == ("root", "thigh", "stiff", "shin", "stiff_end", "shin_end")
        assert capture.parents == (-1, 0, 0, 1, 2, 3)
        assert capture.fps == 120.0
        # The shin's direction is made one long.
        assert capture.positions[0].tolist() == [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 0, 3], [2, 2, 3], [1, -3, 3]]
        # The thigh's own y points along -x; a quarter turn about it carries -y to +z (-x times -y is z). The shin turns
        # about its own x before that: -y to -z, which the thigh carries to -y. At last the root's turn about z.
        expected = [[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 5], [1, 3, 3], [4, 2, 5]]
        np.testing.assert_allclose(capture.positions[1], expected, atol=1e-12)

    def test_radians(self, tmp_path):
        amc = AMC.replace(":DEGREES", ":RADIANS").replace("90", str(np.pi / 2))
        np.testing.assert_allclose(asf_amc(tmp_path, amc=amc).positions, asf_amc(tmp_path).positions, atol=1e-12)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (":bonedata", ":bones", "line 15: ':bones'"),
            ("angle deg", "angle grad", "line 7: expected angle deg or rad, got 'grad'"),
            ("name shin", "name thigh", "line 28: name thigh"),
            ("direction 1 0 0", "direction 0 0 0", "bone without a direction"),
            ("direction 1 0 0", "direction 1 0", "line 38: expected 3, got 2"),
            ("axis 0 0 90 XYZ", "axis 0 0 90 XYY", "line 21: expected X, Y and Z"),
            ("dof rx ry", "dof rx rw", "line 22: .* got .*rw"),
            ("           (-inf inf)\n", "", "thigh: expected 2, got 1"),
            ("(-10.0 170.0)", "(-10.0", "damaged limits"),
            ("thigh shin\n", "thigh shim\n", "line 45: 'shim'"),
            ("root stiff thigh", "root stiff thigh shin", "line 45: shin"),
            ("root stiff thigh", "root stiff", "bone outside the hierarchy"),
            (":hierarchy" + ASF.partition(":hierarchy")[2], "", "truncated file"),
        ],
    )
    def test_damage_of_the_skeleton(self, old, new, message, tmp_path):
        assert old in ASF
        with pytest.raises(DataError, match=message):
            asf_amc(tmp_path, asf=ASF.replace(old, new))

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("thigh 0 90", "thigh 90", "line 10: expected 2, got 1"),
            ("thigh 0 90", "tigh 0 90", "line 10: 'tigh' is not in the skeleton"),
            ("thigh 0 90", "thigh 0 x", "line 10: values of thigh in frame 2, value 2: .* got 'x'"),
            ("thigh 0 0\n", "", "line 7: frame 1: thigh"),
            ("thigh 0 90", "root 1 2 3 0 0 90", "line 10: frame 2: root"),
            ("shin 90\n", "", "truncated file"),
            ("\n2\n", "\n3\n", "line 8: expected 2, got '3'"),
            (AMC.partition("1\n")[1] + AMC.partition("1\n")[2], "", "at least one frame"),
        ],
    )
    def test_damage_of_the_motion(self, old, new, message, tmp_path):
        assert old in AMC
        with pytest.raises(DataError, match=message):
            asf_amc(tmp_path, amc=AMC.replace(old, new))


class TestResampling:
    def test_half_the_time_is_half_the_turn(self, tmp_path):
        capture = bvh(tmp_path).resampled(240)
        assert len(capture) == 3
        half = np.sqrt(0.5)
        np.testing.assert_allclose(capture.positions[1, 1], [1 + 2 * half, 2 - 2 * half, 3], atol=1e-12)
        np.testing.assert_allclose(capture.positions[[0, 2]], bvh(tmp_path).positions, atol=1e-12)

    def test_bones_keep_their_lengths_at_any_rate(self, tmp_path):
        line = "1 2 3 {0} 0 0 {1} {2} 0\n"
        rows = "".join(line.format(11 * k, 7 * k * k, 180 - 13 * k) for k in range(13))
        text = BVH.replace("Frames: 2", "Frames: 13").partition(".0083333\n")[0] + ".0083333\n" + rows
        for fps, count in ((25, 3), (120, 13), (50, 6), (7.5, 1)):
            capture = bvh(tmp_path, text).resampled(fps)
            assert (len(capture), capture.fps) == (count, fps)
            lengths = np.linalg.norm(np.diff(capture.positions, axis=1), axis=-1)
            np.testing.assert_allclose(lengths, np.broadcast_to([2.0, 3.0], (count, 2)), atol=1e-12)

    def test_no_rate_below_zero(self, tmp_path):
        with pytest.raises(ValueError, match="above 0"):
            bvh(tmp_path).resampled(0)
