"""How a lab judges weight and water: its policies through time, each with its exceptions, set by the head of the lab."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from alyx.core.admin_forms import REASON, PageForm
from alyx.core.admin_shown import counted
from alyx.core.errors import Forbidden
from alyx.labs.admin import LabPage
from alyx.labs.models import PolicyWindow, Role, WelfarePolicy
from alyx.labs.permissions import Right
from alyx.labs.policies import set_policy, today_in

COLUMNS = ("title", "first_day", "last_day", "from_on", "to_on", "reference_weight_pct", "zscore_weight_pct", "floor")
NUMBERS = {
    "reference_weight_pct": "Part of the reference weight",
    "zscore_weight_pct": "Part of the z-scored weight",
    "floor": "Critical below",
}


class SaidByTheService:
    """A form whose numbers and days the database's constraints are not asked about: the service refuses in words.

    85 is understood as 0.85, and a policy of the same first day is changed.
    """

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded | set(COLUMNS)


class PolicyForm(SaidByTheService, PageForm):
    """A policy."""


class WindowForm(SaidByTheService, forms.ModelForm[PolicyWindow]):
    """An exception."""

    class Meta:
        model = PolicyWindow
        fields = COLUMNS
        labels: ClassVar[Mapping[str, str]] = {
            "title": "Why",
            "first_day": "From day",
            "last_day": "To day",
            "from_on": "Or from date",
            "to_on": "To date",
            **NUMBERS,
        }


class WindowInline(admin.StackedInline[PolicyWindow, WelfarePolicy]):
    """Exceptions of a policy: some days of each restriction, or some dates. They are saved with the policy, by its service."""

    model = PolicyWindow
    form = WindowForm
    fields = ["title", ("first_day", "last_day"), ("from_on", "to_on"), tuple(NUMBERS)]
    extra = 1
    verbose_name = "exception"
    verbose_name_plural = (
        "exceptions: other numbers on some days of a restriction (its first is 0), or between two dates"
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody sees how animals are judged."""
        return True

    def _as_the_policy(self, request: HttpRequest, obj: Any = None) -> bool:
        page: Any = self.admin_site._registry[WelfarePolicy]
        return bool(page.has_change_permission(request, obj))

    has_add_permission = has_change_permission = has_delete_permission = _as_the_policy


@admin.register(WelfarePolicy)
class WelfarePolicyPage(LabPage):
    """Policies. A new one begins on its day and leaves the days before as they were judged."""

    form = PolicyForm
    right = Right.HEAD
    list_display = ["lab", "begins", "reference", "zscored", "critical", "exceptions", "decided_by", "why"]
    list_display_links = ["lab", "begins"]
    list_select_related = ["lab", "decided_by"]
    list_filter = ["lab"]
    search_fields = ["lab__name", "reason"]
    fields = [("lab", "from_on"), ("reference_weight_pct", "zscore_weight_pct", "floor"), "decided"]
    inlines = [WindowInline]
    labels: ClassVar[Mapping[str, str]] = {
        "from_on": "First day, in the lab's time zone",
        **{name: f"{words} (0 to 1, or per cent)" for name, words in NUMBERS.items()},
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the number of exceptions."""
        windows = counted(PolicyWindow.objects.all(), "policy")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(n_windows=windows)
        return rows

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody has decided a new one yet."""
        return self.fields if obj is not None else self.fields[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A policy stays of its lab and day; another day is another policy."""
        return ["decided", *(["lab", "from_on"] if obj is not None else [])]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """From today on, in my lab, with the numbers it has."""
        user: Any = request.user
        lab = user.labs.filter(memberships__role=Role.HEAD, memberships__user=user).first()
        given = super().get_changeform_initial_data(request)
        if lab is None:
            return given
        now = {name: getattr(lab, name) for name in ("reference_weight_pct", "zscore_weight_pct")}
        return {"lab": lab.pk, "from_on": today_in(lab), **now, **given}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Saved with its exceptions, in `save_related`."""
        if not self.may_write(request, obj):
            raise Forbidden(f"{request.user} may not set the policy of {obj.lab}: that is for its head")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The policy and its exceptions at once, by the service."""
        said = {name: form.cleaned_data[name] for name in NUMBERS}
        windows = [
            {name: one.cleaned_data.get(name) for name in COLUMNS}
            for one in formsets[0].forms
            if one.cleaned_data and not one.cleaned_data.get("DELETE") and (one.has_changed() or one.instance.pk)
        ]
        obj = form.instance
        why = request.POST.get(REASON, "").strip()
        values = {**said, "from_on": obj.from_on, "windows": windows, "reason": why}
        stored = set_policy(actor=request.user, lab=obj.lab, values=values)
        obj.pk = stored.pk
        obj.refresh_from_db()
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    @admin.display(description="decided")
    def decided(self, policy: WelfarePolicy) -> str:
        """By whom, and why."""
        return f"{policy.decided_by or 'nobody named'}{': ' + policy.reason if policy.reason else ''}"

    @admin.display(description="from", ordering="from_on")
    def begins(self, policy: WelfarePolicy) -> str:
        """Its first day."""
        return f"{policy.from_on}" if policy.from_on else "always"

    @admin.display(description="of reference", ordering="reference_weight_pct")
    def reference(self, policy: WelfarePolicy) -> str:
        """In per cent."""
        return f"{policy.reference_weight_pct:.1%}"

    @admin.display(description="of z-scored", ordering="zscore_weight_pct")
    def zscored(self, policy: WelfarePolicy) -> str:
        """In per cent."""
        return f"{policy.zscore_weight_pct:.1%}"

    @admin.display(description="critical below", ordering="floor")
    def critical(self, policy: WelfarePolicy) -> str:
        """In per cent."""
        return f"{policy.floor:.1%}"

    @admin.display(description="exceptions", ordering="n_windows")
    def exceptions(self, policy: Any) -> int:
        """How many."""
        return int(policy.n_windows)

    @admin.display(description="why")
    def why(self, policy: WelfarePolicy) -> str:
        """The reason given."""
        return policy.reason or "–"
