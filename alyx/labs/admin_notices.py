"""The page "Notifications": what I was told, what I want to be told, and mails that somebody has to look after."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse

from alyx.core import clock
from alyx.core.admin_routes import add_routes
from alyx.core.admin_shown import ago, badge
from alyx.core.errors import DomainError, Invalid
from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.labs import mailing, notifying
from alyx.labs.models import Delivery, DeliveryState, Mute, Notification, NotificationKind, NotificationRule, RuleScope

NEW_SHOWN = 100
EARLIER_SHOWN = 50
WORDS = {
    Status.NEUTRAL: "news",
    Status.FINE: "settled",
    Status.WARNING: "warning",
    Status.FAILED: "alert",
    Status.CRITICAL: "critical",
}
HOW_LONG = {"tomorrow": "until tomorrow morning", "week": "for a week", "always": "for good"}
SCOPES = {
    RuleScope.NONE: "nothing",
    RuleScope.MINE: "what concerns me",
    RuleScope.LAB: "my labs",
    RuleScope.ALL: "all labs",
}
DIGEST_OPENS = "admin:training"
"""A digest is about a lab; what it asks for is done there."""


def link_of(news: Notification) -> tuple[str, str]:
    """Where the record is, and what to call it; empty where it has no page."""
    kind = news.content_type
    try:
        if news.kind == NotificationKind.DIGEST:
            return reverse(DIGEST_OPENS), "training overview"
        return reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[news.object_id]), str(kind.name)
    except NoReverseMatch:
        return "", ""


def _shown(delivery: Delivery) -> dict[str, Any]:
    news = delivery.notification
    status = Status(news.status)
    url, name = link_of(news)
    return {
        "id": delivery.pk,
        "anchor": f"n-{delivery.pk.hex}",
        "status": status.value,
        "badge": badge(status, WORDS[status]),
        "title": news.title,
        "text": news.text,
        "lab": news.lab.name if news.lab else "",
        "kind": news.get_kind_display(),
        "record": name if news.kind != NotificationKind.DIGEST else "lab",
        "url": url,
        "url_name": name,
        "at": ago(news.created_at),
        "mail": _mail(delivery),
        "is_new": delivery.seen_at is None and delivery.state != DeliveryState.MUTED,
    }


def _mail(delivery: Delivery) -> Any:
    """What became of the mail, in words."""
    match delivery.state:
        case DeliveryState.SENT:
            return f"mailed to {delivery.user.email}" if delivery.user.email else "mailed"
        case DeliveryState.PAGE_ONLY:
            return "on this page only: your account has no e-mail address"
        case DeliveryState.UNSURE:
            return badge(Status.WARNING, "the mail may not have arrived", delivery.last_error)
        case DeliveryState.FAILED:
            return badge(Status.FAILED, "the mail failed", delivery.last_error)
        case DeliveryState.MUTED:
            return delivery.last_error or "muted by you: not mailed"
    return "not mailed yet: tried again soon" if delivery.last_error else "the mail is on its way"


def _troubled(delivery: Delivery) -> dict[str, Any]:
    failed = delivery.state == DeliveryState.FAILED
    return {
        "id": delivery.pk,
        "to": delivery.user.get_username(),
        "title": delivery.notification.title,
        "lab": delivery.notification.lab or "–",
        "at": ago(delivery.notification.created_at),
        "badge": badge(Status.FAILED, "failed") if failed else badge(Status.WARNING, "may have left"),
        "error": delivery.last_error,
    }


def _muted(mute: Mute, titles: dict[UUID, str]) -> dict[str, Any]:
    about = f"the record of “{titles[mute.object_id]}”" if mute.object_id in titles else "one record"
    what = f"all about {about}" if mute.object_id else ""
    kind = mute.get_kind_display() if mute.kind else ""
    return {
        "id": mute.pk,
        "what": " · ".join(filter(None, [kind, what])),
        "until": f"until {mute.until:%Y-%m-%d %H:%M} UTC" if mute.until else "for good",
    }


def page(request: HttpRequest) -> HttpResponse:
    """`/admin/notifications/`."""
    if request.method == "POST":
        return _act(request)
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "POST"])
    user: Any = request.user
    mine = Delivery.objects.select_related("notification__content_type", "notification__lab", "user").filter(user=user)
    fresh = mine.filter(state__in=notifying.NEWS, seen_at__isnull=True)
    earlier = mine.exclude(state__in=notifying.NEWS, seen_at__isnull=True)
    troubled = mailing.troubled(user).select_related("notification__lab", "user")
    rules = dict(NotificationRule.objects.filter(user=user).values_list("kind", "scope"))
    mutes = list(Mute.objects.filter(user=user))
    about = [mute.object_id for mute in mutes if mute.object_id]
    titles = dict(
        Notification.objects.filter(object_id__in=about).order_by("created_at").values_list("object_id", "title")
    )
    context = {
        **admin.site.each_context(request),
        "title": "Notifications",
        "fresh": [_shown(row) for row in fresh[:NEW_SHOWN]],
        "n_fresh": notifying.unseen(user),
        "earlier": [_shown(row) for row in earlier[:EARLIER_SHOWN]],
        "troubled": [_troubled(row) for row in troubled[:NEW_SHOWN]],
        "how_long": HOW_LONG.items(),
        "scopes": SCOPES.items(),
        "rules": [
            {"kind": kind, "label": label, "scope": rules.get(kind, RuleScope.MINE)}
            for kind, label in NotificationKind.choices
        ],
        "mutes": [_muted(mute, titles) for mute in mutes],
        "has_address": bool(user.email),
    }
    return TemplateResponse(request, "admin/notices.html", context)


def open_one(request: HttpRequest, key: UUID) -> HttpResponse:
    """`/admin/notifications/<delivery>/`, the link in a mail, also passed on to a colleague: to the record."""
    rows = Delivery.objects.filter(notification__in=readable(request.user, Notification.objects.all()))
    delivery = get_object_or_404(rows.select_related("notification__content_type"), pk=key)
    url, _ = link_of(delivery.notification)
    return HttpResponseRedirect(url or f"{reverse('admin:notices')}#n-{delivery.pk.hex}")


# What the buttons do.


def _act(request: HttpRequest) -> HttpResponse:
    acts: dict[str, Callable[[HttpRequest], str]] = {
        "seen": _seen,
        "seen_all": _seen_all,
        "mute": _mute,
        "unmute": _unmute,
        "rules": _rules,
        "again": _again,
    }
    act = acts.get(request.POST.get("do", ""))
    if act is None:
        raise Http404
    try:
        done = act(request)
    except DomainError as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, done)
    return HttpResponseRedirect(request.path)


def _own(request: HttpRequest) -> Delivery:
    rows = Delivery.objects.select_related("notification__lab").filter(user=request.user)  # type: ignore[misc]
    return get_object_or_404(rows, pk=_key(request, "delivery"))


def _key(request: HttpRequest, name: str) -> UUID:
    try:
        return UUID(request.POST.get(name, ""))
    except ValueError:
        raise Http404 from None


def _seen(request: HttpRequest) -> str:
    delivery = _own(request)
    user: Any = request.user
    notifying.mark_seen(actor=user, deliveries=Delivery.objects.filter(pk=delivery.pk))
    return f"Seen: {delivery.notification.title}"


def _seen_all(request: HttpRequest) -> str:
    """Those that were on the page, not what came meanwhile."""
    user: Any = request.user
    shown: list[UUID] = []
    for text in request.POST.getlist("delivery")[:NEW_SHOWN]:
        try:
            shown.append(UUID(text))
        except ValueError:
            raise Http404 from None
    count = notifying.mark_seen(actor=user, deliveries=Delivery.objects.filter(pk__in=shown))
    return f"{count} marked as seen"


def _mute(request: HttpRequest) -> str:
    user: Any = request.user
    news = _own(request).notification
    what, how_long = request.POST.get("what", ""), request.POST.get("until", "")
    if what not in {"record", "kind"} or how_long not in HOW_LONG:
        raise Invalid("say what to mute, and for how long")
    until = _until(how_long, news.lab.timezone if news.lab else settings.TIME_ZONE)
    if what == "record":
        notifying.mute(actor=user, record=news.object_id, until=until)
    else:
        notifying.mute(actor=user, kind=news.kind, until=until)
    about = f"“{news.get_kind_display()}”" if what == "kind" else "this record"
    return f"Muted {HOW_LONG[how_long]}: {about}. It can be heard again from the list of mutes below."


def _until(how_long: str, zone: str) -> datetime | None:
    """Tomorrow ends before the morning's digest of the lab."""
    now = clock.now()
    if how_long == "week":
        return now + timedelta(days=7)
    if how_long == "always":
        return None
    tomorrow = clock.utc_to_wall(now, zone).date() + timedelta(days=1)
    return clock.wall_to_utc(datetime.combine(tomorrow, settings.ALYX_DIGEST_AT), zone)


