"""Who says how a lab's found files are taken in, and in whose name."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pghistory.models import Events

from alyx.core.errors import Forbidden, Invalid
from alyx.labs.models import Lab, Role, User
from tests.agent.place import Found
from tests.factories.engine import a_found_file, a_scan
from tests.factories.people import a_member
from transfers.models import FoundFile, IntakePolicy
from transfers.queries.scans import last_scans, unregistered
from transfers.rules.intake import Why
from transfers.services.intake import set_intake

pytestmark = pytest.mark.once


@pytest.mark.parametrize("role", [Role.READER, Role.EXPERIMENTER, Role.RIG])
def test_who_does_not_manage_the_labs_data_sets_no_policy(found: Found, role: Role) -> None:
    with pytest.raises(Forbidden):
        set_intake(actor=a_member(found.world.lab, role), lab=found.world.lab, values={"compress_video": True})
    found.policy.refresh_from_db()
    assert not found.policy.compress_video


def test_another_labs_head_sets_no_policy(found: Found) -> None:
    other = Lab.objects.create(name="otherlab", timezone="Europe/London")
    with pytest.raises(Forbidden):
        set_intake(actor=a_member(other, Role.HEAD), lab=found.world.lab, values={"create_sessions": True})


def test_nobody_lends_another_persons_name(found: Found) -> None:
    lab = found.world.lab
    stranger, person = (
        a_member(Lab.objects.create(name="l2", timezone="UTC"), Role.RIG),
        a_member(lab, Role.EXPERIMENTER),
    )
    for account in (stranger, person):
        with pytest.raises(Invalid) as refused:
            set_intake(actor=found.head, lab=lab, values={"account": account})
        assert "account" in refused.value.fields
    assert set_intake(actor=found.head, lab=lab, values={"account": found.head}).account == found.head


@pytest.mark.parametrize(
    ("values", "field"), [({"quiet_minutes": -1}, "quiet_minutes"), ({"flag_name": "a/b"}, "flag_name")]
)
def test_nonsense_is_refused_by_the_field(found: Found, values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        found.allow(**values)
    assert field in refused.value.fields


def opened(user: User) -> Client:
    """A browser."""
    client = Client()
    client.force_login(user)
    return client


def test_the_page_sets_it_by_the_service_and_the_change_is_on_record(found: Found) -> None:
    page = reverse("admin:transfers_intakepolicy_change", args=[found.policy.pk])
    values = {
        "account": str(found.rig.pk),
        "nightly": "on",
        "quiet_minutes": "20",
        "flag_name": "",
        "compress_video": "on",
    }
    refused = opened(a_member(found.world.lab, Role.EXPERIMENTER)).post(page, values)
    assert refused.status_code == 403
    answer = opened(found.head).post(page, {**values, "change_reason": "we agreed to lose pixels"})
    assert answer.status_code == 302, answer.content.decode()
    policy = IntakePolicy.objects.get()
    assert (policy.quiet_minutes, policy.compress_video) == (20, True)
    event = Events.objects.tracks(policy).latest("pgh_created_at")
    assert event.pgh_context["actor"] == str(found.head.pk)


def test_files_of_one_lab_are_not_shown_to_another(found: Found) -> None:
    mine = a_found_file(found.world.lab, found.world.here)
    other = a_member(Lab.objects.create(name="otherlab", timezone="Europe/London"), Role.HEAD)
    page = reverse("admin:transfers_foundfile_changelist")
    assert mine.path in opened(found.head).get(page).content.decode()
    assert mine.path not in opened(other).get(page).content.decode()


def test_what_is_unregistered_is_counted_by_lab_and_reason(found: Found) -> None:
    for _ in range(3):
        a_found_file(found.world.lab, found.world.here)
    a_found_file(found.world.lab, found.world.here, why=Why.CHANGING)
    a_found_file()
    typeless, changing = unregistered([found.world.lab.pk])
    assert (typeless.why, typeless.files, typeless.folders, typeless.size_bytes) == (Why.NO_TYPE, 3, 3, 3000)
    assert (typeless.waits, changing.waits, typeless.repository) == (False, True, "lab_server")
    assert sum(one.files for one in unregistered()) == 5
    a_scan(found.world.here, kind="hand")
    newest = a_scan(found.world.here, kind="hand")
    assert list(last_scans()) == [newest]


def said(*arguments: str) -> str:
    """What the command writes."""
    from io import StringIO

    out = StringIO()
    call_command("scan_repository", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_did_and_why_not(found: Found) -> None:
    found.put("alf/spikes.times.npy")
    found.put("alf/unheard.of.npy")
    text = said("lab_server", "--dry-run", "--finished")
    assert "1 would be registered" in text
    assert not FoundFile.objects.exists()
    text = said("lab_server", "--finished")
    assert "1 are now registered" in text
    assert "1 not: No dataset type or format fits its name. To do: rename it or add a dataset type." in text
    answer = json.loads(said("lab_server", "--json"))
    assert (answer["known"], answer["left"]) == (1, 1)
    assert answer["left_files"][0]["why"] == "no_type"


def test_the_command_refuses_what_cannot_be_scanned(found: Found) -> None:
    for name, words in (("nowhere", "there is no repository"), ("central_server", "only repositories of the role lab")):
        with pytest.raises(CommandError, match=words):
            said(name)
    (found.root / ".alyx-canary").unlink()
    with pytest.raises(CommandError, match="Nothing was registered"):
        said("lab_server")
