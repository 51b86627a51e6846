"""Mail: by file and by SMTP, refused, in doubt, by several senders at once."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import close_old_connections, connection

from alyx.core import clock
from alyx.core.errors import Conflict, Forbidden
from alyx.core.status import Status
from alyx.labs import mailing
from alyx.labs.models import Delivery, Lab, NotificationKind, Role, User
from alyx.labs.notifying import notify
from tests.factories import a_lab, a_member, a_subject, a_user
from tests.labs.post_office import PostOffice, a_post_office

SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"


@pytest.fixture(autouse=True)
def _at_no_particular_time(transactional_db: None) -> Iterator[None]:
    """Committed, as the senders see it."""
    clock.set_offset(timedelta(0))
    yield
    clock.set_offset(timedelta(0))


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """Mails are files here."""
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = FILES, tmp_path / "mail"
    settings.ALYX_URL, settings.DEFAULT_FROM_EMAIL = "https://alyx.lab.org", "Notebook <notes@lab.org>"
    return tmp_path / "mail"


@pytest.fixture
def office(settings: Any) -> Iterator[PostOffice]:
    """Mails go to a server."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = SMTP, "127.0.0.1", 5
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    with a_post_office() as opened:
        settings.EMAIL_PORT = opened.port
        yield opened


def news(lab: Lab | None = None, keeper: User | None = None, title: str = "KS_1 is too light") -> Delivery:
    """Something to send."""
    lab = lab or a_lab()
    keeper = keeper or a_user(email="keeper@lab.org")
    row = notify(
        kind=NotificationKind.UNDERWEIGHT,
        about=a_subject(lab),
        key=title + str(Delivery.objects.count()),
        title=title,
        text="21.0 g, 71.5 % of the expected weight.\nGive a supplement – now.",
        lab=lab,
        status=Status.CRITICAL,
        responsible=keeper,
    )
    assert row is not None
    return row.deliveries.get()


def fresh(delivery: Delivery) -> Delivery:
    return Delivery.objects.get(pk=delivery.pk)


def mails_in(folder: Path) -> list[str]:
    return [mail for file in sorted(folder.glob("*")) for mail in file.read_text().split("-" * 79)[:-1]]


def test_a_mail_as_a_file(folder: Path) -> None:
    delivery = news()
    assert mailing.send_due() == 1
    (mail,) = mails_in(folder)
    for said in (
        "To: keeper@lab.org",
        "From: Notebook <notes@lab.org>",
        "Subject: Critical: KS_1 is too light",
        f"Message-ID: <delivery.{delivery.pk.hex}@lab.org>",
        f"https://alyx.lab.org/admin/notifications/{delivery.pk}/",
        "Give a supplement – now.",
    ):
        assert said in mail
    now = fresh(delivery)
    assert (now.state, now.attempts, now.leased_until, now.sent_at is not None) == ("sent", 1, None, True)
    assert mailing.send_due() == 0


def test_a_mail_by_smtp(office: PostOffice) -> None:
    delivery = news()
    mailing.send_due()
    assert [mail["Message-ID"] for mail in office.mails] == [mailing.message_id(delivery.pk)]
    assert fresh(delivery).state == "sent"


@pytest.mark.parametrize(
    ("where", "answer"),
    [("refuse_rcpt", "550 nobody here"), ("refuse_data", "452 disk full")],
)
def test_a_refused_mail_is_tried_again_then_given_up_then_sent_by_a_person(
    office: PostOffice, where: str, answer: str
) -> None:
    delivery = news()
    setattr(office, where, answer)
    waited = timedelta(0)
    for attempt, pause in enumerate(mailing.BACKOFF, start=1):
        assert mailing.send_due() == 1
        now = fresh(delivery)
        assert (now.state, now.attempts, now.last_error) == ("waiting", attempt, answer)
        clock.set_offset(waited + pause - timedelta(seconds=30))
        assert mailing.send_due() == 0, "not before its time"
        waited += pause + timedelta(seconds=5)
        clock.set_offset(waited)
    assert mailing.send_due() == 1
    assert fresh(delivery).state == "failed"
    assert office.mails == []
    setattr(office, where, "")
    assert mailing.send_due() == 0
    mailing.send_again(actor=delivery.user, delivery=delivery)
    mailing.send_due()
    assert fresh(delivery).state == "sent"
    assert len(office.mails) == 1


