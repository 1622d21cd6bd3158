# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""What the user knows of a shot, its camera and its world: a part of `properties.SceneSettings`."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, PointerProperty, StringProperty

from .property_tools import RELATIVE

#: Their numbers are in .blend files: they stay when more come.
LENSES = (
    ("AUTO", "Estimate", "The lens is estimated from the footage", 0),
    ("FOCAL", "Pixels", "The focal length is known in pixels of the footage", 1),
    ("MILLIMETRES", "Millimetres", "The focal length is known in millimetres, and the sensor", 4),
    ("FOV", "Field of View", "The horizontal field of view is known", 2),
    ("CLIP", "Movie Clip", "Focal length and distortion of the movie clip that is captured, from its Lens panel", 5),
    ("CAMERA", "Camera", "Lens and movement of a camera in this file, such as a solved one, are used as they are", 3),
)
CAMERA_MOTIONS = (
    ("auto", "Find Out", "The background tells whether the camera stands still or turns"),
    ("still", "Stands Still", "The camera stands still, whatever the background does"),
    ("turning", "Turns", "The camera turns, on a tripod or in a hand, also where it seems to rest"),
)


def _is_camera(_settings: ShotSettings, thing: bpy.types.Object) -> bool:
    return thing.type == "CAMERA"


class ShotSettings:
    """Camera and world of the footage."""

    lens: EnumProperty(name="Lens", description="What is known about the camera that took the footage", items=LENSES)
    focal_length: FloatProperty(
        name="Focal Length", description="Focal length of the footage in pixels", min=1, soft_max=20000, default=1500
    )
    focal_mm: FloatProperty(
        name="Focal Length", description="Focal length in millimetres", min=0.1, max=9999, soft_max=500, default=35
    )
    sensor: FloatProperty(
        name="Sensor Width",
        description="Longer side of the sensor or film in millimetres; 36 for a focal length in 35 mm film",
        min=0.1,
        max=9999,
        soft_max=100,
        default=36,
    )
    fov: FloatProperty(
        name="Field of View",
        description="Horizontal field of view of the footage",
        subtype="ANGLE",
        min=0.0175,
        max=3.12,
        default=1.0472,
    )
    camera: PointerProperty(
        name="Camera",
        description="The camera that took the footage: solved or animated",
        type=bpy.types.Object,
        poll=_is_camera,
    )
    camera_path: StringProperty(
        name="Camera File", description="A known camera from a .camera.npz file", subtype="FILE_PATH", options=RELATIVE
    )
    distortion: StringProperty(
        name="Distortion",
        description="How the lens bends straight lines: OpenCV's k1,k2,p1,p2 or k1,k2,p1,p2,k3; empty: not at all",
    )
    camera_motion: EnumProperty(
        name="Motion", description="How a camera moved of which no more is known", items=CAMERA_MOTIONS, default="auto"
    )
    height: FloatProperty(
        name="Height",
        description="Standing height of the first person; 0: a usual height is assumed",
        subtype="DISTANCE",
        min=0,
        max=3,
        step=1,
    )
    vertical: StringProperty(
        name="Vertical Lines",
        description=(
            "Ends of a line that is vertical in the world, such as the edge of a door, in pixels of the first captured "
            "frame from its top left corner: X,Y,X,Y; several are joined by semicolons"
        ),
    )
    floor: StringProperty(
        name="Floor Points",
        description="Two points of the floor, in pixels of the first captured frame from its top left corner: X,Y,X,Y",
    )
    floor_distance: FloatProperty(
        name="Distance",
        description="Distance between the two floor points: it says how large everything is",
        subtype="DISTANCE",
        min=0,
        soft_max=20,
    )
    in_front: StringProperty(
        name="In Front",
        description=(
            "A joint that is nearer to the camera than another one between two seconds: NEARER,FARTHER,FROM,TO, as in "
            "left_wrist,thorax,1.2,1.8; several are joined by semicolons. A finished take has a list of its own"
        ),
    )
    stitch: StringProperty(
        name="Same People",
        description="Numbers of people who are one person, as in 2=1,5=3; of a finished take: Merge",
    )
