"""`manage.py demo_lab`: a small lab to show the project with, made as people would make it."""

import json
import secrets
import uuid
from collections.abc import Mapping
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import F

from alyx.core import clock
from alyx.core.audit import acting
from alyx.labs.models import Lab, Location, Membership, Project, Role, User
from alyx.labs.services import create_lab, create_project, create_user
from datasets.models import FileRecord, Repository, RepositoryRole
from datasets.rules.copies import CopyState
from datasets.services.repositories import change_repository, create_repository
from subjects.models import Subject
from subjects.services.subject import create_subject
from transfers.management.demo_animals import make_animals
from transfers.services.places import establish_canary

LAB = "demolab"
ZONE = "Europe/London"
PROJECT = "demo_project"
SUBJECTS = ("demo_mouse_1", "demo_mouse_2")
LOCATIONS = ("demo_rig_a", "demo_rig_b")
LAB_REPOSITORY = "demo_lab_server"
CENTRAL_REPOSITORY = f"flatiron_{LAB}"
PEOPLE = {"rig": ("demo_rig", Role.RIG), "analyst": ("demo_analyst", Role.READER)}


class Command(BaseCommand):
    """Makes the demo's lab, or says which of its datasets are proved."""

    help = (
        "Make a small lab with people, animals and two repositories; or say which datasets are proved at a repository."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Two subcommands, each of which writes one line of JSON."""
        commands = parser.add_subparsers(dest="command", required=True)
        make = commands.add_parser("make", help="make the lab, or find it; people get new passwords")
        make.add_argument("--folder", type=Path, required=True, help="holds the directories of both repositories")
        make.add_argument("--data-url", required=True, help="where this server serves files: …/data")
        verified = commands.add_parser("verified", help="the datasets proved at a repository, at their current version")
        verified.add_argument("repository")
        verified.add_argument("datasets", nargs="+", type=uuid.UUID)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the answer as JSON on one line."""
        if options["command"] == "make":
            answer: Any = make_lab(folder=options["folder"].resolve(), data_url=options["data_url"].rstrip("/"))
        else:
            answer = verified_at(options["repository"], options["datasets"])
        self.stdout.write(json.dumps(answer))


def far_from_now() -> tuple[time, time]:
    """An hour of the lab's clock half a day away: only the nights that the demo asks for happen while it runs."""
    far = clock.utc_to_wall(clock.now(), ZONE) + timedelta(hours=12)
    return time(far.hour), time((far.hour + 1) % 24)


def verified_at(repository: str, datasets: list[uuid.UUID]) -> list[str]:
    """Those of the datasets whose current version was read back and proved at the repository."""
    proved = FileRecord.objects.shown().filter(
        repository__name=repository,
        dataset__in=datasets,
        state=CopyState.VERIFIED,
        content_version=F("dataset__content_version"),
    )
    return [str(key) for key in proved.values_list("dataset_id", flat=True)]


def make_lab(*, folder: Path, data_url: str) -> dict[str, Any]:
    """Everything the demo needs; what is there already stays, only addresses and passwords are new."""
    actor = User.objects.filter(is_superuser=True, is_active=True).order_by("username").first()
    if actor is None:
        raise CommandError("there is no superuser to make the lab: set ALYX_ADMIN_PASSWORD and run manage.py bootstrap")
    folders = {name: folder / place / LAB / "Subjects" for name, place in _PLACES.items()}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    with acting(actor=actor, path="command demo_lab", reason="demo"), transaction.atomic():
        lab = Lab.objects.filter(name=LAB).first() or create_lab(
            actor=actor, values={"name": LAB, "institution": "Demo", "timezone": ZONE}
        )
        people = {part: _person(actor, lab, name, role) for part, (name, role) in PEOPLE.items()}
        rig, _ = people["rig"]
        Project.objects.filter(name=PROJECT).first() or create_project(actor=actor, values={"name": PROJECT})
        for nickname in SUBJECTS:
            _subject(actor, lab, nickname, rig.username)
        make_animals(actor, lab)
        for name in LOCATIONS:
            Location.objects.get_or_create(name=name, defaults={"lab": lab})
        mine = _repository(actor, lab, LAB_REPOSITORY, role=RepositoryRole.LAB, root=folders[LAB_REPOSITORY])
        central = _repository(
            actor,
            lab,
            CENTRAL_REPOSITORY,
            role=RepositoryRole.CENTRAL,
            root=folders[CENTRAL_REPOSITORY],
            data_url=f"{data_url}/{LAB}/Subjects/",
        )
    for repository in (mine, central):
        establish_canary(actor=actor, repository=repository)
    return {
        "lab": LAB,
        "subjects": list(SUBJECTS),
        "project": PROJECT,
        "location": LOCATIONS[0],
        "other_location": LOCATIONS[1],
        "lab_repository": mine.name,
        "lab_folder": mine.root,
        "lab_endpoint": str(mine.globus_endpoint_id),
        "central_repository": central.name,
        "central_folder": central.root,
    } | {key: value for part in people for key, value in _credentials(part, *people[part]).items()}


_PLACES = {LAB_REPOSITORY: "lab_server", CENTRAL_REPOSITORY: "central_server"}


def _credentials(part: str, user: User, password: str) -> Mapping[str, str]:
    return {f"{part}_user": user.username, f"{part}_password": password}


def _person(actor: User, lab: Lab, name: str, role: Role) -> tuple[User, str]:
    password = secrets.token_urlsafe(12)
    user = User.objects.filter(username=name).first() or create_user(actor=actor, values={"username": name})
    user.password = make_password(password)
    user.save(update_fields=["password"])
    Membership.objects.get_or_create(user=user, lab=lab, defaults={"role": role})
    return user, password


def _subject(actor: User, lab: Lab, nickname: str, responsible: str) -> None:
    if Subject.objects.shown().filter(lab=lab, nickname=nickname).exists():
        return
    values = {
        "nickname": nickname,
        "lab": lab.name,
        "responsible_user": responsible,
        "projects": [PROJECT],
        "sex": "F",
        "birth_date": date(2025, 10, 1),
    }
    create_subject(actor=actor, values=values)


def _repository(actor: User, lab: Lab, name: str, *, role: RepositoryRole, root: Path, **columns: Any) -> Repository:
    """A directory of this machine that plays a server."""
    values = {
        "root": str(root),
        "timezone": ZONE,
        "globus_path": f"/{LAB}/Subjects/",
        "failure_domain": name,
        **columns,
    }
    known = Repository.objects.filter(name=name).first()
    if known is not None:
        return change_repository(actor=actor, repository=known, changes=values)
    endpoint = uuid.uuid4()
    return create_repository(actor=actor, name=name, role=role, labs=[lab], globus_endpoint_id=endpoint, **values)
