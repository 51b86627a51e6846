"""`manage.py add_s3_repository NAME s3://bucket/folder --role central …`: a repository in a bucket, marked as its own."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alyx.core.audit import acting
from alyx.core.errors import DomainError
from alyx.labs.models import Lab, User
from datasets.models import RepositoryKind, RepositoryRole
from datasets.services.repositories import create_repository
from transfers.services.places import establish_canary, probe


class Command(BaseCommand):
    """Makes the row, marks the folder in the bucket, and says whether it can be used."""

    help = "A repository in a bucket of an S3 service. Keys stay in the AWS credentials file: name the profile."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where it lies, and what it is for."""
        parser.add_argument("name")
        parser.add_argument("root", help="s3://bucket/folder")
        parser.add_argument("--endpoint", default="", help="the service's address (default: Amazon's)")
        parser.add_argument("--region", default="", help="default: us-east-1")
        parser.add_argument("--credential", default="", help="profile in the AWS credentials file (default: anonymous)")
        parser.add_argument("--role", default=RepositoryRole.MIRROR, choices=RepositoryRole.values)
        parser.add_argument("--lab", action="append", default=[], help="a lab it belongs to; again for more")
        parser.add_argument("--data-url", help="address of its files: public, or <our address>/data/<lab>/Subjects/")
        parser.add_argument("--timezone", default="UTC")
        parser.add_argument("--as", dest="actor", required=True, help="the superuser who does this")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it."""
        try:
            actor = User.objects.get(username=options["actor"], is_superuser=True)
        except User.DoesNotExist:
            message = f"there is no superuser {options['actor']}"
            raise CommandError(message) from None
        labs = list(Lab.objects.filter(name__in=options["lab"]))
        if missing := sorted(set(options["lab"]) - {lab.name for lab in labs}):
            message = f"there is no lab {', '.join(missing)}"
            raise CommandError(message)
        told = ("name", "root", "endpoint", "region", "credential", "role", "data_url", "timezone")
        try:
            with acting(actor=actor, path="command add_s3_repository"):
                made = create_repository(
                    actor=actor, kind=RepositoryKind.S3, labs=labs, **{name: options[name] for name in told}
                )
                establish_canary(actor=actor, repository=made)
        except DomainError as error:
            raise CommandError(error.detail) from error
        health = probe(made)
        self.stdout.write(json.dumps({"name": made.name, "canary": str(made.canary), "healthy": health.healthy}))
