# SPDX-License-Identifier: GPL-3.0-or-later
"""What every training has in common. A capture never imports it."""
