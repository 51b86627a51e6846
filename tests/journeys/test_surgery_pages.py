"""A surgery as it is entered: by keyboard alone, at two sizes; and what its pages look like."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import DjangoDbBlocker

from alyx.core.audit import acting
from alyx.core.clock import now, utc_to_wall
from subjects.models import (
    Drug,
    Implant,
    OtherProcedure,
    ProcedureType,
    Subject,
    Surgery,
    SurgeryTemplate,
    VirusBatch,
)
from subjects.services.drugs import create_drug
from subjects.services.procedure import create_virus_batch
from subjects.services.surgery import end_surgery, record_surgery
from subjects.services.templates import create_template
from tests.admin.pages import url
from tests.factories import a_subject, a_weighing
from tests.factories.lab_days import LabDays
from tests.journeys.conftest import Opener
from tests.journeys.test_pages import picture

EACH_WINDOW = pytest.mark.parametrize("viewport", ["tablet", "desktop"])
CHECKS = "/admin/subjects/surgery/checks/"


@dataclass(frozen=True)
class Theatre:
    """What the tests open."""

    mice: dict[str, Subject]
    """By viewport: each window operates its own."""
    drug: Drug
    template: SurgeryTemplate
    surgery: Surgery
    """Of yesterday, with every kind of part, and a check due today."""


@pytest.fixture(scope="module")
def theatre(days: LabDays, django_db_blocker: DjangoDbBlocker) -> Iterator[Theatre]:
    """A surgery room of the lab, committed."""
    with django_db_blocker.unblock(), acting(actor=days.admin, path="command tests", reason="a room to operate in"):
        today = utc_to_wall(now(), days.lab.timezone).replace(microsecond=0)
        born = today.date() - timedelta(days=90)
        mice = {
            "tablet": a_subject(days.lab, "OP_001", born_on=born),
            "desktop": a_subject(days.lab, "OP_002", born_on=born),
        }
        yesterdays = a_subject(days.lab, "OP_003", born_on=born)
        for mouse in (*mice.values(), yesterdays):
            a_weighing(mouse, 25.0, today - timedelta(days=2))
        drug = create_drug(
            actor=days.admin,
            values={
                "lab": days.lab,
                "name": "carprofen",
                "use": "analgesic",
                "concentration_mg_per_ml": 1.0,
                "dose_mg_per_kg": 5.0,
                "max_dose_mg_per_kg": 10.0,
            },
        )
        batch = create_virus_batch(actor=days.admin, values={"lab": days.lab, "name": "AAV9-GCaMP6s", "lot": "17"})
        content = {
            "procedures": ["Headplate implant"],
            "drugs": [{"drug": "carprofen", "dose_mg_per_kg": 5}],
            "parts": [{"part": "headplate", "headframe_type": "Alpha", "cement": "Super-Bond"}],
            "implant_weight_g": 1.4,
            "post_op_days": [1, 2, 3],
        }
        template = create_template(
            actor=days.admin, values={"lab": days.lab, "name": "headplate, standard", "content": content}
        )
        start = today - timedelta(days=1, hours=2)
        surgery = record_surgery(
            actor=days.admin,
            subject=yesterdays,
            values={
                "start_time": start,
                "implant_weight": 2.1,
                "narrative": "A craniotomy over V1, one probe. Little bleeding.",
                "procedures": list(ProcedureType.objects.filter(name__in=["Headplate implant", "Craniotomy"])),
            },
            parts=[
                {"part": "headplate", "headframe_type": "Alpha"},
                {"part": "craniotomy", "target": "VISp", "ap_mm": -3.5, "ml_mm": -2.5, "size_mm": 2.0},
                {
                    "part": "injection",
                    "virus_batch": batch,
                    "volume_nl": 200.0,
                    "rate_nl_per_min": 50.0,
                    "target": "VISp",
                },
                {"part": "implant", "kind": "probe", "name": "probe00", "serial": "19011110222", "target": "VISp"},
                {"part": "drug", "drug": drug},
                {"part": "event", "what": "isoflurane", "value": 1.5, "unit": "%"},
            ],
        )
        end_surgery(actor=days.admin, surgery=surgery, values={"end_time": start + timedelta(hours=2)})
        yield Theatre(mice, drug, template, surgery)


PAGES = ["add", "from-template", "change", "list", "checks", "procedure", "drug", "batch", "template", "implant"]


def address(page: str, theatre: Theatre) -> str:
    """Where a page is."""
    return {
        "add": url(Surgery, "add"),
        "from-template": f"{url(Surgery, 'add')}?template={theatre.template.pk}&subject={theatre.mice['tablet'].pk}",
        "change": url(Surgery, "change", theatre.surgery.pk),
        "list": url(Surgery, "changelist"),
        "checks": f"{CHECKS}?surgery={theatre.surgery.pk}",
        "procedure": url(OtherProcedure, "add"),
        "drug": url(Drug, "change", theatre.drug.pk),
        "batch": url(VirusBatch, "add"),
        "template": url(SurgeryTemplate, "change", theatre.template.pk),
        "implant": url(Implant, "change", theatre.surgery.implants.get().pk),
    }[page]


@EACH_WINDOW
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_surgeries_fits_is_quiet_and_can_be_touched(
    page: str, viewport: str, theatre: Theatre, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened(address(page, theatre), viewport)
    watch.page.wait_for_load_state("networkidle")
    picture(watch, screenshots, f"surgery-{page}-{viewport}")
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def tab_until(page: Page, selector: str, limit: int = 90) -> None:
    """Press Tab until what has the focus matches."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    message = f"Tab never comes to {selector}"
    raise AssertionError(message)


