"""Who fills a pixel: counted on a clip small enough to see through."""

import torch

from repro.data.clip import Clip
from repro.pages import sequential


class Truth:
    """A person of four pixels that moves one pixel to the right per frame; the source is frame 0."""

    def to_source(self, frames, height, width):
        flow = torch.zeros(len(frames), 2, height, width)
        visible = torch.ones(len(frames), height, width, dtype=torch.bool)
        person = torch.zeros_like(visible)
        for number, frame in enumerate(frames):
            person[number, 1, frame : frame + 4] = True
            flow[number, 0][person[number]] = -float(frame)
            visible[number, 1, frame] = frame == 0  # the person's first column is hidden in the source
        return flow, visible, person

    def to_previous(self, frames, height, width):
        flow, visible, person = self.to_source(frames, height, width)
        visible[:] = True
        for number, frame in enumerate(frames):
            flow[number, 0][person[number]] = -1.0
            visible[number, 1, frame + 1] = False  # another column is hidden in the frame before
            if frame == 0:
                flow[number], visible[number] = 0, False
        return flow, visible, person


def clip():
    frames = torch.zeros(3, 3, 3, 8)
    for number in range(3):
        frames[number, :, 1, number : number + 4] = torch.tensor([0.2, 0.4, 0.6, 0.8])
    nobody = torch.zeros(3, 0, 2)
    return Clip(frames, nobody, nobody, frames[0], nobody[0], 0, 25.0, truth=Truth())


def test_every_pixel_of_the_person_has_one_answer():
    shares = sequential.shares(clip())
    assert shares.loc[2].to_dict() == {"both": 0.5, "source only": 0.25, "previous only": 0.25, "neither": 0.0}
    assert shares.loc[0].to_dict() == {"both": 0.0, "source only": 1.0, "previous only": 0.0, "neither": 0.0}
    picture = sequential.fill_picture(clip())[2, :, 1]
    assert picture[:, 2].tolist() == torch.tensor(sequential.FILLS["previous only"]).tolist()
    assert picture[:, 3].tolist() == torch.tensor(sequential.FILLS["source only"]).tolist()
    assert picture[:, 7].tolist() == [1.0, 1.0, 1.0]


def test_what_is_moved_is_the_frame_where_it_is_visible_and_grey_elsewhere():
    own = clip()
    for moved, hidden in ((sequential.from_source(own), 2), (sequential.from_previous(own), 3)):
        row = moved[2, 0, 1]
        expected = own.frames[2, 0, 1].clone()
        expected[hidden] = sequential.GREY
        assert torch.allclose(row[2:6], expected[2:6])


def test_grey_is_handed_on():
    handed = sequential.handed_on(clip())[:, 0, 1]
    assert torch.allclose(handed[0, :4], torch.tensor([0.2, 0.4, 0.6, 0.8]))
    assert torch.allclose(handed[1, 1:5], torch.tensor([0.2, 0.5, 0.6, 0.8]))
    assert torch.allclose(handed[2, 2:6], torch.tensor([0.2, 0.5, 0.6, 0.8]))


def test_detail_is_the_step_between_neighbours_on_the_person():
    assert torch.allclose(sequential.detail(clip().frames, clip().person), torch.full((3,), 0.2))
