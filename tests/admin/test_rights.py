"""Who may do what on the pages: by the role in the lab concerned, and nothing by Django's own permissions."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client

from alyx.core.models import ReviewFlag
from alyx.labs.models import MANAGING_ROLES, WRITING_ROLES, Lab, Location, Membership, Role, Token, User
from datasets.models import FileRecord, Repository, Tag
from sessions.models import Session
from subjects.models import Subject
from tests.admin.conftest import logged_in
from tests.admin.pages import PAGES, Rows, url
from tests.factories import a_lab, a_member, a_superuser, a_user
from transfers.models import TransferItem

pytestmark = pytest.mark.django_db
EACH_PAGE = pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
OF_A_LAB: list[tuple[type[Model], dict[str, Any]]] = [
    (Subject, {"nickname": "renamed", "sex": "M"}),
    (Session, {"narrative": "changed", "qc": 10, "task_protocol": "p", "type": "t"}),
    (Repository, {"state": "full", "timezone": "UTC", "window_start": "02:00", "window_end": "08:00"}),
    (Location, {"name": "renamed"}),
]
IDS = [model.__name__ for model, _ in OF_A_LAB]


def change(client: Client, row: Model, form: dict[str, Any]) -> int:
    answer = client.post(url(type(row), "change", row.pk), {**form, "_save": "Save"})
    return answer.status_code


def unchanged(row: Model) -> bool:
    now = type(row)._base_manager.get(pk=row.pk)
    return all(getattr(now, field.attname) == getattr(row, field.attname) for field in row._meta.concrete_fields)


@EACH_PAGE
def test_somebody_who_is_no_staff_sees_nothing(model: type[Model], rows: Rows) -> None:
    (row,) = rows.make(model)
    outsider = logged_in(a_member(rows.lab, Role.HEAD, is_staff=False))
    for address in (
        url(model, "changelist"),
        url(model, "add"),
        url(model, "change", row.pk),
        url(model, "history", row.pk),
    ):
        for client in (outsider, Client()):
            answer = client.get(address)
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


@EACH_PAGE
def test_a_reader_writes_nothing(model: type[Model], rows: Rows) -> None:
    (row,) = rows.make(model)
    reader = logged_in(rows.member_everywhere(Role.READER))
    assert reader.post(url(model, "change", row.pk), {"_save": "Save"}).status_code in {
        403,
        *({302} if model is Token else ()),
    }
    if model is Token:  # another's: not there; their own they make as they like (tests/labs/test_tokens_page.py)
        return
    assert reader.post(url(model, "add"), {"_save": "Save"}).status_code == 403
    page = reader.get(url(model, "change", row.pk)).content.decode()
    assert 'name="_save"' not in page
    assert "record-actions" not in page


@EACH_PAGE
def test_nothing_is_deleted_on_a_page(model: type[Model], rows: Rows, root: Client) -> None:
    (row,) = rows.make(model)
    assert root.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    answer = root.post(
        url(model, "changelist"), {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    )
    assert answer.status_code in {200, 302, 403}
    assert type(row)._base_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize(("model", "form"), OF_A_LAB, ids=IDS)
@pytest.mark.parametrize("role", Role)
def test_a_member_writes_in_their_lab_by_their_role(
    model: type[Model], form: dict[str, Any], role: Role, rows: Rows
) -> None:
    (row,) = rows.make(model)
    if isinstance(row, Repository):
        row.labs.set([rows.lab])
    if isinstance(row, Subject):
        row.sessions.all().delete()  # one with sessions is not renamed
        form = {**form, "lab": str(rows.lab.pk)}
    if isinstance(row, Location):
        form = {**form, "lab": str(rows.lab.pk)}
    managed = model in {Repository, Subject}  # this animal is another person's
    allowed = role in (MANAGING_ROLES if managed else WRITING_ROLES)
    assert change(logged_in(rows.member(role)), row, form) == (302 if allowed else 403)
    assert unchanged(row) is not allowed


@pytest.mark.parametrize(("model", "form"), OF_A_LAB, ids=IDS)
@pytest.mark.parametrize("role", Role)
def test_nobody_writes_in_another_lab(model: type[Model], form: dict[str, Any], role: Role, rows: Rows) -> None:
    (row,) = rows.make(model)
    stranger = logged_in(a_member(a_lab(), role))
    assert change(stranger, row, form) in {403, 302}  # 302: what they do not read is not there
    assert unchanged(row)


@pytest.mark.usefixtures("open_reading")
@pytest.mark.parametrize(("model", "form"), OF_A_LAB, ids=IDS)
def test_nobody_writes_in_another_lab_that_they_read(model: type[Model], form: dict[str, Any], rows: Rows) -> None:
    (row,) = rows.make(model)
    assert change(logged_in(a_member(a_lab(), Role.HEAD)), row, form) == 403
    assert unchanged(row)


def test_nobody_moves_an_animal_into_a_lab_where_they_have_no_say(rows: Rows) -> None:
    subject, elsewhere = rows.subject(), a_lab()
    client = logged_in(rows.member(Role.HEAD))
    answer = client.post(
        url(Subject, "change", subject.pk),
        {"nickname": subject.nickname, "lab": str(elsewhere.pk), "sex": "F", "_save": "Save"},
    )
    assert answer.status_code == 200
    assert "may not" in answer.content.decode()
    assert unchanged(subject)


def test_a_manager_of_one_of_its_labs_does_not_change_a_shared_repository(rows: Rows) -> None:
    (shared,) = rows.make(Repository)  # of two labs
    assert change(logged_in(rows.member(Role.HEAD)), shared, {"state": "full"}) == 403


@pytest.mark.parametrize("model", [User, Lab])
def test_people_and_labs_are_made_by_superusers_only(model: type[Model], rows: Rows) -> None:
    head = logged_in(rows.member(Role.HEAD))
    assert head.get(url(model, "add")).status_code == 403
    assert head.post(url(model, "add"), {"_save": "Save"}).status_code == 403


@pytest.mark.parametrize("granted", ["nothing", "change_user"])
def test_nobody_raises_themselves_to_superuser(granted: str, rows: Rows) -> None:
    head = rows.member(Role.HEAD)
    if granted == "change_user":
        head.user_permissions.set(Permission.objects.filter(content_type__app_label="labs"))
    client = logged_in(head)
    form = {"username": head.username, "is_superuser": "on", "is_staff": "on", "is_active": "on", "_save": "Save"}
    assert client.post(url(User, "change", head.pk), form).status_code == 403
    assert client.get(f"/admin/labs/user/{head.pk}/password/").status_code == 403
    head.refresh_from_db()
    assert not head.is_superuser


def test_colleagues_do_not_see_addresses(rows: Rows, root: Client) -> None:
    person = a_user(email="secret@example.org")
    assert b"secret@example.org" not in logged_in(rows.member(Role.HEAD)).get(url(User, "change", person.pk)).content
    assert b"secret@example.org" in root.get(url(User, "change", person.pk)).content


def test_a_password_is_changed_only_by_its_owner_or_a_superuser(rows: Rows, root: Client) -> None:
    person = a_user()
    assert root.get(f"/admin/labs/user/{person.pk}/password/").status_code == 200
    assert logged_in(rows.member(Role.HEAD)).get(f"/admin/labs/user/{person.pk}/password/").status_code == 403


@pytest.mark.parametrize("role", Role)
def test_members_are_taken_in_by_the_head_only(role: Role, rows: Rows) -> None:
    new, client = a_user(), logged_in(rows.member(role))
    form = {
        "institution": "",
        "timezone": "Europe/London",
        "reference_weight_pct": "0",
        "zscore_weight_pct": "0",
        "collaborations-TOTAL_FORMS": "0",
        "collaborations-INITIAL_FORMS": "0",
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-user": str(new.pk),
        "memberships-0-lab": str(rows.lab.pk),
        "memberships-0-role": "reader",
        "_save": "Save",
    }
    assert client.post(url(Lab, "change", rows.lab.pk), form).status_code == (302 if role == Role.HEAD else 403)
    assert Membership.objects.filter(user=new).exists() == (role == Role.HEAD)


@pytest.mark.parametrize("role", Role)
def test_flags_are_decided_by_members_who_write(role: Role, rows: Rows) -> None:
    flag = rows.flag()
    client = logged_in(rows.member(role))
    client.post(f"/admin/core/reviewflag/{flag.pk}/do/resolve/", {"reason": "put right"})
    client.post(
        url(ReviewFlag, "changelist"), {"action": "resolve", "_selected_action": str(flag.pk), "reason": "put right"}
    )
    flag.refresh_from_db()
    assert flag.state == ("resolved" if role in WRITING_ROLES else "open")


def test_the_flags_of_another_lab_are_neither_seen_nor_decided(rows: Rows) -> None:
    flag = rows.flag()
    stranger = logged_in(a_member(a_lab(), Role.HEAD))
    assert flag.message not in stranger.get(url(ReviewFlag, "changelist")).content.decode()
    assert stranger.post(f"/admin/core/reviewflag/{flag.pk}/do/resolve/", {"reason": "mine now"}).status_code == 404
    stranger.post(url(ReviewFlag, "changelist"), {"action": "resolve", "_selected_action": str(flag.pk), "reason": "x"})
    flag.refresh_from_db()
    assert flag.state == "open"


@pytest.mark.parametrize("role", Role)
def test_copies_are_verified_on_request_of_members_who_write(role: Role, rows: Rows) -> None:
    dataset = rows.dataset()
    answer = logged_in(rows.member(role)).post(f"/admin/datasets/dataset/{dataset.pk}/do/verify/")
    asked = FileRecord.objects.filter(dataset=dataset, look_due_at__isnull=False).count()
    assert (answer.status_code, asked) == ((302, 2) if role in WRITING_ROLES else (403, 0))


@pytest.mark.usefixtures("open_reading")
def test_a_look_at_another_labs_copies_is_refused_with_a_sentence(rows: Rows) -> None:
    dataset = rows.dataset()
    stranger = logged_in(a_member(a_lab(), Role.HEAD))
    answer = stranger.post(f"/admin/datasets/dataset/{dataset.pk}/do/verify/", follow=True)
    assert "may not have copies verified" in answer.content.decode()
    assert not FileRecord.objects.filter(dataset=dataset, look_due_at__isnull=False).exists()


@pytest.mark.parametrize("role", Role)
def test_items_are_tried_again_by_those_who_manage_the_destination(role: Role, rows: Rows) -> None:
    item: Any = rows.make(TransferItem)[0]
    item.destination.labs.add(rows.lab)
    logged_in(rows.member(role)).post(f"/admin/transfers/transferitem/{item.pk}/do/retry/", {"reason": "disk is back"})
    item.refresh_from_db()
    assert item.state == ("planned" if role in MANAGING_ROLES else "needs_human")


def test_what_has_a_protected_tag_is_decided_by_managers(rows: Rows) -> None:
    tag = Tag.objects.create(name="paper")
    rows.dataset().tags.add(tag)
    form = {"name": "paper", "protected": "on", "_save": "Save"}
    answer = logged_in(rows.member(Role.EXPERIMENTER)).post(url(Tag, "change", tag.pk), form)
    assert answer.status_code == 200
    assert "may not" in answer.content.decode()
    assert logged_in(rows.member(Role.HEAD)).post(url(Tag, "change", tag.pk), form).status_code == 302


def test_a_button_needs_a_post_with_its_token(rows: Rows) -> None:
    dataset, user = rows.dataset(), a_superuser()
    address = f"/admin/datasets/dataset/{dataset.pk}/do/verify/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(address).status_code == 403
    client = logged_in(user)
    assert client.get(address).status_code == 405
    assert client.post(address.replace("verify", "get_urls")).status_code == 404


@pytest.mark.usefixtures("open_reading")
def test_where_reading_is_open_everybody_sees_what_other_labs_have(rows: Rows) -> None:
    stranger = logged_in(a_member(a_lab(), Role.READER))
    for row in (rows.subject(), rows.session(), rows.dataset()):
        assert stranger.get(url(type(row), "change", row.pk)).status_code == 200
