"""The login page of the admin, at the same bounded rate per account and address as the one for clients."""

from typing import Any

from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.views import APIView

from alyx.labs.login import AccountRate, AddressRate


class BoundedLogin(AdminAuthenticationForm):
    """Asks how often before it looks at the password."""

    def clean(self) -> dict[str, Any]:
        """Refuse too many attempts, right ones included: the answer must not tell."""
        if settings.THROTTLE and self.request is not None:
            sent = Request(self.request, parsers=[FormParser()])
            rates = [AddressRate(), AccountRate()]
            allowed = [rate.allow_request(sent, APIView()) for rate in rates]  # each counts, whatever the others say
            if not all(allowed):
                seconds = max(int(rate.wait() or 1) for rate in rates)
                text = f"Too many attempts to log in. Try again in {seconds} s."
                raise ValidationError(text, code="throttled")
        return super().clean()
