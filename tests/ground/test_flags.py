"""The same finding is one open flag; it is decided once, by one person, with a reason."""

import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from alyx.core.errors import Conflict
from alyx.core.flags import Doubt, decide_flag, raise_flags
from alyx.core.models import FlagState, ReviewFlag
from subjects.models import Subject
from tests.factories import a_flag, a_subject, a_superuser, a_user

pytestmark = pytest.mark.django_db
DOUBT = Doubt("tests-doubt-it", "look", {"born": "2026-01-02", "died": "2026-01-01"}, "correct one")


def test_the_same_finding_raised_twice_is_one_open_flag() -> None:
    subject = a_subject()
    for _ in range(2):
        raise_flags(Subject, [(subject.pk, DOUBT)], lab_id=subject.lab_id)
    flag = ReviewFlag.objects.get()
    assert (flag.message, flag.facts, flag.proposed_fix, flag.lab_id) == (
        "look",
        DOUBT.facts,
        "correct one",
        subject.lab_id,
    )
    assert flag.about == subject


def test_the_order_of_facts_is_no_difference_and_their_values_are() -> None:
    other_order = Doubt(DOUBT.rule, "look", dict(reversed(list(DOUBT.facts.items()))))
    assert DOUBT.fingerprint == other_order.fingerprint
    assert DOUBT.fingerprint != Doubt(DOUBT.rule, "look", {"born": "2026-01-02"}).fingerprint


def test_other_facts_another_rule_and_another_record_are_other_flags() -> None:
    first, second = a_subject(), a_subject()
    others = [Doubt("another-rule", "look", DOUBT.facts), Doubt(DOUBT.rule, "look", {"born": None})]
    raise_flags(Subject, [(first.pk, DOUBT), *((first.pk, other) for other in others), (second.pk, DOUBT)], lab_id=None)
    assert ReviewFlag.objects.count() == 4


def test_a_hundred_flags_are_raised_in_one_statement(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    raise_flags(Subject, [(uuid.uuid4(), DOUBT)], lab_id=None)  # the content type is known by now
    with django_assert_max_num_queries(1):
        raise_flags(Subject, [(uuid.uuid4(), DOUBT) for _ in range(100)], lab_id=None)
    with django_assert_max_num_queries(0):
        raise_flags(Subject, [], lab_id=None)


def test_a_finding_that_comes_back_after_it_was_decided_is_raised_again() -> None:
    subject = a_subject()
    raise_flags(Subject, [(subject.pk, DOUBT)], lab_id=None)
    decide_flag(actor=a_superuser(), flag=ReviewFlag.objects.get(), state=FlagState.RESOLVED, decision="corrected")
    raise_flags(Subject, [(subject.pk, DOUBT)], lab_id=None)
    assert sorted(ReviewFlag.objects.values_list("state", flat=True)) == ["open", "resolved"]


def test_a_decision_says_who_when_and_why() -> None:
    flag, user = a_flag(), a_superuser()
    decide_flag(actor=user, flag=flag, state=FlagState.DISMISSED, decision="it is right")
    flag.refresh_from_db()
    assert (flag.state, flag.decided_by, flag.decision, flag.decided_at is not None) == (
        "dismissed",
        user,
        "it is right",
        True,
    )


def test_a_flag_is_decided_once() -> None:
    flag, user = a_flag(), a_superuser()
    decide_flag(actor=user, flag=flag, state=FlagState.RESOLVED, decision="done")
    with pytest.raises(Conflict, match="already"):
        decide_flag(actor=user, flag=flag, state=FlagState.DISMISSED, decision="no")
    with pytest.raises(Conflict, match="not opened again"):
        decide_flag(actor=user, flag=flag, state=FlagState.OPEN, decision="again")
    assert ReviewFlag.objects.get(pk=flag.pk).decision == "done"


def test_the_database_ties_the_date_to_the_decision() -> None:
    flag = a_flag()
    with pytest.raises(IntegrityError, match="flag_decided_iff_not_open"), transaction.atomic():
        ReviewFlag.objects.filter(pk=flag.pk).update(state="resolved")


@pytest.mark.django_db(transaction=True)
def test_of_two_people_deciding_at_once_one_wins_and_the_other_is_told() -> None:
    flag, people = a_flag(), [a_superuser(), a_superuser()]
    start, told = threading.Barrier(2), []

    def decide(index: int) -> None:
        start.wait()
        try:
            decide_flag(actor=people[index], flag=flag, state=FlagState.RESOLVED, decision=str(index))
        except Conflict:
            told.append(index)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flag.refresh_from_db()
    assert len(told) == 1
    assert flag.decision == str(1 - told[0])


@pytest.mark.django_db(transaction=True)
def test_two_rigs_raising_the_same_finding_at_once_make_one_flag() -> None:
    subject, start = a_subject(), threading.Barrier(4)

    def doubt() -> None:
        start.wait()
        try:
            raise_flags(Subject, [(subject.pk, DOUBT)], lab_id=None)
        finally:
            connection.close()

    threads = [threading.Thread(target=doubt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ReviewFlag.objects.count() == 1


def test_nobody_in_particular_may_have_raised_it() -> None:
    assert a_flag(a_user(), lab_id=None).lab_id is None
