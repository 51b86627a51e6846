"""Pictures that are more than they seem."""

import io
from typing import Any

import pytest
from PIL import Image, ImageDraw

from alyx.core.errors import Invalid
from alyx.core.notes import read_picture

pytestmark = pytest.mark.once


def moving(kind: str, frames: int, side: int = 20) -> bytes:
    """A picture that moves: a point goes from left to right and down."""
    shown = []
    for number in range(frames):
        frame = Image.new("L", (side, side))
        ImageDraw.Draw(frame).point((number % side, number // side % side), 255)
        shown.append(frame)
    out = io.BytesIO()
    shown[0].save(out, kind, save_all=True, append_images=shown[1:])
    return out.getvalue()


def reason(data: bytes, width: int | None = 800) -> Any:
    with pytest.raises(Invalid) as refused:
        read_picture(io.BytesIO(data), width)
    return refused.value.fields["image"][0]


def test_a_picture_of_ten_thousand_frames_is_counted_with_all_of_them() -> None:
    one = moving("GIF", 1, side=100)
    begins = 13 + 3 * 2 ** ((one[10] & 7) + 1)  # after the header and its colours
    many = one[:begins] + one[begins:-1] * 10_000 + one[-1:]
    assert "100 × 100 points in 10000 frames" in reason(many)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_a_picture_that_moves_is_kept_as_it_is_and_read_to_its_last_frame(kind: str) -> None:
    whole = moving(kind, 40)
    assert read_picture(io.BytesIO(whole), 10) == (whole, kind.lower())
    assert "can be read" in reason(whole[: len(whole) * 3 // 4])


def test_a_small_file_that_unfolds_to_ninety_million_points_is_told_so() -> None:
    out = io.BytesIO()
    Image.new("1", (9_500, 9_500)).save(out, "PNG", optimize=False)
    assert len(out.getvalue()) < 100_000
    assert "more than 60000000 points" in reason(out.getvalue())


def test_text_inside_a_picture_does_not_unfold_without_bound() -> None:
    from PIL.PngImagePlugin import PngInfo

    said, out = PngInfo(), io.BytesIO()
    said.add_text("a", "x" * 20_000_000, zip=True)
    Image.new("L", (10, 10)).save(out, "PNG", pnginfo=said)
    assert len(out.getvalue()) < 100_000
    assert "can be read" in reason(out.getvalue())


@pytest.mark.parametrize("width", [None, 50])
def test_a_photograph_of_a_telephone_has_a_preview_behind_it(width: int | None) -> None:
    out = io.BytesIO()
    photograph = Image.new("RGB", (100, 80), "red")
    photograph.save(out, "MPO", save_all=True, append_images=[Image.new("RGB", (10, 8))])
    kept, ending = read_picture(io.BytesIO(out.getvalue()), width)
    assert ending == "jpg"
    assert Image.open(io.BytesIO(kept)).size == ((50, 40) if width else (100, 80))
