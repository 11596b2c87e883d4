"""Which skeletons drive the clip: those of the motion as given, or cleaned by the Motion Extraction Network."""

from collections.abc import Callable

from torch import Tensor

from repro.checks import require_choice
from repro.data.joints import is_missing
from repro.data.tracking import Track
from repro.experiments.clips import extractor
from repro.training.motion_inference import extract_motion

SKELETONS = ("auto", "extracted", "given")


def driving_skeletons(
    track: Track, place: Callable[[Tensor], Tensor], size: int, skeletons: str = "auto"
) -> tuple[Tensor, str]:
    """Return the joints (T, 17, 2) of Human3.6M in the square, and a note on where they come from.

    Args:
        track: the motion.
        place: takes its joints into the square.
        size: pixels a side of the square.
        skeletons: "extracted" as the paper does it: what a detector found goes through the Motion Extraction Network;
            "given": Human3.6M's joints are computed from it, captured ones are taken as they are; "auto": extracted
            where that is possible.

    Raises:
        ValueError, FileNotFoundError: "extracted", but the motion has no joints of a detector, or lacks some
            throughout; the network was not trained yet.
    """
    require_choice("kind of skeletons", skeletons, SKELETONS)
    reason = "as asked for"
    if skeletons != "given":
        try:
            return _extracted(track, place, size)
        except (ValueError, FileNotFoundError) as error:
            if skeletons == "extracted":
                raise
            reason = str(error)
    return place(track.joints), f"skeletons as given, not cleaned: {reason}"


def _extracted(track: Track, place: Callable[[Tensor], Tensor], size: int) -> tuple[Tensor, str]:
    if track.detected is None:
        raise ValueError("they are none of a detector")
    if bool(is_missing(track.detected).any()):
        raise ValueError("some of COCO's joints were never found")
    network, missing, weights = extractor()
    joints = extract_motion(network, place(track.detected), size, missing=missing)
    return joints, f"skeletons cleaned by the Motion Extraction Network ({weights[:12]})"
