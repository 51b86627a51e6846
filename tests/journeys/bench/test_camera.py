"""Codes before a camera: Chromium's own pretended one, which shows a film that the test has drawn."""

from pathlib import Path

import numpy as np
import pytest
import segno
from playwright.sync_api import expect

from tests.factories.weighing_round import Mice, twelve_mice
from tests.journeys.bench.conftest import TabletOf
from tests.journeys.bench.served import Bench

WIDTH, HEIGHT, FRAMES = 640, 480, 20


@pytest.fixture
def mice(up: Bench) -> Mice:
    """Of this test alone."""
    return up.do(twelve_mice)


def film_of(code: str, file: Path) -> tuple[str, ...]:
    """Draw a film in which somebody holds this code before the camera; the browser's arguments that show it."""
    dots = np.array([list(row) for row in segno.make(code, micro=False).matrix], dtype=np.uint8)
    side = min(WIDTH, HEIGHT) // (dots.shape[0] + 8)
    drawn = np.kron(1 - np.minimum(dots, 1), np.ones((side, side), dtype=np.uint8)) * 219 + 16
    light = np.full((HEIGHT, WIDTH), 235, dtype=np.uint8)
    top, left = (HEIGHT - drawn.shape[0]) // 2, (WIDTH - drawn.shape[1]) // 2
    light[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    grey = bytes([128]) * (WIDTH * HEIGHT // 2)
    with file.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode())
        for _ in range(FRAMES):
            film.write(b"FRAME\n" + light.tobytes() + grey)
    pretended = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    return (*pretended, f"--use-file-for-fake-video-capture={file}")


def test_a_cage_held_before_the_camera_is_weighed(tablet_of: TabletOf, mice: Mice, tmp_path: Path) -> None:
    mouse = mice.mice[6]
    tablet = tablet_of(mice.kate, arguments=film_of(mouse.nickname, tmp_path / "code.y4m"))
    page = tablet.open("/weigh/")
    expect(page.locator(f"#g-{mice.mice[0].pk}")).to_be_focused()
    page.get_by_role("button", name="Scan a code with the camera").tap()
    expect(page.locator(f"#g-{mouse.pk}")).to_be_focused()
    expect(page.locator("dialog.bench-camera")).to_have_count(0)


def test_an_animal_held_before_the_camera_is_operated(tablet_of: TabletOf, mice: Mice, tmp_path: Path) -> None:
    mouse = mice.mice[2]
    film = film_of(str(mouse.pk), tmp_path / "code.y4m")
    page = tablet_of(mice.kate, arguments=film).open("/surgery/")
    page.get_by_role("button", name="Scan with the camera").tap()
    expect(page.locator(".chosen-card h3")).to_have_text(mouse.nickname)


def test_a_camera_that_is_not_allowed_says_what_to_do(tablet_of: TabletOf, mice: Mice) -> None:
    page = tablet_of(mice.kate, arguments=("--deny-permission-prompts",)).open("/weigh/")
    page.get_by_role("button", name="Scan a code with the camera").tap()
    expect(page.get_by_text("The camera was not allowed")).to_be_visible()
