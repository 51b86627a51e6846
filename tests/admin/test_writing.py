"""Writing on a page: by the services, with who and why in the history; what is refused is said beside the field."""

from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from alyx.labs.models import Lab, Location, Project, Role, Token, User
from datasets.models import DatasetType, Repository, Revision, Tag
from sessions.models import Session
from subjects.models import Subject
from tests.admin.conftest import logged_in
from tests.admin.pages import Rows, url
from tests.factories import a_project, a_repository, a_session, a_subject, a_superuser, a_user
from tests.ground.tables import event_model_of
from transfers.models import Event, TransferItem

pytestmark = pytest.mark.django_db


def last_context(row: Model) -> dict[str, Any]:
    """The context of the last recorded change of a row."""
    event = event_model_of(type(row)).objects.filter(pgh_obj_id=row.pk).latest("pgh_id")
    context: dict[str, Any] = event.pgh_context.metadata
    return context


def errors(answer: Any) -> dict[str, list[str]]:
    """What the form says, by field."""
    return {name: list(sentences) for name, sentences in answer.context["adminform"].form.errors.items()}


def subject_form(subject: Subject, **changes: Any) -> dict[str, Any]:
    born = subject.born_on.isoformat() if subject.born_on else ""
    form = {"nickname": subject.nickname, "lab": str(subject.lab_id), "sex": subject.sex, "born_on": born}
    return {**form, **changes, "_save": "Save"}


def test_the_reason_typed_in_a_form_is_in_the_history(rows: Rows) -> None:
    subject, user = a_subject(rows.lab), rows.member(Role.EXPERIMENTER)
    form = subject_form(subject, description="grey ear", reason="seen on handling")
    assert logged_in(user).post(url(Subject, "change", subject.pk), form).status_code == 302
    context = last_context(subject)
    assert (context["actor"], context["reason"]) == (str(user.pk), "seen on handling")
    assert context["path"] == f"POST {url(Subject, 'change', subject.pk)}"
    page = logged_in(user).get(url(Subject, "history", subject.pk)).content.decode()
    assert all(words in page for words in ("seen on handling", user.username, "grey ear", "description"))


def test_an_animal_without_nickname_gets_the_labs_next_one(rows: Rows) -> None:
    client = logged_in(rows.member(Role.EXPERIMENTER))
    project = a_project()
    form = {"nickname": "", "lab": str(rows.lab.pk), "sex": "M", "projects": [str(project.pk)], "_save": "Save"}
    assert client.post(url(Subject, "add"), form).status_code == 302
    subject = Subject.objects.get(lab=rows.lab)
    assert subject.nickname == f"{rows.lab.name}_0001"
    assert list(subject.projects.all()) == [project]


def test_a_new_animal_is_proposed_as_mine_in_my_lab(rows: Rows) -> None:
    user = rows.member(Role.EXPERIMENTER)
    form = logged_in(user).get(url(Subject, "add")).context["adminform"].form
    assert (form.initial["lab"], form.initial["responsible_user"]) == (rows.lab.pk, user.pk)


def test_a_refused_name_is_said_beside_the_field_and_nothing_typed_is_lost(rows: Rows, root: Client) -> None:
    subject = a_subject(rows.lab)
    a_session(subject)
    form = subject_form(subject, nickname="new/name", description="a long text", reason="because")
    answer = root.post(url(Subject, "change", subject.pk), form)
    assert answer.status_code == 200
    assert "folder" in errors(answer)["nickname"][0]
    page = answer.content.decode()
    assert all(typed in page for typed in ("new/name", "a long text", "because"))
    subject.refresh_from_db()
    assert subject.description == ""


def test_a_refusal_in_the_services_words_stands_beside_our_field(rows: Rows, root: Client, monkeypatch: Any) -> None:
    from alyx.core.errors import Invalid

    def refuse(**_: Any) -> Subject:
        raise Invalid.of("death_date", "the animal was seen yesterday")

    monkeypatch.setattr("subjects.admin.subject.change_subject", refuse)
    subject = a_subject(rows.lab)
    answer = root.post(url(Subject, "change", subject.pk), subject_form(subject, died_on="2026-01-01"))
    assert errors(answer) == {"died_on": ["the animal was seen yesterday"]}


def test_an_animal_with_sessions_keeps_its_name(rows: Rows, root: Client) -> None:
    subject = a_subject(rows.lab)
    a_session(subject)
    answer = root.post(url(Subject, "change", subject.pk), subject_form(subject, nickname="other"))
    assert "sessions" in errors(answer)["nickname"][0]


def test_a_second_animal_of_the_same_name_in_any_case_is_refused(rows: Rows, root: Client) -> None:
    subject = a_subject(rows.lab, "Anna")
    answer = root.post(url(Subject, "add"), subject_form(subject, nickname="aNNA"))
    assert answer.status_code == 200
    assert Subject.objects.count() == 1