def _unmute(request: HttpRequest) -> str:
    user: Any = request.user
    notifying.unmute(actor=user, mute=get_object_or_404(Mute, pk=_key(request, "mute")))
    return "Heard again from now on"


def _rules(request: HttpRequest) -> str:
    user: Any = request.user
    said = {kind: request.POST[f"scope_{kind}"] for kind in NotificationKind.values if f"scope_{kind}" in request.POST}
    notifying.set_rules(
        actor=user, scopes={kind: "" if scope == RuleScope.MINE else scope for kind, scope in said.items()}
    )
    return "Your rules are kept"


def _again(request: HttpRequest) -> str:
    user: Any = request.user
    delivery = get_object_or_404(Delivery.objects.select_related("user"), pk=_key(request, "delivery"))
    mailing.send_again(actor=user, delivery=delivery)
    return f"Sent again to {delivery.user} within a minute"


def _with_count(context: Callable[[HttpRequest], dict[str, Any]]) -> Callable[[HttpRequest], dict[str, Any]]:
    """The count in the header is asked for when a page shows it."""

    def each_context(request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        return {**context(request), "unseen_notices": partial(notifying.unseen, user)}

    return each_context


admin.site.each_context = _with_count(admin.site.each_context)  # type: ignore[method-assign,assignment]
add_routes(
    path("notifications/", admin.site.admin_view(page), name="notices"),
    path("notifications/<uuid:key>/", admin.site.admin_view(open_one), name="notice"),
)