def test_a_server_that_is_not_there_takes_nothing(office: PostOffice) -> None:
    delivery = news()
    office.shutdown()
    office.server_close()
    assert mailing.send_due() == 1
    now = fresh(delivery)
    assert (now.state, now.attempts) == ("waiting", 1)
    assert now.not_before is not None
    assert "refused" in now.last_error


def test_a_line_that_dies_leaves_a_doubt_that_only_a_person_ends(office: PostOffice) -> None:
    delivery = news()
    office.hang_up = True
    mailing.send_due()
    assert fresh(delivery).state == "unsure"
    clock.set_offset(timedelta(days=3))
    assert not mailing.tick()
    assert mailing.send_due() == 0
    assert len(office.mails) == 1
    office.hang_up = False
    mailing.send_again(actor=delivery.user, delivery=delivery)
    with pytest.raises(Conflict):
        mailing.send_again(actor=delivery.user, delivery=delivery)
    mailing.send_due()
    assert fresh(delivery).state == "sent"


def test_of_many_senders_at_once_each_mail_has_one(office: PostOffice) -> None:
    lab, keeper = a_lab(), a_user(email="keeper@lab.org")
    wanted = {mailing.message_id(news(lab, keeper, f"mouse {number}").pk) for number in range(8)}
    together = threading.Barrier(4)
    tried: list[int] = []

    def sender() -> None:
        close_old_connections()
        together.wait()
        tried.append(mailing.send_due())
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(tried) == 8
    assert sorted(mail["Message-ID"] for mail in office.mails) == sorted(wanted)


def test_a_slow_sender_still_says_that_it_left(folder: Path) -> None:
    """Its lease lapsed, a person pressed "send again", and nobody has sent again yet."""
    delivery = news()
    claimed = mailing.claim()
    assert claimed is not None
    clock.set_offset(mailing.LEASE + timedelta(seconds=1))
    assert not mailing.tick()
    assert fresh(delivery).state == "unsure"
    mailing.send_again(actor=delivery.user, delivery=delivery)
    mailing._send(claimed)
    assert fresh(delivery).state == "sent"
    assert mailing.send_due() == 0
    assert len(mails_in(folder)) == 1


def test_what_cannot_be_sent_stops_nobody(folder: Path) -> None:
    lab = a_lab()
    bad = news(lab, a_user(email="not an address\nBcc: all@lab.org"), "first")
    gone = news(lab, a_user(email="gone@lab.org"), "second")
    User.objects.filter(pk=gone.user_id).update(is_active=False)
    moved = news(lab, a_user(email="moved@lab.org"), "third")
    User.objects.filter(pk=moved.user_id).update(email="")
    good = news(lab, title="fourth\nBcc: all@lab.org")
    assert mailing.send_due() == 4
    assert [fresh(row).state for row in (bad, gone, moved, good)] == ["failed", "muted", "page_only", "sent"]
    (mail,) = mails_in(folder)
    assert re.search("^Subject: Critical: fourth Bcc: all@lab.org$", mail, re.MULTILINE)


def test_who_may_send_again(folder: Path) -> None:
    lab = a_lab()
    delivery = news(lab)
    with pytest.raises(Conflict):
        mailing.send_again(actor=delivery.user, delivery=delivery)
    Delivery.objects.update(state="failed")
    for actor in (a_user(), a_member(lab, Role.EXPERIMENTER), a_member(a_lab(), Role.HEAD)):
        assert not mailing.troubled(actor).exists()
        with pytest.raises(Forbidden):
            mailing.send_again(actor=actor, delivery=delivery)
    mailing.send_again(actor=a_member(lab, Role.DATA_MANAGER), delivery=delivery)
    assert fresh(delivery).state == "waiting"


def test_a_person_who_is_deleted_while_the_mail_is_claimed_stops_nobody(folder: Path) -> None:
    news(title="first")
    news(title="second")
    claimed = mailing.claim()
    assert claimed is not None
    User.objects.filter(deliveries=claimed.delivery).delete()
    mailing._send(claimed)
    assert mailing.send_due() == 1
    assert len(mails_in(folder)) == 1


def test_nothing_is_sent_inside_a_transaction() -> None:
    from django.db import transaction

    with transaction.atomic(), pytest.raises(RuntimeError, match="committed"):
        mailing.send_due()
