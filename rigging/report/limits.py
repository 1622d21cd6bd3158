# SPDX-License-Identifier: GPL-3.0-or-later
"""From where on a number of a report is fair, and from where on poor.

Of jitter, sliding and the floor: good is what 95 % of clips of people's own motion have, recorded without any camera's
guess, and poor what has twice as much. Of the picture: frames beyond it were off in 3D by twice as much as others.
Measured by benchmarks/reports.py; the numbers are in docs/benchmarks.md.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Mean distance of a frame's joints from the picture, as a share of the person's height there, that is still well.
FIT = 0.03
#: Mean confidence of a frame's joints that is still well.
CONFIDENCE = 0.4
#: A person of whom 95 % of the joints lie within more than this, in % of their height, may be nobody, if the capture is
#: less sure of them than this.
NOBODY_PERCENT, NOBODY_CONFIDENCE = 15.0, 0.45
#: How bad frames are in which nobody saw the person, as a multiple of what is still well.
UNSEEN = 1.5
#: Metres below the floor from which a joint is said to be in it.
BELOW_FLOOR = 0.02


@dataclass(frozen=True)
class Limit:
    """A number up to `good` is good, beyond `poor` it is poor, fair between."""

    good: float
    poor: float

    def grade(self, value: float) -> int:
        """0 good, 1 fair, 2 poor."""
        return int(value > self.good) + int(value > self.poor)


#: By the key of a person's report.
LIMITS = {
    "reprojection_median_percent": Limit(1.5, 3.0),
    "jitter_ratio": Limit(2.0, 4.0),
    "bone_variation_percent": Limit(1.0, 3.0),
    "foot_slide_mm_s": Limit(100.0, 200.0),
    "below_floor_99_mm": Limit(35.0, 70.0),
}
