"""A clip whose truth can be written down: a rough square that moves by whole pixels over a white background."""

import numpy as np
import torch

from repro.data.clip import Clip

SIZE, SIDE, TOP, LEFT = 32, 12, 8, 2


class Moving:
    """The person is a square; it is one column further to the right in every frame."""

    def person(self, frames, height, width):
        assert (height, width) == (SIZE, SIZE)
        person = torch.zeros(len(frames), height, width, dtype=torch.bool)
        for index, frame in enumerate(frames):
            person[index, TOP : TOP + SIDE, LEFT + frame : LEFT + frame + SIDE] = True
        return person

    def back(self, frames, steps, height, width):
        """Flow to ``steps`` frames earlier, and what those show: the person, and what it does not cover there."""
        person = self.person(frames, height, width)
        flow = torch.zeros(len(frames), 2, height, width)
        flow[:, 0] = torch.where(person, -torch.tensor(steps, dtype=torch.float32).view(-1, 1, 1), 0)
        before = self.person([frame - step for frame, step in zip(frames, steps)], height, width)
        return flow, person | ~before, person

    def to_source(self, frames, height, width):
        return self.back(frames, list(frames), height, width)

    def to_previous(self, frames, height, width):
        flow, visible, person = self.back(frames, [min(frame, 1) for frame in frames], height, width)
        visible[[frame == 0 for frame in frames]] = False
        return flow, visible, person


def moving_clip(seed=0, frames=17, truth=True, identity=7):
    """Return the clip; its source is frame 0."""
    texture = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    footage = torch.ones(frames, 3, SIZE, SIZE)
    for frame in range(frames):
        footage[frame, :, TOP : TOP + SIDE, LEFT + frame : LEFT + frame + SIDE] = texture
    nobody = torch.from_numpy(np.zeros((frames, 17, 2)))
    known = Moving() if truth else None
    return Clip(footage, nobody, nobody, footage[0], nobody[0], identity, 25.0, truth=known)
