"""`GET /api/schema`: the OpenAPI document, made for the clients' own small parser.

That parser knows path items with the five verbs only, bodies that refer to a component, and takes the first path of an
endpoint that has a GET as its list. Routes of ours that no client knows stay out of it.
"""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from alyx.core.rest.rendering import encode_json

VERBS = ("get", "post", "put", "patch", "delete")
OUR_OWN = ("/healthz", "/data/", "/admin/", "/metrics")
"""Beginnings of paths that are not part of the clients' contract."""
BODILESS = ("/check-protected", "/register-file", "/new-download", "/sync-file-status")
"""Calls whose bodies are not records: clients send them raw."""


@cache
def document() -> dict[str, Any]:
    """The schema as plain data."""
    with GENERATOR_STATS.silence():
        whole: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    paths = {path: _item(path, item) for path, item in sorted(whole["paths"].items()) if _is_contract(path)}
    return {**whole, "paths": {path: item for path, item in paths.items() if item}}


def _is_contract(path: str) -> bool:
    """Whether clients may know it: `/x`, `/x/{key}`, the few longer ones of the contract, and what is below `/transfers`."""
    segments = path.strip("/").split("/")
    if any(path.startswith(prefix) for prefix in OUR_OWN):
        return False
    return (
        len(segments) == 1
        or (len(segments) == 2 and segments[1].startswith("{"))
        or segments[0] in {"cache", "api", "transfers"}
    )


def _item(path: str, item: dict[str, Any]) -> dict[str, Any]:
    """The verbs, with bodies that refer to components or none."""
    verbs = {verb: dict(item[verb]) for verb in VERBS if verb in item}
    for operation in verbs.values():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if path in BODILESS or "$ref" not in body:
            operation.pop("requestBody", None)
        else:
            operation["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return verbs


@cache
def _encoded() -> bytes:
    return encode_json(document())


def schema(request: HttpRequest) -> HttpResponse:
    """The document, open to everybody, as JSON whatever is accepted."""
    answer = HttpResponse(
        _encoded(), content_type="application/vnd.oai.openapi+json" if _wants_openapi(request) else "application/json"
    )
    answer["Cache-Control"] = "public, max-age=300"
    return answer


def _wants_openapi(request: HttpRequest) -> bool:
    return "vnd.oai.openapi+json" in request.headers.get("Accept", "")
