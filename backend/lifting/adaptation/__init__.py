# SPDX-License-Identifier: GPL-3.0-or-later
"""A lifter fitted to one person of one clip while that clip is captured, where joints held back say that it helps."""
