"""The page of notifications: one's own news, one's own mutes, the mails of the labs one manages."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alyx.core.status import Status
from alyx.labs.models import Delivery, Lab, Mute, NotificationKind, Role, User
from alyx.labs.notifying import notify
from tests.admin.conftest import logged_in
from tests.factories import a_lab, a_member, a_subject, a_user

pytestmark = pytest.mark.django_db
HERE = "/admin/notifications/"


def news(lab: Lab, to: User, number: int = 0) -> Delivery:
    row = notify(
        kind=NotificationKind.UNDERWEIGHT,
        about=a_subject(lab),
        key=f"{lab} {to} {number}",
        title=f"too light <{number}>",
        text="feed it",
        lab=lab,
        status=Status.FAILED,
        responsible=to,
    )
    assert row is not None
    return row.deliveries.get()


def content(client: Client, path: str = HERE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_others_news_is_not_mine() -> None:
    lab = a_lab()
    me, other = a_member(lab), a_member(lab)
    theirs = news(lab, other)
    client = logged_in(me)
    assert "too light" not in content(client)
    for act in ({"do": "seen"}, {"do": "mute", "what": "record", "until": "week"}):
        assert client.post(HERE, {**act, "delivery": theirs.pk}).status_code == 404
    client.post(HERE, {"do": "seen_all", "delivery": [theirs.pk]})
    client.post(HERE, {"do": "again", "delivery": theirs.pk})
    assert Delivery.objects.get(pk=theirs.pk).seen_at is None
    mute = Mute.objects.create(user=other, kind="underweight")
    client.post(HERE, {"do": "unmute", "mute": mute.pk})
    assert Mute.objects.filter(pk=mute.pk).exists()


@pytest.mark.parametrize(
    "said",
    [{}, {"do": "fly"}, {"do": "seen", "delivery": "x"}, {"do": "seen_all", "delivery": ["x"]}, {"do": "unmute"}],
)
def test_what_the_page_does_not_say_is_not_found(said: dict[str, str]) -> None:
    assert logged_in(a_user()).post(HERE, said).status_code == 404


def test_who_is_not_staff_has_no_such_page() -> None:
    assert logged_in(a_user(is_staff=False)).get(HERE).status_code == 302


def test_mails_in_trouble_are_shown_to_those_who_can_act() -> None:
    lab = a_lab()
    keeper = a_member(lab, email="k@lab.org")
    row = news(lab, keeper)
    Delivery.objects.update(state="unsure", last_error="the line went dead")
    for user, sees in (
        (keeper, True),
        (a_member(lab, Role.HEAD), True),
        (a_member(lab), False),
        (a_member(a_lab()), False),
    ):
        assert ("the line went dead" in content(logged_in(user))) is sees
    assert "too light &lt;0&gt;" in content(logged_in(keeper))
    logged_in(a_member(lab, Role.DATA_MANAGER)).post(HERE, {"do": "again", "delivery": row.pk})
    assert Delivery.objects.get(pk=row.pk).state == "waiting"


def test_the_link_of_a_mail_leads_to_the_record() -> None:
    lab = a_lab()
    keeper = a_member(lab)
    row = news(lab, keeper)
    answer = logged_in(keeper).get(f"{HERE}{row.pk}/")
    assert answer["Location"] == f"/admin/subjects/subject/{row.notification.object_id}/change/"
    assert Delivery.objects.get(pk=row.pk).seen_at is None, "a mail program that looks ahead has seen nothing"


def test_the_page_and_the_count_cost_the_same_however_much_was_told() -> None:
    lab = a_lab()
    keeper = a_member(lab)
    client = logged_in(keeper)

    def cost(count: int, path: str) -> int:
        for number in range(count):
            news(lab, keeper, 100 * count + number)
        content(client, path)
        with CaptureQueriesContext(connection) as captured:
            content(client, path)
        return len(captured)

    assert cost(2, HERE) == cost(20, HERE)
    labs = "/admin/labs/lab/"
    before = cost(0, labs)
    Delivery.objects.all().delete()
    assert cost(0, labs) == before
    assert "not seen" not in content(client, labs)
    news(lab, keeper, 7)
    assert "Notifications: 1 not seen" in content(client, labs)
