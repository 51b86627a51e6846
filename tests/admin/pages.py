"""Every registered page, with rows to look at."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.urls import reverse

from alyx.core.flags import Doubt, raise_flags
from alyx.core.models import JournalEntry, Note, ReviewFlag
from alyx.labs.models import Lab, Location, Membership, Project, Role, Token, User
from datasets.models import DataFormat, Dataset, DatasetType, FileRecord, Repository, Revision, Tag
from sessions.models import Session
from subjects.models import Subject
from tests import factories
from tests.factories import animals, recordings
from tests.factories.engine import a_found_file, a_policy, a_scan
from tests.factories.people import NUMBERS
from transfers.models import FoundFile, IntakePolicy, NightWindow, Scan, TransferItem, TransferJob

PAGES: list[type[Model]] = sorted(admin.site._registry, key=lambda model: model._meta.label)


def url(model: type[Model], page: str, *args: Any) -> str:
    """The address of a page: `changelist`, `add`, `change` …"""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def _number() -> int:
    return next(NUMBERS)


class Rows:
    """Rows of every kind, all of one lab, each with neighbours of its own so that a query per row would show."""

    def __init__(self, lab: Lab | None = None) -> None:
        self.lab = lab or factories.a_lab()
        self.makers: dict[type[Model], Callable[[], Model]] = {
            **animals.MAKERS,
            **recordings.MAKERS,
            Note: lambda: factories.a_note(factories.a_subject(self.lab)),
            ReviewFlag: self.flag,
            JournalEntry: lambda: factories.an_entry(factories.a_member(self.lab)),
            User: lambda: factories.a_member(self.lab),
            Lab: self.another_lab,
            Location: lambda: Location.objects.create(name=f"rig {_number()}", lab=self.lab),
            Project: factories.a_project,
            Token: lambda: Token.objects.create(user=factories.a_user()),
            Subject: self.subject,
            Session: self.session,
            DatasetType: lambda: factories.a_type(f"type{_number()}"),
            DataFormat: lambda: factories.a_format(f".f{_number()}"),
            Revision: lambda: Revision.objects.create(name=f"r{_number()}"),
            Tag: lambda: Tag.objects.create(name=f"tag{_number()}"),
            Repository: lambda: factories.a_repository(self.lab, factories.a_lab()),
            Dataset: self.dataset,
            FileRecord: lambda: factories.a_copy(self.dataset()),
            TransferItem: lambda: factories.an_item("needs_human", dataset=self.dataset()),
            TransferJob: lambda: factories.a_job("failed"),
            NightWindow: factories.a_window,
            FoundFile: lambda: a_found_file(self.lab),
            Scan: a_scan,
            IntakePolicy: a_policy,
        }

    def make(self, model: type[Model], count: int = 1) -> list[Model]:
        """So many rows of a kind."""
        return [self.makers[model]() for _ in range(count)]

    def subject(self) -> Subject:
        """An animal with a person, projects and sessions."""
        subject = factories.a_subject(self.lab, responsible_user=factories.a_user())
        subject.projects.add(factories.a_project())
        factories.a_session(subject)
        return subject

    def session(self) -> Session:
        """A session with people and a file."""
        session = factories.a_session(
            factories.a_subject(self.lab), location=Location.objects.create(name=f"rig {_number()}")
        )
        session.users.add(factories.a_user(), factories.a_user())
        session.projects.add(factories.a_project())
        factories.a_dataset(session)
        return session

    def dataset(self) -> Dataset:
        """A file of a revision with three copies."""
        revision = Revision.objects.create(name=f"r{_number()}")
        dataset = factories.a_dataset(factories.a_session(factories.a_subject(self.lab)), revision=revision)
        factories.a_copy(dataset, factories.a_repository(self.lab, role="central"), "verified")
        factories.a_copy(dataset, factories.a_repository(self.lab), "claimed")
        return dataset

    def another_lab(self) -> Lab:
        """A lab with a member and an animal."""
        lab = factories.a_lab()
        factories.a_member(lab)
        factories.a_subject(lab)
        return lab

    def flag(self) -> ReviewFlag:
        """An open flag of the lab about one of several kinds of records."""
        kind = [Subject, Session, Dataset][_number() % 3]
        number = _number()
        user = factories.a_user()
        raise_flags(kind, [(user.pk, Doubt("tests-doubt-it", f"look at {number}", {"n": number}))], lab_id=self.lab.pk)
        return ReviewFlag.objects.get(message=f"look at {number}", content_type=ContentType.objects.get_for_model(kind))

    def member(self, role: Role) -> User:
        """Somebody with a role in the lab."""
        return factories.a_member(self.lab, role)

    def member_everywhere(self, role: Role) -> User:
        """Somebody with a role in each lab there is now; in one that comes later in none."""
        user = self.member(role)
        for lab in Lab.objects.exclude(pk=self.lab.pk):
            Membership.objects.create(user=user, lab=lab, role=role)
        factories.a_lab("elsewhere")
        return user
