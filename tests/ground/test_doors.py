"""The doors: `transition` moves only what is still there, errors say what and where, requests carry their id."""

import uuid
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from alyx.core.changes import locked, store
from alyx.core.errors import Ambiguous, Conflict, DomainError, Forbidden, IllegalMove, Invalid, NotFound
from alyx.core.qc import QC
from alyx.core.status import SHAPES, Status
from alyx.core.transitions import transition
from datasets.models import FileRecord
from datasets.rules.copies import CopyState as S
from subjects.models import Subject
from tests.factories import a_copy, a_subject, a_superuser
from tests.factories.people import PASSWORD
from tests.ground.tables import event_model_of


@pytest.mark.django_db
def test_a_transition_moves_only_rows_that_are_still_where_the_caller_saw_them() -> None:
    here, gone = a_copy(state=S.CLAIMED), a_copy(state=S.SUPERSEDED)
    rows = FileRecord.objects.filter(pk__in=[here.pk, gone.pk])
    assert transition(rows, sources=[S.CLAIMED, S.VERIFIED], to=S.SUSPECT, reason="doubted") == 1
    assert transition(rows, sources=[S.CLAIMED, S.VERIFIED], to=S.SUSPECT) == 0
    assert set(rows.values_list("state", "reason")) == {("suspect", "doubted"), ("superseded", "")}


@pytest.mark.django_db
def test_a_transition_is_one_statement_with_its_conditions(django_assert_num_queries: Any) -> None:
    copy = a_copy(state=S.CLAIMED)
    fenced = FileRecord.objects.filter(pk=copy.pk, content_version=copy.content_version + 1)
    with django_assert_num_queries(1):
        assert transition(fenced, sources=[S.CLAIMED], to=S.SUSPECT, content_version=F("content_version")) == 0


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DomainError, 400, "invalid"),
        (Invalid, 400, "invalid"),
        (NotFound, 404, "not_found"),
        (Forbidden, 403, "forbidden"),
        (Ambiguous, 409, "ambiguous"),
        (Conflict, 409, "conflict"),
        (IllegalMove, 409, "illegal_move"),
    ],
)
def test_an_error_knows_its_status(error: type[DomainError], status: int, code: str) -> None:
    raised = error("a sentence", fields={"name": "one", "size": ["two", "three"]}, extra={"files": 1})
    assert (raised.status, raised.code, str(raised), raised.detail) == (status, code, "a sentence", "a sentence")
    assert raised.fields == {"name": ["one"], "size": ["two", "three"]}
    assert raised.extra == {"files": 1}


def test_an_error_of_one_field_names_it_in_its_sentence() -> None:
    error = Invalid.of("hash", "not hex")
    assert (error.detail, error.fields) == ("hash: not hex", {"hash": ["not hex"]})


def test_every_status_has_a_shape_of_its_own() -> None:
    assert set(SHAPES) == set(Status)
    assert len(set(SHAPES.values())) == len(Status)


@pytest.mark.parametrize(
    ("value", "member"), [("pass", QC.PASS), (" Critical ", QC.CRITICAL), (30, QC.WARNING), ("0", QC.NOT_SET)]
)
def test_qc_is_read_from_names_and_numbers(value: object, member: QC) -> None:
    assert QC.parse(value) is member


@pytest.mark.parametrize("value", ["good", 11, None, "", 1.5])
def test_an_unknown_qc_names_the_known_ones(value: object) -> None:
    with pytest.raises(ValueError, match="NOT_SET, PASS, WARNING, FAIL, CRITICAL"):
        QC.parse(value)


@pytest.mark.django_db
def test_storing_writes_these_columns_and_no_others() -> None:
    subject = a_subject(description="as it was")
    Subject.objects.filter(pk=subject.pk).update(description="somebody else's change")
    store(locked(Subject.objects.all(), subject.pk), {"sex": "M"})
    store(subject, {})
    assert Subject.objects.values_list("sex", "description").get(pk=subject.pk) == ("M", "somebody else's change")
    with pytest.raises(NotFound, match="no subject"):
        locked(Subject.objects.all(), uuid.uuid4())


@pytest.mark.django_db
@pytest.mark.parametrize(("sent", "kept"), [("rig-7.a_B", "rig-7.a_B"), ("a b\n<c>", "abc"), ("x" * 200, "x" * 64)])
def test_a_request_keeps_the_id_its_caller_gave_cleaned(client: Client, sent: str, kept: str) -> None:
    answer = client.get("/admin/login/", headers={"X-Request-Id": sent.replace("\n", "")})
    assert answer["X-Request-Id"] == kept


@pytest.mark.django_db
def test_a_request_without_an_id_gets_one(client: Client) -> None:
    first, second = (client.get("/admin/login/")["X-Request-Id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


@pytest.mark.django_db
def test_a_change_by_a_request_is_recorded_with_actor_path_and_reason(client: Client) -> None:
    user, subject = a_superuser("keeper"), a_subject()
    assert client.login(username="keeper", password=PASSWORD)
    form = {"nickname": subject.nickname, "lab": subject.lab_id, "sex": "M", "_save": "Save"}
    answer = client.post(
        f"/admin/subjects/subject/{subject.pk}/change/",
        form,
        headers={"X-Change-Reason": "sexed again", "X-Request-Id": "r1"},
    )
    assert answer.status_code == 302
    context = event_model_of(Subject).objects.filter(pgh_obj_id=subject.pk).latest("pgh_id").pgh_context.metadata
    assert context["actor"] == str(user.pk)
    assert context["path"] == f"POST /admin/subjects/subject/{subject.pk}/change/"
    assert (context["reason"], context["request_id"]) == ("sexed again", "r1")
