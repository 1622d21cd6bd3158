# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage: true times, upright pictures, damage, bad input. Clips are made here, with PyAV."""

from __future__ import annotations

import struct
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.footage import FootageInfo, Frame, probe, read_frames, video
from video_mocap.backend.footage.clock import steady_times

SHARED = Path(__file__).resolve().parents[2] / "shared" / "footage"

Picture = Callable[[int], np.ndarray]


def _numbered(width: int, height: int) -> Picture:
    """Pictures whose top-left quarter is red and whose right half is as bright as the frame's number."""

    def picture(index: int) -> np.ndarray:
        image = np.zeros((height, width, 3), np.uint8)
        image[:, width // 2 :] = 2 * index % 256
        image[: height // 2, : width // 2] = (255, 0, 0)
        return image

    return picture


def _number(image: np.ndarray) -> int:
    return round(float(image[:, image.shape[1] * 3 // 4].mean()) / 2)


def write_clip(
    path: Path,
    ticks: list[int],
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    picture: Picture | None = None,
    aspect: Fraction | None = None,
    color: tuple[int, int, int] | None = None,
) -> Path:
    """A clip with one frame at each of `ticks`, in milliseconds."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if codec != "mpeg2video":
            stream.codec_context.time_base = Fraction(1, 1000)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if color is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace = color
        for index, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray((picture or _numbered(*size))(index), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _even(count: int, step: int = 40) -> list[int]:
    return [index * step for index in range(count)]


def _turn(clip: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write the display matrix (a, b, c, d) into the only track header of an mp4."""
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    assert struct.unpack(">9i", data[at : at + 36])[0] == 1 << 16
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    clip.write_bytes(data)


def test_frames_have_the_times_and_pictures_they_were_written_with(tmp_path: Path) -> None:
    ticks = [0, 33, 67, 100, 300, 333, 366, 1000, 1001, 1100]
    clip = write_clip(tmp_path / "vfr.mp4", ticks, options={"bf": "2"})
    frames = list(read_frames(clip))
    assert [frame.index for frame in frames] == list(range(10))
    np.testing.assert_allclose([frame.time for frame in frames], np.array(ticks) / 1000, atol=1e-6)
    assert [_number(frame.image) for frame in frames] == pytest.approx(range(10), abs=1)
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image[5, 5, 0] > 200
    assert frames[0].image[5, 5, 2] < 60


def test_times_count_from_the_first_frame_of_a_clip_that_starts_late(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "late.mkv", [5000 + tick for tick in _even(5)])
    assert [frame.time for frame in read_frames(clip)] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


@pytest.mark.parametrize("options", [{"g": "8", "bf": "3"}, {"g": "8", "bf": "3", "x264-params": "open-gop=1"}])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(("start", "end"), [(0.9, 1.3), (1.28, None), (None, 0.2), (2.36, 9.0), (0.0, 0.04)])
def test_a_range_is_a_slice_of_the_whole(
    tmp_path: Path, suffix: str, options: dict[str, str], start: float | None, end: float | None
) -> None:
    ticks = [tick + (7 if row % 3 else 0) for row, tick in enumerate(_even(60))]
    clip = write_clip(tmp_path / f"clip{suffix}", ticks, options=options)
    inside = [f for f in read_frames(clip) if (start or 0) - 1e-6 <= f.time < (end or np.inf) - 1e-6]
    found = list(read_frames(clip, start, end))
    assert found
    assert [(f.index, f.time) for f in found] == [(f.index, f.time) for f in inside]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(found, inside, strict=True))


def test_a_late_range_is_reached_without_decoding_what_lies_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "long.mp4", _even(200), options={"g": "10"})
    decoded = 0
    decode = video.decode

    def counting(*arguments: object) -> Iterator[av.VideoFrame]:
        nonlocal decoded
        for frame in decode(*arguments):  # type: ignore[arg-type]
            decoded += 1
            yield frame

    monkeypatch.setattr(video, "decode", counting)
    frames = list(read_frames(clip, 7.0, 7.1))
    assert [frame.index for frame in frames] == [175, 176, 177]
    assert decoded < 30


@pytest.mark.parametrize(
    ("matrix", "expected", "corner"),
    [
        ((0, 1, -1, 0), (64, 48), (0, -1)),  # a quarter turn clockwise: the red corner goes to the top right
        ((0, -1, 1, 0), (64, 48), (-1, 0)),
        ((-1, 0, 0, -1), (48, 64), (-1, -1)),
        ((-1, 0, 0, 1), (48, 64), (0, -1)),  # mirrored, as some phones store selfies
    ],
)
def test_rotation_flags_are_applied(
    tmp_path: Path, matrix: tuple[int, int, int, int], expected: tuple[int, int], corner: tuple[int, int]
) -> None:
    clip = write_clip(tmp_path / "phone.mp4", _even(3))
    _turn(clip, matrix)
    info = probe(clip)
    assert (info.height, info.width) == expected
    for frame in read_frames(clip):
        assert frame.image.shape[:2] == expected
        red = [(y, x) for y in (0, -1) for x in (0, -1) if frame.image[y, x, 0] > 200 and frame.image[y, x, 2] < 60]
        assert red == [corner]


@pytest.mark.parametrize(
    ("codec", "pixels", "size", "color"),
    [
        ("ffv1", "yuv444p", (63, 47), None),
        ("ffv1", "yuv420p", (33, 21), None),
        ("libx264", "yuv420p10le", (64, 48), (9, 16, 9)),  # BT.2020, PQ
        ("libx264", "yuv422p10le", (64, 48), (9, 18, 9)),  # BT.2020, HLG
        ("ffv1", "gray", (64, 48), None),
        ("libx264", "yuv420p", (8, 8), None),
    ],
)
def test_odd_sizes_and_deep_pixels_become_rgb(
    tmp_path: Path, codec: str, pixels: str, size: tuple[int, int], color: tuple[int, int, int] | None
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", _even(3), size, codec, pixels, color=color)
    frames = list(read_frames(clip))
    assert len(frames) == 3
    assert (probe(clip).width, probe(clip).height) == size
    image = frames[0].image
    assert (image.shape, image.dtype) == ((size[1], size[0], 3), np.uint8)
    if pixels != "gray":
        assert image[1, 1, 0] > 180
        assert image[1, 1, 1] < 80


def test_pixels_become_square(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "anamorphic.mp4", _even(2), aspect=Fraction(4, 3))
    assert (probe(clip).width, probe(clip).height) == (85, 48)
    assert next(read_frames(clip)).image.shape == (48, 85, 3)


def test_interlaced_frames_are_deinterlaced_and_keep_their_times(tmp_path: Path) -> None:
    def woven(index: int) -> np.ndarray:
        image = np.zeros((96, 128, 3), np.uint8)
        image[0::2, 8 * index : 8 * index + 24] = 255
        image[1::2, 8 * index + 4 : 8 * index + 28] = 255
        return image

    def combing(image: np.ndarray) -> float:
        rows = image[..., 1].astype(float)
        return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())

    flags = {"flags": "+ildct+ilme", "x264-params": "tff=1", "crf": "5"}
    clip = write_clip(tmp_path / "tv.mp4", _even(8), (128, 96), options=flags, picture=woven)
    frames = list(read_frames(clip))
    assert [frame.time for frame in frames] == pytest.approx([index * 0.04 for index in range(8)])
    # The filter guesses at the ends of a clip; inside, the comb must be gone.
    assert max(combing(frame.image) for frame in frames[2:-2]) < 0.2 * combing(woven(3))
    assert next(read_frames(clip, 0.16)).index == 4


def test_a_truncated_file_gives_what_is_in_it_and_says_so(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "cut.mp4", _even(60), (320, 240), options={"g": "10"})
    whole = list(read_frames(clip))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    warnings: list[str] = []
    frames = list(read_frames(clip, warnings=warnings))
    assert 20 <= len(frames) < 60
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, whole, strict=False))
    assert len(warnings) == 1
    assert f"cut off: {len(frames)} of 60 frames" in warnings[0]
    warnings.clear()
    list(read_frames(clip, 0.6, warnings=warnings))
    assert f"cut off: {len(frames)} of 60 frames" in warnings[0]


def test_a_hole_in_a_file_is_passed_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "hole.ts", _even(60), (160, 120), options={"g": "6"}, codec="mpeg2video")
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 188 * 8] = bytes(188 * 8)
    clip.write_bytes(data)
    frames = list(read_frames(clip))
    assert 40 <= len(frames) <= 60
    assert frames[-1].time == pytest.approx(59 * 0.04, abs=0.05)
    assert (np.diff([frame.time for frame in frames]) > 0).all()


