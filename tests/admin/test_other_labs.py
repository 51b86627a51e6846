"""Nobody sees another lab's animals, sessions and files: not on a list, a page, in a search or in a box that suggests.

The addresses are found in the site itself, so that a new page is looked at too.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, reverse

from alyx.labs.models import Delivery, Project, ProjectRole, Role
from datasets.models import Dataset
from sessions.models import Session
from subjects.models import BreedingPair, Litter, Subject, Surgery, SurgeryTemplate
from tests.admin.conftest import logged_in
from tests.admin.pages import PAGES, Rows, url
from tests.factories import a_lab, a_member, a_restriction, a_stay, a_subject, a_surgery, a_weighing
from tests.factories.animals import MAKERS

pytestmark = [pytest.mark.django_db, pytest.mark.once]
OUT = {"logout", "jsi18n", "password_change", "password_change_done"}


@pytest.fixture
def there(rows: Rows) -> dict[type[Model], Model]:
    """A row of every kind that has a page, none of them of the lab of who looks."""
    made = {model: rows.make(model)[0] for model in PAGES}
    animal = a_subject(rows.lab, "unseen-animal", cage_name="unseen-cage")
    for maker in (a_weighing, a_restriction, a_surgery, a_stay):
        maker(animal)
    return {**made, Subject: animal, Delivery: MAKERS[Delivery]()}


def names() -> set[str]:
    """What says which animals, with them which sessions, and which files there are."""
    return {
        *Subject.objects.values_list("nickname", flat=True),
        *Dataset.objects.values_list("name", flat=True),
        *Litter.objects.values_list("name", flat=True),
        *BreedingPair.objects.values_list("name", flat=True),
    }


def addresses(there: dict[type[Model], Model]) -> Iterator[str]:
    """Every address of the site; where it is about one record, about one that is there."""
    for pattern in _patterns(admin.site.get_urls()):
        if not pattern.name or pattern.name in OUT:
            continue
        words = {"slug": "cull", "action": "withdraw", "app_label": "subjects", "url": ""}
        groups = {name: words.get(name, _key(pattern.name, there)) for name in pattern.pattern.regex.groupindex}
        if "content_type_id" not in groups:  # another site's
            yield reverse(f"admin:{pattern.name}", kwargs=groups)


def _patterns(found: list[Any]) -> Iterator[URLPattern]:
    for one in found:
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns)
        else:
            yield one


def _key(name: str, there: dict[type[Model], Model]) -> Any:
    for model, row in there.items():
        if name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
            return row.pk
    return there[Delivery if name == "notice" else Subject].pk


def asked_for(there: dict[type[Model], Model]) -> Iterator[str]:
    """Addresses that name a record after the question mark, and searches."""
    subject, surgery = there[Subject], Surgery.objects.filter(subject_id=there[Subject].pk).get()
    yield f"{reverse('admin:subjects_subject_job', args=['cull'])}?ids={subject.pk}"
    yield f"{reverse('admin:subjects_surgery_checks')}?surgery={surgery.pk}"
    yield f"{reverse('admin:subjects_surgery_dose')}?subject={subject.pk}"
    yield f"{url(Surgery, 'add')}?subject={subject.pk}&template={there[SurgeryTemplate].pk}"
    yield f"{url(Litter, 'add')}?breeding_pair={there[BreedingPair].pk}"
    yield "/admin/training/?lab=all"
    yield "/admin/subjects/housing/?of_lab=all"
    yield "/admin/subjects/subject/?alive=all"
    for word in ("unseen", str(subject.pk), Session.objects.all()[0], Dataset.objects.all()[0].name):
        yield f"/admin/find/?q={word}"
    for model, page in admin.site._registry.items():
        request = RequestFactory().get("/")
        for name in getattr(page, "get_autocomplete_fields")(request):  # noqa: B009
            where = f"app_label={model._meta.app_label}&model_name={model._meta.model_name}&field_name={name}"
            yield f"/admin/autocomplete/?{where}"
            yield f"/admin/autocomplete/?{where}&term=unseen"
    yield "/admin/subjects/surgery/autocomplete/?app_label=subjects&model_name=surgery&field_name=subject"


def told(client: Client, address: str, secrets: set[str]) -> set[str]:
    """Which of these the page says, beside what was asked."""
    answer = client.get(address, follow=False)
    assert answer.status_code in {200, 302, 403, 404, 405}, (address, answer.status_code)
    if answer.status_code != 200:
        return set()
    text = answer.content.decode()
    if answer["Content-Type"].startswith("application/json"):
        text = json.dumps([one["text"] for one in answer.json().get("results", [])]) if "results" in text else text
    asked = address.partition("?")[2]
    return {word for word in secrets if word in text and word not in asked}


def test_the_head_of_another_lab_sees_none_of_what_is_there(there: dict[type[Model], Model], root: Client) -> None:
    secrets = names()
    stranger = logged_in(a_member(a_lab("another"), Role.HEAD))
    places = [*addresses(there), *asked_for(there)]
    assert len(places) > 5 * len(PAGES)
    leaks = {place: found for place in places if (found := told(stranger, place, secrets))}
    assert not leaks
    lists = [place for place in places if place.count("/") <= 5]
    assert sum(bool(told(root, place, secrets)) for place in lists) > 25, "the names stand on no page at all"


def test_somebody_of_a_project_sees_its_animals_and_not_their_mates(rows: Rows) -> None:
    """On the animal's own pages too: cage mates, sessions outside the project, pedigree."""
    project = Project.objects.create(name="shared")
    litter: Any = rows.make(Litter)[0]
    shown, mate = (a_subject(litter.lab, name, litter=litter) for name in ("shown-animal", "hidden-mate"))
    shown.projects.add(project)
    stay: Any = a_stay(shown)
    a_stay(mate, housing=stay.housing)
    person = a_member(a_lab(), Role.READER)
    ProjectRole.objects.create(user=person, project=project, role="records")
    client = logged_in(person)
    pages = [
        url(Subject, "changelist"),
        url(Subject, "change", shown.pk),
        reverse("admin:subjects_subject_pedigree", args=[shown.pk]),
        reverse("admin:water_history", args=[shown.pk]),
    ]
    texts = [client.get(page) for page in pages]
    assert [answer.status_code for answer in texts] == [200] * len(pages)
    for answer in texts:
        text = answer.content.decode()
        assert "shown-animal" in text
        assert "hidden-mate" not in text
        assert litter.breeding_pair.father.nickname not in text
    assert client.get(url(Subject, "change", mate.pk)).status_code == 302
