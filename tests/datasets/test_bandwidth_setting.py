"""Bandwidth is a setting of a repository like any other: checked, authorised, recorded."""

import pytest
from django.test import Client

from alyx.labs.models import Role
from datasets.models import Repository
from tests.factories.people import a_lab, a_member, a_superuser
from tests.factories.records import a_repository
from tests.factories.rest import Rest
from tests.ground.tables import event_model_of

pytestmark = pytest.mark.django_db

BY_DAY = "08:00-18:00 20 MB/s"


def test_a_data_manager_sets_it_over_rest_and_it_is_recorded() -> None:
    lab = a_lab()
    place = a_repository(lab)
    manager = a_member(lab, Role.DATA_MANAGER)
    answer = Rest(manager).patch(f"data-repository/{place.name}", {"bandwidth": "8:00 to 18:00 20mb/s"})
    assert answer.status_code == 200, answer.content
    assert "bandwidth" not in answer.json(), "the record is Alyx's"
    place.refresh_from_db()
    assert place.bandwidth == BY_DAY
    event = event_model_of(Repository).objects.filter(pgh_obj_id=place.pk).latest("pgh_id")
    assert (event.bandwidth, event.pgh_context.metadata["actor"]) == (BY_DAY, str(manager.pk))


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ("by day slowly", "write 08:00-18:00 20 MB/s"),
        ("00:00-24:00 nothing", "retire the repository"),
        ("x" * 2001, "2000"),
        (["08:00"], "string"),
    ],
)
def test_bad_input_names_the_field_and_the_fix_and_changes_nothing(sent: object, says: str) -> None:
    lab = a_lab()
    place = a_repository(lab, bandwidth=BY_DAY)
    answer = Rest(a_member(lab, Role.HEAD)).patch(f"data-repository/{place.name}", {"bandwidth": sent})
    assert answer.status_code == 400
    assert "bandwidth" in answer.content.decode()
    assert says in answer.content.decode()
    place.refresh_from_db()
    assert place.bandwidth == BY_DAY


def test_others_may_not() -> None:
    lab = a_lab()
    place = a_repository(lab)
    for who in (a_member(lab, Role.EXPERIMENTER), a_member(a_lab(), Role.HEAD)):
        assert Rest(who).patch(f"data-repository/{place.name}", {"bandwidth": BY_DAY}).status_code in {403, 404}
    place.refresh_from_db()
    assert place.bandwidth == ""


def test_its_page_has_the_field_and_says_what_is_wrong() -> None:
    place = a_repository(a_lab())
    browser = Client()
    browser.force_login(a_superuser("boss"))
    address = f"/admin/datasets/repository/{place.pk}/change/"
    page = browser.get(address)
    assert "08:00-18:00 20 MB/s" in page.content.decode(), "an example stands beside it"
    form = page.context["adminform"].form
    sent = {name: form.initial.get(name) or "" for name in form.fields}
    sent["labs"] = [str(lab.pk) for lab in place.labs.all()]
    refused = browser.post(address, sent | {"bandwidth": "18:00-8:00 20"})
    assert refused.status_code == 200
    assert "is no limit: write such as 20 MB/s" in refused.content.decode().replace("&#x27;", "'")
    done = browser.post(address, sent | {"bandwidth": "18:00-08:00 no limit\r\n" + BY_DAY})
    assert done.status_code == 302, done.content.decode()[:2000]
    place.refresh_from_db()
    assert place.bandwidth == f"{BY_DAY}\n18:00-08:00 no limit"
