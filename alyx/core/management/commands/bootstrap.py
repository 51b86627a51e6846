"""`manage.py bootstrap`: bring an instance up to this version. Runs as often as you like."""

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from alyx.core.audit import acting

ADMIN = "admin"


class Command(BaseCommand):
    """Schema, vocabularies, administrator, static files."""

    help = (
        "Migrates, loads the vocabularies, gives the superuser `admin` the password in ALYX_ADMIN_PASSWORD (without it no "
        "account is made or changed), and collects the static files."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do all four, in this order."""
        call_command("migrate", interactive=False, verbosity=0)
        with acting(path="command bootstrap"):
            call_command("load_vocabularies", verbosity=0)
            self._administrator(os.environ.get("ALYX_ADMIN_PASSWORD", ""))
        call_command("collectstatic", interactive=False, verbosity=0)

    def _administrator(self, password: str) -> None:
        users = get_user_model()._default_manager
        known = users.filter(username=ADMIN).first()
        if not password:
            if known is None and not users.filter(is_superuser=True).exists():
                self.stderr.write("nobody can log in yet: set ALYX_ADMIN_PASSWORD, or run manage.py createsuperuser")
            return
        admin = known or get_user_model()(username=ADMIN)
        if known and known.is_superuser and known.is_staff and known.is_active and known.check_password(password):
            return
        for power in ("is_superuser", "is_staff", "is_active"):
            setattr(admin, power, True)
        admin.set_password(password)
        admin.save()
