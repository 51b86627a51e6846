"""The review inbox and the notes."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alyx.core.admin_pages import Page, ReadOnlyPage, ReasonForm, ago, badge
from alyx.core.flags import decide_flag
from alyx.core.models import FlagState, Note, ReviewFlag
from alyx.core.status import Status


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
    """Data that was kept although a rule doubts it. Decide each: resolved (with what was done) or dismissed (with why)."""

    list_display = ["standing", "message", "subject_of_it", "rule", "proposed_fix", "raised"]
    list_display_links = ["message"]
    list_filter = [OpenFirst, "rule"]
    search_fields = ["message", "rule", "object_id"]
    action_form = ReasonForm
    actions = ["resolve", "dismiss"]
    fields = (
        "message",
        "rule",
        "subject_of_it",
        "facts",
        "proposed_fix",
        "standing",
        "decision",
        "decided_by",
        "decided_at",
        "raised",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the content types in one query; the labs of the member only, unless superuser."""
        user: Any = request.user
        flags = super().get_queryset(request).select_related("content_type", "decided_by")
        if user.is_superuser:
            return flags
        return flags.filter(lab_id__in=user.labs.values("pk")) | flags.filter(lab_id__isnull=True)

    @admin.display(description="state")
    def standing(self, flag: ReviewFlag) -> SafeString:
        """Open, resolved or dismissed."""
        return badge(Status.WARNING if flag.state == FlagState.OPEN else Status.NEUTRAL, flag.get_state_display())

    @admin.display(description="about")
    def subject_of_it(self, flag: ReviewFlag) -> SafeString:
        """The record concerned."""
        kind = flag.content_type
        return format_html(
            '<a href="/admin/{}/{}/{}/change/">{}</a>', kind.app_label, kind.model, flag.object_id, kind.name
        )

    @admin.display(description="raised", ordering="created_at")
    def raised(self, flag: ReviewFlag) -> Any:
        """When."""
        return ago(flag.created_at)

    def _decide(self, request: HttpRequest, flags: QuerySet[ReviewFlag], state: FlagState, done: str) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(
                request, "Say what was done, or why it is dismissed, in the box beside the action.", messages.ERROR
            )
            return
        self.each(
            request, flags, lambda flag: decide_flag(actor=request.user, flag=flag, state=state, decision=reason), done
        )

    @admin.action(description="Resolve: I have put it right")
    def resolve(self, request: HttpRequest, flags: QuerySet[ReviewFlag]) -> None:
        """Close as resolved."""
        self._decide(request, flags, FlagState.RESOLVED, "flags resolved")

    @admin.action(description="Dismiss: the data is right as it is")
    def dismiss(self, request: HttpRequest, flags: QuerySet[ReviewFlag]) -> None:
        """Close as dismissed."""
        self._decide(request, flags, FlagState.DISMISSED, "flags dismissed")


@admin.register(Note)
class NotePage(Page):
    """Notes on any record."""

    list_display = ["at_wall", "text", "user", "content_type"]
    list_select_related = ["user", "content_type"]
    search_fields = ["text"]
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Notes are written on the record's own page or by REST."""
        return False
