"""`manage.py cancel_transfer_job JOB --reason … --as NAME`: have a service end a task that it runs for us."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alyx.core.audit import acting
from alyx.core.errors import DomainError
from alyx.labs.models import User
from transfers.models import TransferJob
from transfers.services.polling import cancel_job


class Command(BaseCommand):
    """What has arrived stays; the rest is tried again the next night. The job ends when the service says that it has."""

    help = "Cancel a job that runs at a service (Globus). Its id is on the job's page and in `transfers status`."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, why and who."""
        parser.add_argument("job", type=UUID)
        parser.add_argument("--reason", required=True)
        parser.add_argument(
            "--as", dest="actor", required=True, help="who does this: a manager of the lab, or a superuser"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Note the wish; the next round of workers passes it on."""
        actor = User.objects.filter(username=options["actor"], is_active=True).first()
        job = TransferJob.objects.filter(pk=options["job"]).first()
        if actor is None or job is None:
            missing = f"user {options['actor']}" if actor is None else f"job {options['job']}"
            message = f"there is no {missing}"
            raise CommandError(message)
        try:
            with acting(actor=actor, path="command cancel_transfer_job", reason=options["reason"]):
                cancel_job(actor=actor, job=job, reason=options["reason"])
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{job} is being cancelled; what has arrived stays")
