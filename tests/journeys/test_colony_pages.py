"""The colony's pages as people use them: lists, the page of an animal, jobs on many; what they look like at two sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django import DjangoDbBlocker

from alyx.core.clock import AlyxNow
from subjects.models import BreedingPair, HandOver, Line, Litter, Subject, SubjectRequest, Zygosity
from tests.admin.pages import url
from tests.factories.colony_days import Colony, a_colony
from tests.factories.lab_days import LabDays
from tests.factories.people import a_lab
from tests.journeys.conftest import Opener
from tests.journeys.test_keyboard import tab_to
from tests.journeys.test_pages import picture

HIDDEN_SIDEWAYS = """() => [...document.querySelectorAll("#changelist .results")]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => `${e.scrollWidth} in ${e.clientWidth}`)"""
"""Columns of a list that are only seen by scrolling."""
EACH_WINDOW = pytest.mark.parametrize("viewport", ["tablet", "desktop"])


@pytest.fixture(scope="module")
def colony(days: LabDays, django_db_blocker: DjangoDbBlocker) -> Iterator[Colony]:
    """In a lab of its own beside that of the other journeys, committed; withdrawn before theirs go on."""
    with django_db_blocker.unblock():
        made = a_colony(a_lab("mousehouse", reference_weight_pct=0.85))
        yield made
        Subject.objects.filter(lab=made.lab).update(withdrawn_at=AlyxNow())


def address(page: str, colony: Colony) -> str:
    """Where a page is."""
    ids = "&".join(f"ids={pup.pk}" for pup in colony.pups)
    return {
        "animals": url(Subject, "changelist"),
        "animal": url(Subject, "change", colony.restricted.pk),
        "pedigree": reverse("admin:subjects_subject_pedigree", args=[colony.pups[0].pk]),
        "hand-over": f"{reverse('admin:subjects_subject_job', args=['hand-over'])}?{ids}",
        "cull": f"{reverse('admin:subjects_subject_job', args=['cull'])}?{ids}",
        "animal-form": url(Subject, "add"),
        "line": url(Line, "change", colony.line.pk),
        "pair": url(BreedingPair, "change", colony.pair.pk),
        "litter": url(Litter, "change", colony.litter.pk),
        "litter-enter": f"{url(Litter, 'add')}?breeding_pair={colony.pair.pk}",
        "litter-genotype": reverse("admin:subjects_litter_genotype", args=[colony.litter.pk]),
        "litter-wean": reverse("admin:subjects_litter_wean", args=[colony.litter.pk]),
        "request": url(SubjectRequest, "change", colony.request.pk),
        "request-allocate": reverse("admin:subjects_subjectrequest_allocate", args=[colony.request.pk]),
    }[page]


PAGES = [
    "animals",
    "animal",
    "pedigree",
    "hand-over",
    "cull",
    "animal-form",
    "line",
    "pair",
    "litter",
    "litter-enter",
    "litter-genotype",
    "litter-wean",
    "request",
    "request-allocate",
]


@EACH_WINDOW
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_colony_fits_is_quiet_and_can_be_touched(
    page: str, viewport: str, colony: Colony, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened(address(page, colony), viewport)
    picture(watch, screenshots, f"colony-{page}-{viewport}")
    assert watch.problems == []
    assert watch.overflow() == []
    assert watch.page.evaluate(HIDDEN_SIDEWAYS) == []
    assert watch.too_small() == []
    assert watch.small_print() == []
    assert watch.faint() == []


def typed_in_box(page: Page, label: str, words: str) -> None:
    """Open a search box by keyboard, type, take the first that is found."""
    tab_to_box(page, label)
    page.keyboard.press("Enter")
    page.keyboard.type(words)
    expect(page.locator(".select2-results__option--highlighted")).to_contain_text(words)
    page.keyboard.press("Enter")


def tab_to_box(page: Page, label: str, limit: int = 60) -> None:
    """Press Tab until the search box of this field has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("l => document.activeElement.closest('.form-row')?.innerText.trim().startsWith(l)", label):
            return
    message = f"Tab never comes to the box {label!r}"
    raise AssertionError(message)


def test_a_litter_is_entered_and_genotyped_by_keyboard_alone(
    colony: Colony, opened: Opener, screenshots: Path | None
) -> None:
    watch = opened(url(Litter, "add"))
    page = watch.page
    typed_in_box(page, "Breeding pair", colony.pair.name)
    tab_to(page, "Females")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.type("1")
    page.keyboard.press("Enter")  # the rows are made, nothing is saved
    page.wait_for_selector("#id_p2-ear_mark")
    for number, mark in enumerate(("L", "R", "LR")):
        tab_to(page, f"Ear mark, pup {number + 1}")
        page.keyboard.type(mark)
    picture(watch, screenshots, "colony-litter-rows-desktop")
    tab_to(page, "Save litter")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("3 new pups")
    litter = Litter.objects.latest("created_at")
    pups = list(litter.subjects.order_by("nickname"))
    assert [(pup.sex, pup.ear_mark) for pup in pups] == [("F", "L"), ("F", "R"), ("M", "LR")]
    tab_to(page, "Genotype")
    page.keyboard.press("Enter")
    page.wait_for_url("**/genotype/")
    for sequence, result in (("GCaMP6f", "p"), ("Rosa-WT", "a")):
        tab_to(page, f"{sequence}, {pups[0].nickname}")
        page.keyboard.type(result)
    tab_to(page, "Save results")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("2 saved")
    expect(page.locator(".known").first).to_contain_text("Ai95D hom")
    tab_to(page, f"Accept Ai95D het from the parents of {pups[1].nickname}")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("1 saved")
    picture(watch, screenshots, "colony-litter-genotyped-desktop")
    zygosities = {row.subject_id: row.get_state_display() for row in Zygosity.objects.filter(subject__in=pups)}
    assert zygosities == {pups[0].pk: "homozygous", pups[1].pk: "heterozygous"}
    assert watch.problems == []
    assert watch.overflow() == []


def test_animals_are_chosen_in_the_list_and_handed_over_by_touch(colony: Colony, opened: Opener) -> None:
    watch = opened(f"{url(Subject, 'changelist')}?q={colony.line.nickname}", "tablet")
    page = watch.page
    for pup in colony.pups[:2]:
        page.get_by_role("row", name=pup.nickname).locator("input[type=checkbox]").check()
    page.locator("select[name=action]").select_option("hand_over")
    page.get_by_role("button", name="Go").tap()
    page.locator(".field-to .select2-selection").tap()
    page.locator(".select2-search__field").fill("kate")
    page.locator(".select2-results__option", has_text="kate").tap()
    page.get_by_label("Why").fill("for training")
    page.get_by_role("button", name="Hand over").tap()
    expect(page.locator(".messagelist")).to_contain_text("2 handed over")
    assert {row.reason for row in HandOver.objects.filter(to_user__username="kate")} == {"for training"}
    assert watch.problems == []


def test_a_number_of_today_opens_its_formula_by_keyboard(colony: Colony, opened: Opener) -> None:
    page = opened(url(Subject, "change", colony.restricted.pk)).page
    expect(page.get_by_text("pct = 100·(w − iw)/(ew − iw)")).to_be_hidden()
    tab_to(page, "per cent of the expected weight")
    page.keyboard.press("Enter")
    expect(page.get_by_text("pct = 100·(w − iw)/(ew − iw)")).to_be_visible()