def test_a_whole_file_gives_no_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    list(read_frames(write_clip(tmp_path / "clip.mp4", _even(10)), warnings=warnings))
    assert warnings == []


def test_no_more_than_one_picture_is_kept(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", _even(120))
    seen: list[weakref.ref[np.ndarray]] = []
    most = 0
    for frame in read_frames(clip):
        seen.append(weakref.ref(frame.image))
        most = max(most, sum(picture() is not None for picture in seen))
    assert len(seen) == 120
    assert most <= 2


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([0, 0.1, 0.2], [0, 0.1, 0.2]),
        ([0, 0.1, 0.1, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, None, None, 0.3], [0, 0.1, 0.2, 0.3]),
        ([0, 0.2, 0.1, 0.6], [0, 0.2, 0.4, 0.6]),
        ([None] * 8, [0.1 * row for row in range(8)]),
        ([0.0] * 8, [0.1 * row for row in range(8)]),
        ([0, 0.1, 0.2, 0.3, None], [0, 0.1, 0.2, 0.3, 0.4]),
        ([5.0, 5.1, 0.0, 0.1, 0.2], [5.0, 5.1, 5.2, 5.3, 5.4]),
        ([], []),
    ],
)
def test_timestamps_are_repaired(stamps: list[float | None], expected: list[float]) -> None:
    assert [time for time, _ in steady_times(((stamp, "") for stamp in stamps), 0.1)] == pytest.approx(expected)


