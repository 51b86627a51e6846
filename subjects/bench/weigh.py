"""The weighing round on a tablet: the page (a shell that the tablet keeps) and its data."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from alyx.core import clock
from alyx.core.errors import Invalid
from alyx.core.journal.kinds import as_uuid
from alyx.core.journal.views import bench, page
from alyx.core.journal.worker import offline
from subjects.queries.round import MOST, RULES, known_animals, round_animals, round_rows

MOST_ALSO = 50

offline(assets=["bench/weigh.js", "bench/weigh.css"], shells=["/weigh/"])


@require_safe
@login_required(login_url=settings.LOGIN_URL)
def weigh(request: HttpRequest) -> HttpResponse:
    """`/weigh/?lab=&cage=`: a shell without records; the script reads what stands behind the question mark."""
    return page(request, "bench/weigh.html", {"title": "Weigh"})


@bench("GET")
def round_data(request: HttpRequest) -> HttpResponse:
    """`/bench/data/round?lab=&cage=&also=`: the animals of the round, what is known of each, and the constants of the rules.

    `also`: keys of animals with a comma between them, besides those of the round. 400 names a value that cannot be.
    """
    cage, lab = _text(request, "cage"), _text(request, "lab")
    also: list[UUID] = []
    for text in filter(None, _text(request, "also").split(",")):
        if (key := as_uuid(text)) is None:
            raise Invalid.of("also", "keys of animals, with a comma between them")
        also.append(key)
    user: Any = request.user
    animals = round_animals(user, cage=cage, lab=lab, also=also[:MOST_ALSO])
    now = clock.now()
    answer = {
        "now": now.isoformat(),
        "user": user.username,
        "cage": cage,
        "lab": lab,
        "rules": RULES,
        "animals": round_rows(animals[:MOST], now),
        "left_off": max(len(animals) - MOST, 0),
        "known": known_animals(user),
    }
    return JsonResponse(answer)


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\x00", "").strip()
