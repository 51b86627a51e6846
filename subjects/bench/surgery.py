"""Surgery mode on a tablet: the page (a shell that a tablet keeps) and its data."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from alyx.core.errors import NotFound
from alyx.core.journal.kinds import as_uuid
from alyx.core.journal.models import EntryState, JournalEntry
from alyx.core.journal.views import bench, page
from alyx.core.journal.worker import offline
from alyx.core.reading import readable
from subjects.bench.surgery_state import surgery_state
from subjects.models import Surgery
from subjects.queries.surgery_bench import found_animals, surgery_room

MOST_KEYS = 200
offline(assets=["bench/surgery.js", "bench/surgery.css"], shells=["/surgery/"])


@require_safe
@login_required(login_url=settings.LOGIN_URL)
def surgery(request: HttpRequest, key: UUID | None = None) -> HttpResponse:
    """`/surgery/`, and `/surgery/<an animal's or a surgery's id>` as labels and links have it: the same shell."""
    return page(request, "bench/surgery.html", {"title": "Surgery"})


@bench("GET")
def room_data(request: HttpRequest) -> HttpResponse:
    """`/bench/data/surgery`: animals, templates, drugs, people."""
    return JsonResponse(surgery_room(request.user))


@bench("GET")
def animal_data(request: HttpRequest) -> HttpResponse:
    """`/bench/data/surgery/animals?q=`: for herds larger than a tablet keeps."""
    return JsonResponse({"animals": found_animals(request.user, request.GET.get("q", "")[:100])})


@bench("GET")
def state_data(request: HttpRequest, key: UUID) -> HttpResponse:
    """`/bench/data/surgery/<id>?known=`: as it stands; withdrawn ones too, so that the screen can say so.

    `known`: keys of own entries with a comma between them; `applied` says which of them are in what follows.
    """
    user: Any = request.user
    keys = [found for text in request.GET.get("known", "").split(",")[:MOST_KEYS] if (found := as_uuid(text))]
    rows = JournalEntry.objects.filter(user=user, key__in=keys, state__in=(EntryState.DONE, EntryState.UNDONE))
    applied = [str(one) for one in rows.values_list("key", flat=True)]  # asked first: what follows is not older
    related = ("subject__lab", "subject__responsible_user", "subject__line", "subject__strain", "template")
    found = readable(user, Surgery.objects.select_related(*related).filter(pk=key)).first()
    if found is None:
        raise NotFound(f"there is no surgery {key}")
    return JsonResponse({**surgery_state(user, found), "applied": applied})
