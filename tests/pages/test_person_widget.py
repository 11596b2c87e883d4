"""A person to turn, repose and re-dress: what a slider changes and what it must not, with and without a kernel."""

import io
import re

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image

from repro.data.studio.identity import Identity
from repro.data.studio.mesh import pose_vertices
from repro.data.studio.pose import intersects
from repro.pages import person_widget
from repro.pages.person_widget import POSES, Redressed, draw, dressed, person_sliders, person_strips, posed

WHO = 21


class TestRedressed:
    def test_in_their_own_clothes_nothing_changes(self):
        own, plain = Redressed("fashion", "train", WHO, WHO), Identity("fashion", "train", WHO)
        assert own.outfit == plain.outfit
        assert own.rng("cloth", "top").integers(10**9) == plain.rng("cloth", "top").integers(10**9)

    def test_other_clothes_on_the_same_person(self):
        own, other = dressed(WHO, WHO), dressed(WHO, 4)
        assert own.identity.outfit != other.identity.outfit
        assert own.identity.body == other.identity.body
        assert own.identity.hair == other.identity.hair
        mine, theirs = (vars(one.wardrobe.body) for one in (own, other))
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
        assert own.wardrobe.face_style == other.wardrobe.face_style
        np.testing.assert_array_equal(own.mesh.skeleton.joints, other.mesh.skeleton.joints)

    def test_clothes_are_cut_for_who_wears_them(self):
        """The clothes of number 4 are drawn for the wearer's sex and size: two wearers, two outfits of one seed."""
        man = next(n for n in range(100) if Identity("fashion", "train", n).body.femininity < 0.5)
        for clothes in range(12):
            assert not any(
                piece.kind in ("skirt", "dress") for piece in Redressed("fashion", "train", man, clothes).outfit
            )


@pytest.mark.parametrize("pose", POSES)
def test_poses_stand_on_the_ground_with_arms_outside_of_the_body(pose):
    mesh = dressed(WHO, WHO).mesh
    for arms in (0, 90, 150):
        own = posed(dressed(WHO, WHO), pose, arms)
        assert not intersects(mesh, own), arms
        assert pose_vertices(mesh, own)[:, 1].min() == pytest.approx(0, abs=1e-9)


def test_unknown_poses_list_the_known_ones():
    with pytest.raises(ValueError, match="waving"):
        posed(dressed(WHO, WHO), "flying")


class TestSliders:
    @pytest.fixture
    def parts(self):
        box = person_sliders(WHO)
        picture, controls = box.children
        return picture, {control.description.split(",")[0]: control for control in controls.children}

    def test_the_picture_is_what_the_sliders_say(self, parts):
        picture, controls = parts
        assert isinstance(picture, widgets.Image)
        shown = np.asarray(Image.open(io.BytesIO(picture.value)))
        assert shown.shape == (*person_widget.SIZE, 3)
        expected = draw(WHO, controls["turn"].value, controls["pose"].value, controls["raise arms"].value)
        np.testing.assert_array_equal(shown, np.round(255 * expected.permute(1, 2, 0).numpy()))

    @pytest.mark.parametrize(("name", "value"), [("turn", 120), ("pose", "waving"), ("raise arms", 90), ("clothes", 4)])
    def test_a_slider_changes_the_picture_and_back(self, parts, name, value):
        picture, controls = parts
        first, start = picture.value, controls[name].value
        controls[name].value = value
        assert picture.value != first
        controls[name].value = start
        assert picture.value == first


def test_strips_move_without_a_kernel(monkeypatch):
    """Three strips, one picture per setting; at the widget's level of detail to keep the test short."""
    monkeypatch.setattr(person_widget, "draw", lambda *_, **__: torch.rand(3, 16, 10))
    text = person_strips(WHO, (4, WHO, 7)).data
    counts = [len(re.findall("<figure", part)) for part in text.split('class="slider-strip"')[1:]]
    assert counts == [12, len(POSES) + 1, 3]  # their own clothes are not shown twice
    assert "<script" not in text
