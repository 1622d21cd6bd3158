# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture costs: time against detection alone, and peak memory on a clip and on the same clip ten times as long.

    python benchmarks/cost.py VIDEO [--repeats 3] [--times 10]

Whole processes are measured, start-up included, as a user has them. The best of the repeats counts: machines are noisy.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av


def run(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak memory (MiB) of `video-mocap` with these arguments and everything it starts, run in `folder`."""
    started = time.monotonic()
    command = [sys.executable, "-m", "video_mocap.backend.cli", *arguments]
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    message = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed: {message[-2000:]}")
    return time.monotonic() - started, usage.ru_maxrss / 1024


def lengthen(video: Path, output: Path, times: int) -> None:
    """The clip played forward `times` times, encoded anew with H.264."""
    with av.open(str(video)) as source:
        stream = source.streams.video[0]
        rate, width, height = stream.average_rate, stream.width, stream.height
        frames = [frame.reformat(format="yuv420p") for frame in source.decode(video=0)]
    with av.open(str(output), "w") as target:
        out = target.add_stream("libx264", rate=rate)
        out.width, out.height, out.pix_fmt = width - width % 2, height - height % 2, "yuv420p"
        for row in range(len(frames) * times):
            frame = frames[row % len(frames)]
            frame.pts, frame.time_base = row, 1 / rate
            target.mux(out.encode(frame))
        target.mux(out.encode())


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Cost of a capture.")
    parser.add_argument("video", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    video = arguments.video.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        detect = [run(["detect", str(video), "-o", "x.keypoints.npz"], folder) for _ in range(arguments.repeats)]
        capture = [run(["capture", str(video), "-o", "x.blend"], folder) for _ in range(arguments.repeats)]
        seconds = [min(second for second, _ in runs) for runs in (detect, capture)]
        print(f"detection alone {seconds[0]:.1f} s, capture {seconds[1]:.1f} s, ratio {seconds[1] / seconds[0]:.2f}")
        long = folder / "long.mp4"
        lengthen(video, long, arguments.times)
        _, short_memory = min(capture, key=lambda each: each[1])
        long_detect, _ = run(["detect", str(long), "-o", "long.keypoints.npz"], folder)
        long_capture, long_memory = run(["capture", str(long), "-o", "long.blend"], folder)
        print(
            f"{arguments.times} times as long: detection alone {long_detect:.1f} s, capture {long_capture:.1f} s, "
            f"ratio {long_capture / long_detect:.2f}"
        )
        print(
            f"peak memory {short_memory:.0f} MiB, {arguments.times} times as long {long_memory:.0f} MiB, "
            f"ratio {long_memory / short_memory:.3f}"
        )


if __name__ == "__main__":
    main()
