"""The page of a job that runs at a service: what holds it, and the button that ends it."""

import pytest
from django.test import Client
from django.urls import reverse

from alyx.core.admin_forms import REASON
from alyx.labs.models import Lab, Role
from tests.factories.engine import a_job
from tests.factories.people import a_lab, a_member
from tests.factories.records import a_repository
from transfers.models import Event, TransferJob

pytestmark = pytest.mark.django_db
VERB = "Cancel at the service"
SAID = "The storage is serviced until Monday."


@pytest.fixture
def lab() -> Lab:
    return a_lab()


@pytest.fixture
def job(lab: Lab) -> TransferJob:
    made = a_job("submitted", destination=a_repository(lab, role="central"))
    status = {"progress": "3 of 5 files", "said": SAID}
    TransferJob.objects.filter(pk=made.pk).update(
        remote_id="task", remote_state="active", remote_problem="paused", remote_status=status
    )
    return made


def opened(lab: Lab, role: Role) -> Client:
    browser = Client()
    browser.force_login(a_member(lab, role))
    return browser


def page(job: TransferJob) -> str:
    return reverse("admin:transfers_transferjob_change", args=[job.pk])


def cancel(browser: Client, job: TransferJob, reason: str) -> str:
    address = reverse("admin:transfers_transferjob_act", args=[job.pk, "cancel"])
    return browser.post(address, {REASON: reason}, follow=True).content.decode()


def test_the_page_says_what_the_service_said_and_a_manager_ends_it_with_a_reason(lab: Lab, job: TransferJob) -> None:
    browser = opened(lab, Role.DATA_MANAGER)
    shown = browser.get(page(job)).content.decode()
    assert SAID in shown
    assert "3 of 5 files" in shown
    assert VERB in shown
    assert "say why" in cancel(browser, job, " ")
    job.refresh_from_db()
    assert job.state == "submitted"
    after = cancel(browser, job, "the network is needed")
    job.refresh_from_db()
    assert job.state == "cancelling"
    assert "the network is needed" in after
    assert VERB not in browser.get(page(job)).content.decode()
    context = Event.objects.filter(subject_id=job.pk, new="cancelling").get().context or {}
    assert context["reason"] == "the network is needed"
    assert context["actor_name"]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_others_see_it_and_do_not_end_it(elsewhere: bool, lab: Lab, job: TransferJob) -> None:
    browser = opened(a_lab() if elsewhere else lab, Role.HEAD if elsewhere else Role.EXPERIMENTER)
    assert VERB not in browser.get(page(job)).content.decode()
    cancel(browser, job, "because I can")
    job.refresh_from_db()
    assert job.state == "submitted"


def test_a_job_of_our_own_has_no_such_button(lab: Lab) -> None:
    mine = a_job("submitted", destination=a_repository(lab, role="central"))
    assert VERB not in opened(lab, Role.DATA_MANAGER).get(page(mine)).content.decode()