def test_repaired_times_increase_whatever_comes() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        stamps = [None if random.random() < 0.3 else float(random.integers(0, 40)) / 10 for _ in range(30)]
        out = list(steady_times(((stamp, row) for row, stamp in enumerate(stamps)), 0.1))
        assert [row for _, row in out] == list(range(30))
        assert (np.diff([time for time, _ in out]) > 0).all()


def _write_images(folder: Path, names: list[str], size: tuple[int, int] = (20, 10)) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        number = int("".join(filter(str.isdigit, name)) or 0)
        cv2.imwrite(str(folder / name), np.full((size[1], size[0], 3), number * 10 % 256, np.uint8))


def test_images_play_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    _write_images(tmp_path / "a", ["f2.png", "f10.png", "f9.png", "f11.PNG", "._f1.png"])
    (tmp_path / "a" / "notes.txt").write_text("no image")
    info = probe(tmp_path / "a")
    assert (info.width, info.height, info.fps, info.frame_count, info.kind, info.codec) == (
        *(20, 10, 24.0, 4),
        *("images", "png"),
    )
    frames = list(read_frames(tmp_path / "a", fps=10))
    assert [frame.image[0, 0, 0] // 10 for frame in frames] == [2, 9, 10, 11]
    assert [frame.time for frame in read_frames(tmp_path / "a", 0.1, 0.25, fps=10)] == pytest.approx([0.1, 0.2])


def test_one_numbered_image_stands_for_its_sequence(tmp_path: Path) -> None:
    _write_images(tmp_path, ["shot1_001.jpg", "shot1_002.jpg", "shot1_003.jpg", "shot2_001.jpg", "cover.jpg"])
    assert probe(tmp_path / "shot1_002.jpg").frame_count == 3
    assert len(list(read_frames(tmp_path / "cover.jpg"))) == 1


def test_a_missing_image_leaves_a_gap_in_time(tmp_path: Path) -> None:
    _write_images(tmp_path, ["f1.png", "f2.png", "f4.png", "f5.png"])
    warnings: list[str] = []
    frames: list[Frame] = list(read_frames(tmp_path, fps=10, warnings=warnings))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.3, 0.4])
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert len(warnings) == 1


