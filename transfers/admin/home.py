"""The first page: what needs somebody, counted, each number one click from its list."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import path

from alyx.core.admin_shown import badge
from alyx.core.journal.models import waiting_for
from alyx.core.models import FlagState, ReviewFlag
from alyx.core.reading import readable
from alyx.core.status import Status
from datasets.models import Repository, RepositoryState
from subjects.queries.today import looked_after, needs_of
from transfers.admin.find import find
from transfers.admin.groups import grouped
from transfers.models import FoundFile, TransferItem
from transfers.queries.places import UNUSABLE, not_ready
from transfers.rules.intake import WAITS
from transfers.rules.lifecycle import ItemState


def needs(user: Any) -> list[dict[str, Any]]:
    """Counts of what waits for a person, and where to see it; first the animals that this person looks after."""
    animals = needs_of(looked_after(user))
    flags = readable(user, ReviewFlag.objects.filter(state=FlagState.OPEN)).count()
    waiting = TransferItem.objects.filter(state__in=(ItemState.NEEDS_HUMAN, ItemState.RETRY_WAIT))
    items = readable(user, waiting).aggregate(
        stuck=Count("pk", filter=Q(state=ItemState.NEEDS_HUMAN)),
        retrying=Count("pk", filter=Q(state=ItemState.RETRY_WAIT)),
    )
    places = list(readable(user, Repository.objects.exclude(state=RepositoryState.RETIRED)))
    blocked = sum(place.state in UNUSABLE for place in places) + len(not_ready(places))
    left = readable(user, FoundFile.objects.exclude(why__in=WAITS)).count()
    of_items = "/admin/transfers/transferitem/?state__exact="
    listed = [
        (animals.light, Status.FAILED, "below", "animals below their weight", "/admin/training/"),
        (animals.waiting, Status.WARNING, "today", "animals to weigh or to water", "/admin/training/"),
        (animals.checks, Status.WARNING, "due", "checks after surgery", "/admin/subjects/surgery/checks/"),
        (
            waiting_for(user),
            Status.FAILED,
            "to look at",
            "entries of yours that wait on a tablet's page",
            "/bench/kept/",
        ),
        (flags, Status.WARNING, "to review", "records a rule doubts", "/admin/core/reviewflag/"),
        (items["stuck"], Status.FAILED, "stuck", "copies that need a person", f"{of_items}needs_human"),
        (items["retrying"], Status.WARNING, "retrying", "copies the night tries again", f"{of_items}retry_wait"),
        (blocked, Status.CRITICAL, "not ready", "repositories the night cannot use", "/admin/transfers/health/"),
        (
            left,
            Status.WARNING,
            "to sort out",
            "files a scan could not register",
            "/admin/transfers/morning/#unregistered",
        ),
    ]
    return [
        {
            "count": count,
            "badge": badge(status if count else Status.FINE, word if count else "none"),
            "words": words,
            "url": url,
        }
        for count, status, word, words, url in listed
    ]


ORDER = ["subjects", "lab_sessions", "datasets", "transfers", "core", "labs", "auth"]


def _ordered(listing: Callable[..., list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
    def in_the_days_order(request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        rank = {label: place for place, label in enumerate(ORDER)}
        return sorted(listing(request, app_label), key=lambda app: rank.get(app["app_label"], len(rank)))

    return in_the_days_order


def _with_needs(index: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def home(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        groups = grouped(admin.site.get_app_list(request))
        return index(request, {"needs": needs(request.user), "groups": groups, **(extra_context or {})})

    return home


def _with_find(urls: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    def find_view(request: HttpRequest) -> HttpResponse:
        return find(request, admin.site.each_context(request))

    def with_find() -> list[Any]:
        return [path("find/", admin.site.admin_view(find_view), name="find"), *urls()]

    return with_find


admin.site.get_app_list = _ordered(admin.site.get_app_list)  # type: ignore[method-assign]
admin.site.index = _with_needs(admin.site.index)  # type: ignore[method-assign,assignment]
admin.site.get_urls = _with_find(admin.site.get_urls)  # type: ignore[method-assign]
