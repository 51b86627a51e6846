"""`/docs/`: the schema as a page, on which calls can be tried. Its script and style come with us; nothing is fetched from elsewhere."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from alyx.core.rest.errors import error_body


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page; for clients before ONE 3.4, which ask here for CoreAPI, a sentence that says what to do."""
    if "coreapi" in request.headers.get("Accept", ""):
        text = "this server describes itself at /api/schema (OpenAPI 3); use ONE-api 3.4 or later"
        return JsonResponse(error_body(406, text), status=406)
    return render(request, "docs.html")
