"""The review inbox: data that was kept although a rule doubts it, decided by the people of its lab."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alyx.core.admin_forms import REASON
from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, badge
from alyx.core.flags import decide_flag
from alyx.core.models import FlagState, ReviewFlag
from alyx.core.status import Status
from alyx.labs.holding import held_by
from alyx.labs.models import Lab
from alyx.labs.permissions import Right, authorise, authorise_anywhere


@transaction.atomic
def decide(*, actor: Any, flag: ReviewFlag, state: FlagState, decision: str) -> None:
    """Close a flag for the lab concerned. Raises Forbidden, Conflict when somebody closed it first."""
    lab = Lab.objects.filter(pk=flag.lab_id).first() if flag.lab_id else None
    if lab is None:
        authorise_anywhere(actor, act="decide flags")
    else:
        authorise(actor, lab, act="decide flags")
    decide_flag(actor=actor, flag=flag, state=state, decision=decision)


class OpenFirst(admin.SimpleListFilter):
    """Open flags unless others are asked for."""

    title = "state"
    parameter_name = "flag_state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The states, and all."""
        return [(FlagState.RESOLVED, "resolved"), (FlagState.DISMISSED, "dismissed"), ("all", "all")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        if self.value() == "all":
            return queryset
        return queryset.filter(state=self.value() or FlagState.OPEN)

    def choices(self, changelist: Any) -> Any:
        """ "Open" is what other lists call "all"."""
        for choice in super().choices(changelist):
            yield {**choice, "display": "open"} if choice["display"] == "All" else choice


@admin.register(ReviewFlag)
class ReviewInbox(ReadOnlyPage):
    """Decide each: resolved (with what was done) or dismissed (with why)."""

    list_display = ["standing", "message", "subject_of_it", "rule", "proposed_fix", "raised"]
    list_display_links = ["message"]
    list_filter = [OpenFirst, "rule"]
    search_fields = ["message", "rule", "=object_id"]
    search_help_text = "words of the message, a rule, or the id of a record"
    actions = ["resolve", "dismiss"]
    page_actions: ClassVar[dict[str, str]] = {
        "resolve": "Resolve: it is put right",
        "dismiss": "Dismiss: it is right as it is",
    }
    fields = (
        "message",
        "proposed_fix",
        "subject_of_it",
        ("rule", "raised"),
        "facts_",
        "standing",
        "decision",
        ("decided_by", "decided_at"),
    )
    readonly_fields = (*(name for row in fields for name in ([row] if isinstance(row, str) else row)),)

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who registers in the lab of the flag decides."""
        held = held_by(request)
        if obj is None or obj.lab_id is None:
            return bool(held.somewhere(Right.REGISTER))
        return bool(held.verdict(obj.lab_id, Right.REGISTER))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the content types in one query."""
        return super().get_queryset(request).select_related("content_type", "decided_by")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What was decided is shown when it is."""
        return self.fields[:-2] if obj is not None and obj.state == FlagState.OPEN else self.fields

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """By its name."""
        return super().changelist_view(request, {"title": "Review inbox", **(extra_context or {})})

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """Of an open flag only."""
        return super().buttons(request, obj) if obj.state == FlagState.OPEN else {}

    @admin.display(description="state")
    def standing(self, flag: ReviewFlag) -> SafeString:
        """Open, resolved or dismissed."""
        return badge(Status.WARNING if flag.state == FlagState.OPEN else Status.NEUTRAL, flag.get_state_display())

    @admin.display(description="about")
    def subject_of_it(self, flag: ReviewFlag) -> SafeString | str:
        """The record concerned."""
        kind = flag.content_type
        try:
            page = reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[flag.object_id])
        except NoReverseMatch:  # a kind of record without a page
            return kind.name
        return format_html('<a href="{}">{}</a>', page, kind.name)

    @admin.display(description="facts")
    def facts_(self, flag: ReviewFlag) -> SafeString | str:
        """What the rule saw."""
        return format_html_join("", "<div><b>{}</b>: {}</div>", flag.facts.items()) or "–"

    @admin.display(description="raised", ordering="created_at")
    def raised(self, flag: ReviewFlag) -> Any:
        """When."""
        return ago(flag.created_at)

    def _decide(self, request: HttpRequest, flags: QuerySet[ReviewFlag], state: FlagState, done: str) -> None:
        reason = request.POST.get(REASON, "").strip()
        if not reason:
            text = "Nothing was decided: say in the box beside the button what was done, or why it is right."
            self.message_user(request, text, messages.ERROR)
            return
        self.each(
            request, flags, lambda flag: decide(actor=request.user, flag=flag, state=state, decision=reason), done
        )

    @admin.action(description="Resolve: I have put it right", permissions=["act"])
    def resolve(self, request: HttpRequest, flags: QuerySet[ReviewFlag]) -> None:
        """Close as resolved."""
        self._decide(request, flags, FlagState.RESOLVED, "resolved")

    @admin.action(description="Dismiss: the data is right as it is", permissions=["act"])
    def dismiss(self, request: HttpRequest, flags: QuerySet[ReviewFlag]) -> None:
        """Close as dismissed."""
        self._decide(request, flags, FlagState.DISMISSED, "dismissed")
