"""Checks after surgeries, on one page: who is to be looked at today, scored row by row, saved together."""

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from alyx.core.admin_forms import REASON, reason_field
from alyx.core.admin_shown import badge, page_now
from alyx.core.audit import because
from alyx.core.clock import utc_to_wall
from alyx.core.errors import DomainError, Doubtful
from alyx.core.flags import typing
from alyx.core.reading import readable
from alyx.core.status import Status
from subjects.admin.work import work_page
from subjects.models import PostOpCheck
from subjects.permissions import Act, permitted
from subjects.queries.checks import due_checks
from subjects.queries.today import looked_after
from subjects.rules.surgery import score_of
from subjects.services.checks import record_check

CHECKS = "subjects_surgery_checks"
_WORDS = {Status.FINE: "fine", Status.WARNING: "watch", Status.CRITICAL: "act now", Status.NEUTRAL: "in part"}


class CheckForm(forms.Form):
    """One animal looked at: a score per item of its sheet, a weight, a word."""

    weight = forms.FloatField(required=False, label="Weight (g)", widget=forms.NumberInput(attrs={"step": "any"}))
    narrative = forms.CharField(required=False, label="Remark", max_length=2000)

    def __init__(self, check: PostOpCheck, data: Any = None) -> None:
        """Items first, in the order of the sheet."""
        self.check = check
        known = {f"score_{item['key']}": check.scores.get(item["key"]) for item in check.sheet}
        initial = {**known, "weight": check.weight_g, "narrative": check.narrative}
        super().__init__(data, prefix=str(check.pk), initial=initial)
        for item in check.sheet:
            self.fields[f"score_{item['key']}"] = forms.TypedChoiceField(
                label=item["question"],
                choices=[(score, str(score)) for score in range(int(item["highest"]) + 1)],
                coerce=int,
                empty_value=None,
                required=False,
                widget=forms.RadioSelect,
            )

    @property
    def items(self) -> list[Any]:
        """The boxes of the sheet."""
        return [self[f"score_{item['key']}"] for item in self.check.sheet]

    @property
    def values(self) -> dict[str, Any]:
        """As the service takes it: what is new."""
        marks = {
            name.removeprefix("score_"): self.cleaned_data[name] for name in self.changed_data if name[:6] == "score_"
        }
        rest: dict[str, Any] = {
            name: self.cleaned_data[name] for name in ("weight", "narrative") if name in self.changed_data
        }
        return {**rest, "scores": marks}

    def say(self, refused: DomainError) -> None:
        """Beside the item."""
        for word, sentences in (refused.fields or {"": [refused.detail]}).items():
            name = word.replace("scores.", "score_")
            self.add_error(name if name in self.fields else None, list(sentences))


class WhyForm(forms.Form):
    """Why, and the tick for what is doubted."""

    reason = reason_field()


def shown_check(check: PostOpCheck, today: date) -> dict[str, Any]:
    """A line of the surgery's page."""
    score = score_of(check.sheet, check.scores)
    if check.done_wall is not None:
        state = badge(score.status, f"{score.words}: {_WORDS[score.status]}")
    elif check.due_on < today:
        state = badge(Status.FAILED, "overdue")
    elif check.due_on == today:
        state = badge(Status.WARNING, "due today")
    else:
        state = badge(Status.NEUTRAL, "to come")
    return {"check": check, "state": state}


def checks_view(page: Any, request: HttpRequest) -> HttpResponse:
    """Those due of the animals I look after; with `?surgery=`, all of that surgery, the done ones to correct."""
    if not page.has_view_permission(request):
        raise PermissionDenied
    checks = _checks(request)
    mine = permitted(request.user, {check.surgery.subject for check in checks}, Act.TREAT)
    sent = request.method == "POST"
    rows = [CheckForm(check, request.POST if sent else None) for check in checks]
    for row in rows:
        row.may_write = row.check.surgery.subject_id in mine  # type: ignore[attr-defined]
        today = utc_to_wall(page_now(), row.check.surgery.zone).date()
        row.shown = shown_check(row.check, today)  # type: ignore[attr-defined]
    is_asking = False
    if sent:
        saved, is_asking = _save(request, [row for row in rows if row.check.surgery.subject_id in mine])
        if saved:
            page.message_user(request, f"{saved} checked.", messages.SUCCESS)
            return HttpResponseRedirect(request.get_full_path())
        if saved == 0 and not any(row.errors for row in rows):
            page.message_user(
                request, "Nothing was scored: choose a score, or write a weight or a word.", messages.ERROR
            )
    why = WhyForm(request.POST if sent else None)
    if is_asking:
        why.fields["confirmed"] = forms.BooleanField(label="It is right: keep it", required=False)
    return work_page(
        page,
        request,
        "admin/subjects/surgery_checks.html",
        title="Checks after surgery",
        form=why,
        rows=rows,
        verb="Save checks",
        n_mine=sum(row.check.surgery.subject_id in mine for row in rows),
        one_surgery=request.GET.get("surgery", ""),
    )


def _checks(request: HttpRequest) -> list[PostOpCheck]:
    wanted = request.GET.get("surgery")
    if not wanted:
        return due_checks(looked_after(request.user))
    try:
        key = UUID(wanted)
    except ValueError:
        return []
    rows = readable(request.user, PostOpCheck.objects.filter(surgery=key, surgery__withdrawn_at__isnull=True))
    related = ("surgery__subject__lab", "surgery__subject__responsible_user", "surgery__lab")
    return list(rows.select_related(*related).prefetch_related("surgery__procedures").order_by("due_on"))


def _save(request: HttpRequest, rows: list[CheckForm]) -> tuple[int, bool]:
    """How many were saved (all or none), and whether something is only doubted."""
    touched = [row for row in rows if row.has_changed()]
    wrong = [row for row in touched if not row.is_valid()]
    if wrong:
        return 0, False
    refused: list[tuple[CheckForm, DomainError]] = []
    reason = request.POST.get(REASON, "").strip()
    with transaction.atomic(), because(reason), typing(confirmed=request.POST.get("confirmed") == "on"):
        for row in touched:
            try:
                with transaction.atomic():
                    record_check(actor=request.user, check=row.check, values=row.values)
            except DomainError as error:
                refused.append((row, error))
        if refused:
            transaction.set_rollback(True)
    for row, why in refused:
        row.say(why)
    if refused:
        return 0, all(isinstance(why, Doubtful) for _, why in refused)
    return len(touched), False
