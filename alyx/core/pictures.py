"""Pictures of notes: `/media/…` for people who are logged in, `/uploaded/…` for clients with a token."""

import re
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from alyx.core.models import Note
from alyx.core.reading import readable
from alyx.core.rest.views import Endpoint

_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}
_NAME = re.compile(r"[\w./-]{1,100}", re.ASCII)


@require_safe
@login_required(login_url=settings.LOGIN_URL)
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """A picture of a note that is shown; never anything else below the folder of uploads."""
    if not request.user.is_staff:
        raise Http404("there is no such picture")
    return _picture(request.user, path)


class Uploaded(Endpoint):
    """`/uploaded/{img_url}`: the address that a note's record gives."""

    pagination_class = None

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, img_url: str) -> HttpResponseBase:
        """The picture."""
        return _picture(self.actor, img_url)


def _picture(reader: Any, path: str) -> HttpResponseBase:
    kind = _TYPES.get(PurePosixPath(path).suffix.lstrip(".").lower())
    if kind is None or not _NAME.fullmatch(path) or ".." in path:
        raise Http404("there is no such picture")
    if not readable(reader, Note.objects.filter(image=path, withdrawn_at__isnull=True)).exists():
        raise Http404("there is no such picture")
    try:
        answer = FileResponse(default_storage.open(path), content_type=kind)
    except FileNotFoundError:
        raise Http404("the file of this picture is not there") from None
    answer.headers["Content-Disposition"] = "inline"
    answer.headers["Cache-Control"] = "private, max-age=86400"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
