"""Motion capture as a driver: readers of BVH and ASF/AMC, and the way from a capture to a person of the studio."""

from repro.data.mocap.asf_amc import read_asf_amc
from repro.data.mocap.bvh import read_bvh, write_bvh
from repro.data.mocap.capture import Capture
from repro.data.mocap.retarget import retarget

__all__ = ["Capture", "read_asf_amc", "read_bvh", "retarget", "write_bvh"]