def test_animals_are_withdrawn_by_an_action_unless_they_have_sessions(rows: Rows) -> None:
    mistake, used = a_subject(rows.lab), a_subject(rows.lab)
    a_session(used)
    client = logged_in(rows.member(Role.HEAD))
    form = {"action": "withdraw", "_selected_action": [str(mistake.pk), str(used.pk)], "reason": "typed twice"}
    page = client.post(url(Subject, "changelist"), form, follow=True).content.decode()
    assert "1 animals withdrawn" in page
    assert f"{used.nickname}/" in page
    assert list(Subject.objects.shown()) == [used]
    assert last_context(mistake)["reason"] == "typed twice"


def test_a_session_is_changed_by_its_service(rows: Rows) -> None:
    session, person = a_session(a_subject(rows.lab)), a_user()
    rig, project = Location.objects.create(name="rig A", lab=rows.lab), a_project()
    form = {
        "location": str(rig.pk), "users": [str(person.pk)], "projects": [str(project.pk)], "qc": "40", "n_trials": "12",
        "narrative": "the lamp flickered", "task_protocol": session.task_protocol, "type": "", "json": '{"b": 1.0, "a": 1}',
        "extended_qc": "null", "_save": "Save",
    }  # fmt: skip
    answer = logged_in(rows.member(Role.EXPERIMENTER)).post(url(Session, "change", session.pk), form)
    assert answer.status_code == 302
    session.refresh_from_db()
    assert (session.location, session.qc, session.n_trials, session.narrative) == (rig, 40, 12, "the lamp flickered")
    assert (list(session.users.all()), list(session.projects.all())) == ([person], [project])
    assert list(session.json) == ["b", "a"]
    assert session.started_wall.microsecond == 0


def test_what_json_cannot_hold_is_said_beside_the_field(rows: Rows, root: Client) -> None:
    session = a_session(a_subject(rows.lab))
    form = {"qc": "0", "type": "", "task_protocol": "", "json": '{"x": NaN}', "_save": "Save"}
    answer = root.post(url(Session, "change", session.pk), form)
    assert "NaN" in errors(answer)["json"][0]


def test_a_repository_is_made_and_changed_by_its_service(rows: Rows, root: Client) -> None:
    form = {
        "name": "central 1", "kind": "posix", "role": "central", "labs": [str(rows.lab.pk)], "root": "relative/path",
        "timezone": "Europe/London", "window_start": "02:00", "window_end": "08:00", "state": "active", "_save": "Save",
    }  # fmt: skip
    answer = root.post(url(Repository, "add"), form)
    assert "absolute" in errors(answer)["root"][0]
    assert root.post(url(Repository, "add"), {**form, "root": "/data/central"}).status_code == 302
    made = Repository.objects.get(name="central 1")
    assert list(made.labs.all()) == [rows.lab]
    assert made.uuid_in_names  # as clients expect of a server
    secret = {**form, "root": "/data/central", "json": '{"secret key": "x"}'}
    assert "secret" in errors(root.post(url(Repository, "change", made.pk), secret))["json"][0]
    changed = {**form, "root": "/data/other", "data_url": "example.org/lab/Subjects", "reason": "moved"}
    assert root.post(url(Repository, "change", made.pk), changed).status_code == 302
    made.refresh_from_db()
    assert (made.root, made.data_url) == ("/data/other", "https://example.org/lab/Subjects/")
    assert last_context(made)["reason"] == "moved"


def test_managers_do_not_say_where_a_repository_lies(rows: Rows) -> None:
    repository = a_repository(rows.lab, root="/data/x")
    form = {"root": "/etc", "timezone": "UTC", "state": "active", "window_start": "02:00", "window_end": "08:00"}
    client = logged_in(rows.member(Role.HEAD))
    assert client.post(url(Repository, "change", repository.pk), {**form, "_save": "Save"}).status_code == 302
    repository.refresh_from_db()
    assert repository.root == "/data/x"


@pytest.mark.parametrize("model", [DatasetType, Tag, Revision, Project])
def test_words_are_added_and_changed_by_their_services(model: Any, rows: Rows) -> None:
    client = logged_in(rows.member(Role.EXPERIMENTER))
    assert client.post(url(model, "add"), {"name": "a.b", "_save": "Save"}).status_code == 302
    word = model.objects.get(name="a.b")
    roles = {"roles-TOTAL_FORMS": "0", "roles-INITIAL_FORMS": "0"}  # of a project
    form = {"name": "a.c", "description": "better", **roles, "_save": "Save"}
    assert client.post(url(model, "change", word.pk), form).status_code == 302
    word.refresh_from_db()
    assert (word.name, word.description) == ("a.c", "better")
    assert client.post(url(model, "add"), {"name": "a.c", "_save": "Save"}).status_code == 200


