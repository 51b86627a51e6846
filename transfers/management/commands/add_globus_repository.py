"""`manage.py add_globus_repository NAME globus://collection/folder --role central …`: a repository in a Globus collection."""

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alyx.core.audit import acting
from alyx.core.errors import DomainError
from alyx.labs.models import Lab, User
from datasets.models import Repository, RepositoryKind, RepositoryRole
from datasets.services.repositories import create_repository
from transfers.services.places import establish_canary, probe


class Command(BaseCommand):
    """Makes the row, marks the folder in the collection, and says whether it can be used."""

    help = "A repository in a Globus collection. Secrets stay in the file of ALYX_GLOBUS_CREDENTIALS: name the section."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where it lies, and what it is for."""
        parser.add_argument("name")
        parser.add_argument("root", help="globus://<collection id>/folder")
        parser.add_argument("--credential", default="", help="section of ALYX_GLOBUS_CREDENTIALS (default: default)")
        parser.add_argument("--role", default=RepositoryRole.LAB, choices=RepositoryRole.values)
        parser.add_argument("--lab", action="append", default=[], help="a lab it belongs to; again for more")
        parser.add_argument("--data-url", help="address under which the collection's files are read, if there is one")
        parser.add_argument("--timezone", default="UTC")
        parser.add_argument("--as", dest="actor", required=True, help="the superuser who does this")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it; again with the same name and root: only mark and look."""
        actor = User.objects.filter(username=options["actor"], is_superuser=True).first()
        if actor is None:
            message = f"there is no superuser {options['actor']}"
            raise CommandError(message)
        labs = list(Lab.objects.filter(name__in=options["lab"]))
        if missing := sorted(set(options["lab"]) - {lab.name for lab in labs}):
            message = f"there is no lab {', '.join(missing)}"
            raise CommandError(message)
        try:
            with acting(actor=actor, path="command add_globus_repository"):
                made = _known(options["name"], options["root"]) or _make(actor, labs, options)
                establish_canary(actor=actor, repository=made)
        except DomainError as error:
            raise CommandError(error.detail) from error
        health, made = probe(made), Repository.objects.get(pk=made.pk)
        told = {"name": made.name, "canary": str(made.canary), "healthy": health.healthy, "detail": health.detail}
        self.stdout.write(json.dumps(told | {"on_personal_computer": made.on_personal_computer}))


def _known(name: str, root: str) -> Repository | None:
    """The repository that an earlier run made and could not mark (a consent was missing, the server off)."""
    found: Repository | None = Repository.objects.filter(
        name=name, kind=RepositoryKind.GLOBUS, root=root.rstrip("/")
    ).first()
    return found


def _make(actor: User, labs: list[Lab], options: dict[str, Any]) -> Repository:
    told = ("name", "root", "credential", "role", "data_url", "timezone")
    made = create_repository(
        actor=actor, kind=RepositoryKind.GLOBUS, labs=labs, **{name: options[name] for name in told}
    )
    collection, _, folder = made.root.removeprefix("globus://").partition("/")
    made.globus_endpoint_id, made.globus_path = UUID(collection), f"/{folder}"  # as clients read them
    made.save(update_fields=["globus_endpoint_id", "globus_path"])
    return made
