"""The procedural set ``fashion``: clothed people in front of a plain wall, imitating DeepFashion."""

from typing import Any

from repro.data.studio import camera as photographer
from repro.data.studio import wardrobe as clothes
from repro.data.studio.backdrop import Backdrop
from repro.data.studio.camera import Camera, fashion_camera
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh
from repro.data.studio.people_set import FACE_JOINTS, PeopleSet, detail, person_wardrobe
from repro.data.studio.pose import random_pose
from repro.data.studio.render import SUPERSAMPLING, View, render
from repro.data.studio.shading import random_light
from repro.data.studio.shot import Shot
from repro.data.studio.skeleton import Pose


class FashionSet(PeopleSet):
    """People before near-white walls, upper body or full body, from all sides."""

    name = "fashion"

    def stage(self, identity: Identity, number: int, mesh: Mesh) -> tuple[Pose, Camera]:
        """Return how a person stands in view ``number``, and the camera that sees them."""
        camera = fashion_camera(identity.rng("camera", number), identity.body.height)
        return random_pose(mesh, identity.rng("pose", number)), camera

    def photograph(self, identity: Identity, shots: list[Shot], numbers: list[int]) -> list[View]:
        """Return the pictures of a person's views, each with its own light and wall."""
        lights = [random_light(identity.rng("light", number), shot.camera) for number, shot in zip(numbers, shots)]
        walls = [Backdrop.random(identity.rng("backdrop", number)) for number in numbers]
        poses, cameras = [shot.pose for shot in shots], [shot.camera for shot in shots]
        wardrobe = person_wardrobe(identity)
        return render(shots[0].mesh, wardrobe, poses, cameras, self.size, light=lights, background=walls)

    def settings(self) -> dict[str, Any]:
        """Return what else decides the content."""
        return {
            "detail": detail(self.size),
            "supersampling": SUPERSAMPLING,
            "upper_body_share": photographer.UPPER_BODY_SHARE,
            "back_share": photographer.BACK_SHARE,
            "held_out": [clothes.HELD_OUT, clothes.HELD_OUT_SHARE],
            "face_joints": FACE_JOINTS,
            "people": [self.people, self.views],
        }
