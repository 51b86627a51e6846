"""Items: what is on its way, what is stuck and why."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alyx.core.admin_forms import REASON
from alyx.core.admin_pages import ReadOnlyPage
from alyx.core.admin_shown import ago, badge, link, megabytes
from alyx.labs.holding import held_by
from alyx.labs.permissions import Right
from transfers.models import Event, TransferItem
from transfers.rules.lifecycle import ItemState
from transfers.rules.standing import ITEM_STATUS
from transfers.services.reconsidering import cancel_item, retry_item

WAITING = (ItemState.NEEDS_HUMAN, ItemState.RETRY_WAIT)


@admin.register(TransferItem)
class TransferItemPage(ReadOnlyPage):
    """One copy of one file on its way. What needs somebody stands out; retry exactly those."""

    list_display = ["file", "destination", "standing", "attempts", "size", "why", "moved"]
    list_display_links = ["file"]
    list_select_related = ["destination"]
    list_filter = ["state", "last_error_code", "destination", "dataset__session__lab"]
    search_fields = ["=dataset__id", "=id", "dest_path_key__startswith"]
    actions = ["retry", "cancel"]
    page_actions: ClassVar[dict[str, str]] = {"retry": "Try again now", "cancel": "Do not copy this"}
    fields = [
        ("dataset_link", "content_version"),
        ("source", "destination", "dest_path_key"),
        ("standing", "attempts", "not_before"),
        "why",
        ("job", "size_class", "size"),
        "history",
    ]
    readonly_fields = ["dataset_link", "standing", "size", "why", "history"]

    def may_write(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who manages the data of one of the destination's labs."""
        held = held_by(request)
        if obj is None or request.user.is_superuser:
            return bool(held.somewhere(Right.MANAGE))
        return any(held.verdict(lab, Right.MANAGE) for lab in obj.destination.labs.all())

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """What fits its state."""
        fits = {"retry": obj.state in WAITING, "cancel": obj.state in (*WAITING, ItemState.PLANNED)}
        return {name: verb for name, verb in super().buttons(request, obj).items() if fits[name]}

    @admin.action(description="Try again now: what was wrong is put right", permissions=["act"])
    def retry(self, request: HttpRequest, items: QuerySet[Any]) -> None:
        """Start again with a clean count."""
        self.each(request, items, lambda item: retry_item(actor=request.user, item=item), "will be tried again")

    @admin.action(description="Do not copy: give these up", permissions=["act"])
    def cancel(self, request: HttpRequest, items: QuerySet[Any]) -> None:
        """Give up, saying why."""
        reason = request.POST.get(REASON, "").strip()
        if not reason:
            text = "Nothing was given up: say why in the box beside the button."
            self.message_user(request, text, messages.ERROR)
            return
        self.each(request, items, lambda item: cancel_item(actor=request.user, item=item, reason=reason), "given up")

    @admin.display(description="file", ordering="dest_path_key")
    def file(self, item: TransferItem) -> str:
        """Its path at the destination."""
        return item.dest_path_key

    @admin.display(description="state", ordering="state")
    def standing(self, item: TransferItem) -> Any:
        """Its state."""
        return badge(ITEM_STATUS[ItemState(item.state)], item.state.replace("_", " "))

    @admin.display(description="size", ordering="size_bytes")
    def size(self, item: TransferItem) -> str:
        """For people."""
        return megabytes(item.size_bytes)

    @admin.display(description="why")
    def why(self, item: TransferItem) -> str:
        """The last failure in a sentence."""
        return item.last_error or "–"

    @admin.display(description="last change", ordering="-updated_at")
    def moved(self, item: TransferItem) -> Any:
        """When."""
        return ago(item.updated_at)

    @admin.display(description="dataset")
    def dataset_link(self, item: TransferItem) -> Any:
        """To the dataset."""
        return link(item.dataset)

    @admin.display(description="history")
    def history(self, item: TransferItem) -> SafeString:
        """The event log: every state it took, when, why, and who had a hand in it."""
        rows = [
            format_html(
                "<li>{} {} → {} {}{}</li>",
                ago(event.at),
                event.old or "made",
                event.new.replace("_", " "),
                event.data.get("error") or "",
                _by(event.context or {}),
            )
            for event in Event.objects.filter(subject_id=item.pk)[:200]
        ]
        return format_html("<ol>{}</ol>", SafeString("".join(rows)))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what the page shows."""
        return super().get_queryset(request).select_related("destination", "dataset__revision")


def _by(context: dict[str, Any]) -> str:
    """Who did it and why, of a change by a person."""
    if not context.get("actor_name"):
        return ""
    return f" by {context['actor_name']}" + (f": “{context['reason']}”" if context.get("reason") else "")
