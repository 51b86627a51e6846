"""The page of notifications, as people use it on a tablet and at a desk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pytest_django import DjangoDbBlocker

from alyx.core.status import Status
from alyx.labs.models import Delivery, Mute, NotificationKind, NotificationRule
from alyx.labs.notifying import notify
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.test_pages import picture

TEXT = (
    "21.0 g on 2026-04-23 09:30: 71.5 % of the expected 30.86 g (minimum 24.99 g).\n"
    "Give all of its water and a supplement, and decide whether it goes on. Still to give today: 0.45 mL."
)
STATES = [
    (NotificationKind.UNDERWEIGHT, " is below its minimum weight", Status.FAILED, "sent"),
    (NotificationKind.UNDERWEIGHT, " is critically light", Status.CRITICAL, "unsure"),
    (NotificationKind.WATER_DUE, ": 0.45 mL still to give", Status.WARNING, "failed"),
    (NotificationKind.RESPONSIBLE_CHANGED, " is now in the care of kate", Status.NEUTRAL, "page_only"),
]


@pytest.fixture(scope="module")
def told(days: LabDays, django_db_blocker: DjangoDbBlocker) -> Iterator[list[Delivery]]:
    """News of each colour for the administrator, with mails in each state; committed, so that the server sees it."""
    rows: list[Delivery] = []
    errors = {"failed": "550 mailbox unavailable", "unsure": "the sender ended before it noted that the mail had left"}
    with django_db_blocker.unblock():
        for number, (kind, words, status, state) in enumerate(STATES):
            news = notify(
                kind=kind,
                about=days.subject,
                key=f"journey {number}",
                title=f"{days.subject.nickname}{words}",
                text=TEXT,
                lab=days.lab,
                status=status,
                responsible=days.admin,
            )
            assert news is not None
            rows.append(news.deliveries.get())
            values = {"state": state, "sent_at": days.lab.created_at if state == "sent" else None}
            Delivery.objects.filter(pk=rows[-1].pk).update(last_error=errors.get(state, ""), **values)
    yield rows
    with django_db_blocker.unblock():
        Delivery.objects.filter(user=days.admin).delete()
        Mute.objects.filter(user=days.admin).delete()
        NotificationRule.objects.filter(user=days.admin).delete()


@pytest.mark.parametrize(
    ("viewport", "theme"), [("tablet", "light"), ("desktop", "light"), ("tablet", "dark"), ("desktop", "dark")]
)
def test_the_page_fits_is_quiet_and_can_be_touched(
    told: list[Delivery], viewport: str, theme: str, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened("/admin/notifications/", viewport, theme)
    watch.page.get_by_text("Mute…").first.click()
    picture(watch, screenshots, f"notices-{viewport}-{theme}")
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def test_seen_muted_sent_again_and_ruled(told: list[Delivery], days: LabDays, opened: Opener) -> None:
    page = opened("/admin/notifications/", "tablet").page
    count = page.locator("#user-tools .news")
    expect(count).to_contain_text("4")
    expect(page.locator(".notice.new")).to_have_count(4)

    newest = page.locator(".notice.new").first
    newest.get_by_role("button", name="Seen").click()
    expect(page.locator(".notice.new")).to_have_count(3)
    expect(count).to_contain_text("3")

    page.get_by_text("Mute…").first.click()
    page.get_by_label("For how long").first.select_option("week")
    page.get_by_role("button", name="Mute", exact=True).first.click()
    expect(page.locator("#mutes")).to_be_visible()
    assert Mute.objects.get(user=days.admin).object_id == days.subject.pk
    page.get_by_role("button", name="Hear it again").click()
    expect(page.locator("#mutes")).to_have_count(0)

    page.get_by_role("row", name="550 mailbox unavailable").get_by_role("button", name="Send again").click()
    expect(page.get_by_role("row", name="550 mailbox unavailable")).to_have_count(0)
    assert Delivery.objects.get(pk=told[2].pk).state == "waiting"

    page.get_by_label("Underweight: all labs").check()
    page.get_by_label("Morning digest: nothing").check()
    page.get_by_role("button", name="Keep these rules").click()
    expect(page.get_by_label("Underweight: all labs")).to_be_checked()
    kept = NotificationRule.objects.filter(user=days.admin).order_by("kind").values_list("kind", "scope")
    assert list(kept) == [("digest", "none"), ("underweight", "all")]

    page.get_by_role("button", name="as seen").click()
    expect(page.locator(".notice.new")).to_have_count(0)
    expect(page.get_by_role("heading", name="Nothing new")).to_be_visible()

    page.locator(".notice").get_by_role("link", name="Open subject").first.click()
    expect(page).to_have_url(f"{page.url.split('/admin')[0]}/admin/subjects/subject/{days.subject.pk}/change/")
