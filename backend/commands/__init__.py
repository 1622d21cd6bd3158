# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `video-mocap`, one small file each.

A command module has HELP (one line), `add_arguments(parser)` and `run(arguments, console)`, which gives the exit
status; optionally `usage_problem(arguments)`. Nothing heavy is imported at the top of any of them:
`video-mocap --help` answers at once.
"""