def test_deep_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    deep = np.zeros((10, 20, 4), np.uint16)
    deep[..., 2] = deep[..., 3] = 65535
    cv2.imwrite(str(tmp_path / "f1.png"), deep)
    cv2.imwrite(str(tmp_path / "f2.tif"), deep[..., :3])
    for frame in read_frames(tmp_path):
        assert frame.image.dtype == np.uint8
        assert frame.image[0, 0].tolist() == [255, 0, 0]


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    _write_images(tmp_path, ["f1.png", "f2.png"])
    _write_images(tmp_path, ["f3.png"], size=(30, 10))
    with pytest.raises(UserError, match=r"f3\.png is 30 x 10 pixels"):
        list(read_frames(tmp_path))


def _bad_inputs(folder: Path) -> dict[str, Path]:
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video at all\n" * 200)
    (folder / "notes.txt").write_text("just some text\n" * 200)
    (folder / "blank.png").write_bytes(b"\x89PNG and nothing")
    (folder / "bare").mkdir()
    head = write_clip(folder / "whole.mp4", _even(10)).read_bytes()
    (folder / "headless.mp4").write_bytes(head[:600])
    with av.open(str(folder / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    names = ["absent.mp4", "empty.mp4", "text.mp4", "notes.txt", "blank.png", "bare", "headless.mp4", "sound.wav"]
    return {name: folder / name for name in names}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("absent.mp4", "does not exist"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "is not a video that can be read"),
        ("notes.txt", "no video stream|is not a video"),
        ("blank.png", "is not an image"),
        ("bare", "holds no images"),
        ("headless.mp4", "is not a video that can be read"),
        ("sound.wav", "has no video stream"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path: Path, name: str, says: str) -> None:
    path = _bad_inputs(tmp_path)[name]
    for attempt in (lambda: probe(path), lambda: list(read_frames(path))):
        with pytest.raises(UserError, match=says) as caught:
            attempt()
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_ranges_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", _even(10))
    with pytest.raises(UserError, match="must lie before the end"):
        read_frames(clip, 2.0, 1.0)
    with pytest.raises(UserError, match="must lie before the end"):
        read_frames(clip, 1.0, 1.0)
    with pytest.raises(UserError, match=r"ends at 0\.36 s, before the start at 5\.00 s"):
        list(read_frames(clip, 5.0))
    with pytest.raises(UserError, match="no frame"):
        list(read_frames(clip, 0.05, 0.06))
    with pytest.raises(UserError, match="number of seconds"):
        read_frames(clip, float("nan"))


def test_a_very_large_picture_is_read(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "8k.mkv", [0], (7680, 4320), "mjpeg", "yuvj420p")
    assert [frame.image.shape for frame in read_frames(clip)] == [(4320, 7680, 3)]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development footage is not here")
@pytest.mark.parametrize(("name", "count", "fps"), [("cam02", 100, 60), ("pose_squats", 65, 5)])
def test_real_footage(name: str, count: int, fps: float) -> None:
    clip = SHARED / f"{name}.mp4"
    info = probe(clip)
    frames = [(frame.index, frame.time, frame.image.shape) for frame in read_frames(clip)]
    assert (info.frame_count, info.fps) == (count, fps)
    assert frames == [(row, pytest.approx(row / fps), (info.height, info.width, 3)) for row in range(count)]


def test_frames_to_expect_in_a_range(tmp_path: Path) -> None:
    info = FootageInfo(tmp_path / "a.mp4", 64, 48, 30.0, 90, 3.0, "video", "h264")
    assert info.expected_frames() == 90
    assert info.expected_frames(start=1.0) == 60
    assert info.expected_frames(end=2.0) == 60
    assert info.expected_frames(1.0, 10.0) == 60