@EACH_WINDOW
def test_a_headplate_surgery_is_entered_by_keyboard_alone(
    viewport: str, theatre: Theatre, opened: Opener, screenshots: Path | None
) -> None:
    mouse = theatre.mice[viewport]
    watch = opened(url(Surgery, "add"), viewport)
    page = watch.page
    tab_until(page, "#id_from_template")
    page.keyboard.type("headplate")
    tab_until(page, "#from-template button")
    page.keyboard.press("Enter")
    page.wait_for_url("**template=**")
    tab_until(page, ".field-subject .select2-selection")
    page.keyboard.press("Enter")
    page.keyboard.type(mouse.nickname)
    expect(page.locator(".select2-results__option--highlighted")).to_have_text(mouse.nickname)
    page.keyboard.press("Enter")
    expect(page.locator("#id_drugs_given-0-volume_ml")).to_have_value("0.13")
    expect(page.locator("#drugs_given-0 .explained")).to_contain_text("5 mg/kg × 25 g / 1000 / 1 mg/mL = 0.1250 mL")
    tab_until(page, "#id_narrative")
    page.keyboard.type("No bleeding.")
    tab_until(page, ".part-bar [data-group=timeline]")
    page.keyboard.press("Enter")
    tab_until(page, "#id_timeline-0-what")
    page.keyboard.type("incision")
    tab_until(page, "input[name=_continue]")
    picture(watch, screenshots, f"surgery-typed-{viewport}")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("added successfully")
    tab_until(page, ".missing button")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("1 ended")
    surgery = Surgery.objects.get(subject=mouse)
    plate, given = surgery.headplate_set.get(), surgery.drugs_given.get()
    assert (plate.cement, given.volume_ml, given.weight_g) == ("Super-Bond", 0.13, 25.0)
    assert (surgery.narrative, surgery.implant_weight_g, surgery.outcome_type) == ("No bleeding.", 1.4, "r")
    assert (surgery.timeline.get().what, surgery.checks.count()) == ("incision", 3)
    assert [one.name for one in surgery.procedures.all()] == ["Headplate implant"]
    assert "All is said" in page.locator(".missing").inner_text()
    assert watch.overflow() == []
    assert watch.problems == []


def test_the_volume_follows_while_one_types_and_too_much_is_said(theatre: Theatre, opened: Opener) -> None:
    watch = opened(address("from-template", theatre), "desktop")
    page = watch.page
    volume, line = page.locator("#id_drugs_given-0-volume_ml"), page.locator("#drugs_given-0 .explained")
    expect(volume).to_have_value("0.13")
    page.locator("#id_drugs_given-0-weight_g").fill("20")
    expect(volume).to_have_value("0.1")
    volume.fill("0.3")
    page.locator("#id_drugs_given-0-dose_mg_per_kg").fill("12")
    expect(volume).to_have_value("0.3")
    expect(line).to_contain_text("drawn up 0.24 mL")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist").first).to_contain_text("highest dose")
    expect(volume).to_have_value("0.3")
    expect(page.get_by_label("It is right: keep it")).to_be_visible()
    assert not Surgery.objects.filter(subject=theatre.mice["tablet"], drugs_given__dose_mg_per_kg=12).exists()
    assert watch.problems == []


def test_checks_are_scored_by_touch(theatre: Theatre, opened: Opener) -> None:
    watch = opened(CHECKS, "tablet")
    page = watch.page
    row = page.locator(".check-row", has_text="OP_003")
    for item in ("Activity", "Posture", "Wound", "Eating"):
        row.locator("fieldset.score", has_text=item).locator("label", has_text="0").tap()
    page.get_by_role("button", name="Save checks").tap()
    expect(page.locator(".messagelist")).to_contain_text("1 checked")
    check = theatre.surgery.checks.order_by("due_on")[0]
    assert set(check.scores.values()) == {0}
    assert watch.problems == []