def test_a_lab_has_a_name_that_fits_in_paths_and_keeps_it(rows: Rows, root: Client) -> None:
    form = {
        "name": "a lab", "timezone": "Europe/Paris", "reference_weight_pct": "0.8", "zscore_weight_pct": "0",
        "memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0",
        "collaborations-TOTAL_FORMS": "0", "collaborations-INITIAL_FORMS": "0", "_save": "Save",
    }  # fmt: skip
    assert "letters" in errors(root.post(url(Lab, "add"), form))["name"][0]
    assert root.post(url(Lab, "add"), {**form, "name": "a_lab"}).status_code == 302
    lab = Lab.objects.get(name="a_lab")
    assert root.post(url(Lab, "change", lab.pk), {**form, "name": "b_lab", "timezone": "UTC"}).status_code == 302
    lab.refresh_from_db()
    assert (lab.name, lab.timezone) == ("a_lab", "UTC")


def test_a_token_is_shown_once_and_revoked_with_a_reason(rows: Rows, root: Client) -> None:
    user = a_user()
    page = root.post(
        url(Token, "add"), {"user": str(user.pk), "label": "rig", "_save": "Save"}, follow=True
    ).content.decode()
    token = Token.objects.get(user=user)
    assert token.key in page
    assert token.key not in root.get(url(Token, "change", token.pk)).content.decode()
    root.post(f"/admin/labs/token/{token.pk}/do/revoke/", {"reason": "lost laptop"})
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert last_context(token)["reason"] == "lost laptop"


def test_a_new_person_can_be_made_and_given_a_password(root: Client) -> None:
    form = {
        "username": "new",
        "usable_password": "true",
        "password1": "a very long phrase 7",
        "password2": "a very long phrase 7",
    }
    assert root.post(url(User, "add"), {**form, "_save": "Save"}).status_code == 302
    assert User.objects.get(username="new").check_password("a very long phrase 7")


def test_an_action_without_a_reason_decides_nothing(rows: Rows) -> None:
    flag = rows.flag()
    page = logged_in(rows.member(Role.HEAD)).post(
        f"/admin/core/reviewflag/{flag.pk}/do/dismiss/", {"reason": "  "}, follow=True
    )
    assert "Nothing was decided" in page.content.decode()
    flag.refresh_from_db()
    assert flag.state == "open"


def test_a_flag_is_decided_on_its_page_once(rows: Rows) -> None:
    flag, first, second = rows.flag(), rows.member(Role.HEAD), rows.member(Role.HEAD)
    address = f"/admin/core/reviewflag/{flag.pk}/do/dismiss/"
    page = logged_in(first).post(address, {"reason": "the rig's clock"}, follow=True).content.decode()
    assert "the rig&#x27;s clock" in page
    assert "record-actions" not in page
    assert "somebody has decided" in logged_in(second).post(address, {"reason": "mine"}, follow=True).content.decode()
    flag.refresh_from_db()
    assert (flag.state, flag.decided_by) == ("dismissed", first)
    assert last_context(flag)["reason"] == "the rig's clock"


def test_of_many_rows_those_that_can_be_done_are_done_and_the_others_named(rows: Rows) -> None:
    stuck: Any = rows.make(TransferItem)[0]
    other: Any = rows.make(TransferItem)[0]
    TransferItem.objects.filter(pk=other.pk).update(state="cancelled")
    keys = [str(stuck.pk), str(other.pk)]
    client = logged_in(a_superuser())
    form = {"action": "retry", "_selected_action": keys, "reason": "disk is back"}
    page = client.post(url(TransferItem, "changelist"), form, follow=True).content.decode()
    assert "1 will be tried again" in page
    assert "only one that waits" in page
    stuck.refresh_from_db()
    assert (stuck.state, stuck.attempts) == ("planned", 0)
    context = Event.objects.filter(subject_id=stuck.pk).latest("seq").context
    assert context is not None
    assert context["reason"] == "disk is back"


def test_giving_up_a_copy_needs_a_reason_and_keeps_it(rows: Rows) -> None:
    item: Any = rows.make(TransferItem)[0]
    client = logged_in(a_superuser())
    address = f"/admin/transfers/transferitem/{item.pk}/do/cancel/"
    assert "say why" in client.post(address, follow=True).content.decode()
    client.post(address, {"reason": "the animal was never recorded"})
    item.refresh_from_db()
    assert (item.state, item.last_error) == ("cancelled", "the animal was never recorded")


def test_verify_says_so_when_there_is_nothing_to_read(rows: Rows, root: Client) -> None:
    from tests.factories import a_copy, a_dataset

    dataset = a_dataset(rows.session())
    a_copy(dataset, state="expected")
    answer = root.post(f"/admin/datasets/dataset/{dataset.pk}/do/verify/", follow=True)
    assert "No copy is there to be read" in answer.content.decode()
