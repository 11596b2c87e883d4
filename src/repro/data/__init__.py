"""Pairs, joints and heat maps, the procedural studio, readers of the real layouts."""

from repro.data.annotations import read_annotations
from repro.data.augmentation import augment_clip, augment_market
from repro.data.clip import Clip, MotionSequence, stack_clips
from repro.data.clip_export import export_clips, export_test_list
from repro.data.clip_inspection import check_clips
from repro.data.clip_real import RealClips
from repro.data.export import export_deepfashion, export_market
from repro.data.faceforensics import check_faces, export_faces
from repro.data.human36m import check_human36m, export_human36m
from repro.data.joints import JOINTS, LIMBS, MIRROR, heatmaps, is_missing, mirror_joints, scale_joints
from repro.data.layouts import flatten_name
from repro.data.pair import Pair, stack_pairs
from repro.data.photographs import astronaut, read_photographs
from repro.data.problems import DataError
from repro.data.real import RealPairs, check
from repro.data.sets import NAMES, PROCEDURAL, REAL, DataSet, PairSet, load, prepare
from repro.data.shapenet import check_shapenet
from repro.data.shapenet_export import export_shapenet
from repro.data.studio.fashion import FashionSet
from repro.data.studio.procedural_set import ProceduralSet

__all__ = [
    "JOINTS",
    "LIMBS",
    "MIRROR",
    "NAMES",
    "PROCEDURAL",
    "REAL",
    "Clip",
    "DataError",
    "DataSet",
    "FashionSet",
    "MotionSequence",
    "Pair",
    "PairSet",
    "ProceduralSet",
    "RealClips",
    "RealPairs",
    "astronaut",
    "augment_clip",
    "augment_market",
    "check",
    "check_clips",
    "check_faces",
    "check_human36m",
    "check_shapenet",
    "export_clips",
    "export_deepfashion",
    "export_faces",
    "export_human36m",
    "export_market",
    "export_shapenet",
    "export_test_list",
    "flatten_name",
    "heatmaps",
    "is_missing",
    "load",
    "mirror_joints",
    "prepare",
    "read_annotations",
    "read_photographs",
    "scale_joints",
    "stack_clips",
    "stack_pairs",
]
