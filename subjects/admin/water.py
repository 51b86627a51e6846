"""Pages of weighings, water given, restrictions, water types and growth curves."""

from typing import Any, ClassVar
from urllib.parse import quote
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from alyx.core.admin_shown import badge, page_now
from alyx.core.clock import AlyxNow, utc_to_wall
from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.labs.admin import LabPage
from alyx.labs.models import Lab
from alyx.labs.permissions import Right
from subjects.admin.of_animal import OfAnimalPage
from subjects.admin.shown import WEIGHT_WORDS
from subjects.admin.weighing_round import weighing_round
from subjects.admin.work import WorkForm, carried_out, row_field, work_page
from subjects.models import GrowthPoint, Subject, WaterAdministration, WaterRestriction, WaterType, Weighing
from subjects.permissions import Act
from subjects.queries.water import days_of
from subjects.rules.day import Day
from subjects.services import restriction as restriction_service
from subjects.services import water
from subjects.services.growth import load_growth_curve

LAST_SUBJECT = "last_subject"
"""In the browser's session: the animal of the last entry, proposed for the next one."""


class AnimalPage(OfAnimalPage):
    """Records of an animal: proposed for the last one, now by the clock of its lab, by whoever types."""

    moment = "at_wall"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those not withdrawn."""
        rows: QuerySet[Any] = super().get_queryset(request).filter(withdrawn_at__isnull=True)
        return rows

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The last subject, the current user, the lab's time now; what the link says comes first."""
        given = super().get_changeform_initial_data(request)
        subject, lab = self._proposed(request)
        now = utc_to_wall(page_now(), lab.timezone if lab else "UTC").replace(microsecond=0)
        return {**self.first_values(request), self.moment: now, **given, **({"subject": subject.pk} if subject else {})}

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """What a new record begins with, beside its animal and time."""
        return {"user": request.user.pk}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Times say whose they are."""
        form = super().get_form(request, obj, change=change, **kwargs)
        for name in {"at_wall", "started_wall", "ended_wall"} & form.base_fields.keys():
            form.base_fields[name].help_text = self._whose_clock(request, obj)
        return form

    def _whose_clock(self, request: HttpRequest, obj: Any) -> str:
        if obj is not None:
            return f"lab time ({obj.zone})"
        lab = self._proposed(request)[1]
        return (
            f"the clock where the animal lives ({lab}: {lab.timezone})" if lab else "the clock where the animal lives"
        )

    def _proposed(self, request: HttpRequest) -> tuple[Subject | None, Lab | None]:
        """The animal of the link or of the last entry, and its lab (else the user's), asked for once per page."""
        known: tuple[Subject | None, Lab | None] | None = getattr(request, "proposed_animal", None)
        if known is None:
            user: Any = request.user
            subject = _subject(user, request.GET.get("subject") or request.session.get(LAST_SUBJECT))
            known = (subject, subject.lab if subject else user.labs.first())
            setattr(request, "proposed_animal", known)  # noqa: B010  (mypy: a request has no such attribute)
        return known

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The next entry proposes this animal."""
        super().save_model(request, obj, form, change)
        request.session[LAST_SUBJECT] = str(obj.subject_id)

    @admin.display(description="subject", ordering="subject__nickname")
    def animal(self, record: Any) -> Any:
        """To its weight and water."""
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:water_history", args=[record.subject_id]), record.subject
        )

    @admin.display(description="when (lab time)", ordering="at_wall")
    def when(self, record: Any) -> Any:
        """The wall clock, with its zone on hover."""
        return format_html('<span title="{}">{}</span>', record.zone, f"{record.at_wall:%Y-%m-%d %H:%M}")

    @admin.display(description="doubts")
    def counted(self, record: Any) -> Any:
        """Whether it is in the welfare numbers."""
        return "" if record.counts else badge(Status.WARNING, "doubted", "in no number until somebody says it is right")


def _subject(reader: Any, key: Any) -> Subject | None:
    try:
        wanted = UUID(str(key))
    except ValueError:
        return None
    rows = readable(reader, Subject.objects.shown().select_related("lab"))
    found: Subject | None = rows.filter(pk=wanted).first()
    return found


class DoubtedFilter(admin.SimpleListFilter):
    """Those that are in the welfare numbers, and those that are doubted."""

    title, parameter_name = "doubt", "counts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Two answers."""
        return [("yes", "in the numbers"), ("no", "doubted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        return queryset.filter(counts=self.value() == "yes") if self.value() in {"yes", "no"} else queryset


class MomentPage(AnimalPage):
    """Records of one moment. What was entered by mistake is withdrawn, with the reason; the row stays in the history."""

    list_select_related = ["subject", "user"]
    search_fields = ["subject__nickname", "=id"]
    search_help_text = "animal, or the id"
    actions = ["withdraw", "let_count"]
    acts: ClassVar[dict[str, Act]] = {"let_count": Act.TREAT}
    page_actions: ClassVar[dict[str, str]] = {
        "withdraw": "Withdraw: entered by mistake",
        "let_count": "It is right: count it",
    }

    def may_press(self, request: HttpRequest, action: str, obj: Any) -> bool:
        """Who entered it takes it back; others' entries are for those who may withdraw."""
        if action == "withdraw" and obj.user_id != request.user.pk:
            return self._may(request, Act.WITHDRAW, obj)
        return super().may_press(request, action, obj)

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """Only what is doubted can be said to be right."""
        shown = super().buttons(request, obj)
        return {name: verb for name, verb in shown.items() if name != "let_count" or not obj.counts}

    @admin.action(description="It is right: let it count", permissions=["act"])
    def let_count(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """What was doubted enters the numbers."""
        doubted = rows.filter(counts=False)
        self.each(request, doubted, lambda row: water.let_count(actor=request.user, row=row), "count now")


@admin.register(Weighing)
class WeighingPage(MomentPage):
    """Weights. A weight is not edited: it is withdrawn, and weighed again."""

    list_display = ["when", "animal", "weight", "of_expected", "user", "counted"]
    list_display_links = ["when"]
    list_filter = [DoubtedFilter, "subject__lab"]
    change_list_template = "admin/water_weighings.html"
    fields = [("subject", "weight_g"), ("at_wall", "user")]
    wire: ClassVar[dict[str, str]] = {"at_wall": "date_time", "weight_g": "weight"}
    labels: ClassVar[dict[str, str]] = {"weight_g": "Weight (g)", "at_wall": "Weighed at", "user": "Weighed by"}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was weighed is not edited."""
        return obj is None and super().has_change_permission(request)

    def get_urls(self) -> list[URLPattern]:
        """With the page of many."""
        many = self.admin_site.admin_view(lambda request: weighing_round(self, request))
        return [path("round/", many, name="subjects_weighing_round"), *super().get_urls()]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With the percentage of each weighing shown, worked out for all of them at once."""
        changelist: Any = super().get_changelist_instance(request)
        shown = list(changelist.result_list)
        for weighing, day in zip(shown, days_of((one.subject, one.at_wall.date()) for one in shown), strict=True):
            weighing.judged = day
        changelist.result_list = shown
        return changelist

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> Weighing:
        """A new one."""
        return water.record_weight(actor=actor, values=said)[0]

    @admin.action(description="Withdraw: entered by mistake", permissions=["act"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Take weighings out of every answer and number."""
        self.each(request, rows, lambda row: water.withdraw_weighing(actor=request.user, weighing=row), "withdrawn")

    @admin.display(description="weight", ordering="weight_g")
    def weight(self, weighing: Weighing) -> str:
        """In grams."""
        return f"{weighing.weight_g:.1f} g"

    @admin.display(description="of expected")
    def of_expected(self, weighing: Any) -> Any:
        """The percentage of its day; of several weighings of a day the last one is judged."""
        day: Day | None = getattr(weighing, "judged", None)
        weighed = day.case.weighed if day else None
        if day is None or day.percentage is None or weighed is None or weighed.key != weighing.pk:
            return "–"
        return badge(day.status, f"{day.percentage:.1f} % {WEIGHT_WORDS[day.status]}")


@admin.register(WaterAdministration)
class WaterAdministrationPage(MomentPage):
    """Water given: reward in a session, else supplement."""

    list_display = ["when", "animal", "volume", "kind", "water_type", "user", "counted"]
    list_display_links = ["when"]
    list_select_related = ["subject", "user", "water_type"]
    list_filter = ["adlib", DoubtedFilter, "subject__lab"]
    fields = [("subject", "volume_ml", "adlib"), ("at_wall", "water_type", "user")]
    wire: ClassVar[dict[str, str]] = {"at_wall": "date_time", "volume_ml": "water_administered"}
    labels: ClassVar[dict[str, str]] = {
        "volume_ml": "Volume (mL)",
        "at_wall": "Given at",
        "user": "Given by",
        "adlib": "Ad libitum: it drank freely",
    }

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """An empty type is not an unknown one."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "water_type" in form.base_fields:
            form.base_fields["water_type"].help_text = "empty: that of its restriction, else plain water"
        return form

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> WaterAdministration:
        """By the services."""
        if change:
            return water.change_water(actor=actor, administration=row, values=said)
        return water.record_water(actor=actor, values=said)[0]

    @admin.action(description="Withdraw: entered by mistake", permissions=["act"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Take water out of every answer and number."""
        self.each(request, rows, lambda row: water.withdraw_water(actor=request.user, administration=row), "withdrawn")

    @admin.display(description="volume", ordering="volume_ml")
    def volume(self, given: WaterAdministration) -> str:
        """In millilitres."""
        if given.adlib:
            return "ad lib"
        return "unknown" if given.volume_ml is None else f"{given.volume_ml:.2f} mL"

    @admin.display(description="as")
    def kind(self, given: WaterAdministration) -> str:
        """Reward or supplement."""
        return "reward" if given.session_id else "supplement"


class RunningFilter(admin.SimpleListFilter):
    """Still restricted, or ended."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Two answers."""
        return [("running", "still restricted"), ("ended", "ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows."""
        rows: Any = queryset
        found: QuerySet[Any] = {
            "running": rows.in_force(),
            "ended": rows.filter(ended_at__lte=AlyxNow()),
        }.get(self.value() or "", rows)
        return found


@admin.register(WaterRestriction)
class WaterRestrictionPage(AnimalPage):
    """Restrictions: begun with a reference weight, ended by a button."""

    moment = "started_wall"
    act = Act.TREAT
    acts: ClassVar[dict[str, Act]] = {"withdraw": Act.WITHDRAW}
    list_display = ["began", "animal", "standing", "ended", "reference", "water_type"]
    list_display_links = ["began"]
    list_select_related = ["subject", "water_type"]
    list_filter = [RunningFilter, "lab"]
    search_fields = ["subject__nickname", "=id"]
    search_help_text = "animal, or the id"
    actions = ["end", "withdraw"]
    page_actions: ClassVar[dict[str, str]] = {
        "end": "End it now: it drinks freely",
        "withdraw": "Withdraw: entered by mistake",
    }
    wire: ClassVar[dict[str, str]] = {
        "started_wall": "start_time",
        "ended_wall": "end_time",
        "reference_weight_g": "reference_weight",
        "minimum_water_ml": "minimum_water",
    }
    labels: ClassVar[dict[str, str]] = {
        "started_wall": "Begins at",
        "ended_wall": "Ends at",
        "reference_weight_g": "Reference weight (g), implant included",
        "minimum_water_ml": "Least water per day (mL), as licensed",
        "users": "Restricted by",
        "ethics_review_id": "Ethics review",
    }
    fieldsets = [
        (None, {"fields": [("subject", "reference_weight_g"), ("started_wall", "ended_wall"), ("water_type", "users")]}),
        ("More", {"fields": [("minimum_water_ml", "ethics_review_id"), ("location", "name"), "procedures", "narrative"]}),
    ]  # fmt: skip

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """By whoever types."""
        return {"users": [request.user.pk]}

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Without a reference weight it says which weighing stands for it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if "reference_weight_g" in form.base_fields:
            form.base_fields[
                "reference_weight_g"
            ].help_text = "empty: its last weighing, if that is at most 7 days old when the restriction begins; else you are asked"
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A restriction stays with its animal."""
        return ["subject"] if obj is not None else []

    def write(self, *, actor: Any, row: Any, said: dict[str, Any], change: bool) -> WaterRestriction:
        """By the services."""
        if change:
            return restriction_service.change_restriction(actor=actor, restriction=row, values=said)
        return restriction_service.restrict_water(actor=actor, values=said)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has written the links."""

    def buttons(self, request: HttpRequest, obj: Any) -> Any:
        """What is ended is not ended again."""
        shown = super().buttons(request, obj)
        return {name: verb for name, verb in shown.items() if name != "end" or obj.ended_wall is None}

    @admin.action(description="End now: it drinks freely", permissions=["act"])
    def end(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """The animal drinks freely again."""

        def end(row: WaterRestriction) -> None:
            restriction_service.end_restriction(actor=request.user, restriction=row)

        self.each(request, rows, end, "ended")

    @admin.action(description="Withdraw: entered by mistake", permissions=["act"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Take restrictions out of every answer and number."""
        self.each(
            request,
            rows,
            lambda row: restriction_service.withdraw_restriction(actor=request.user, restriction=row),
            "withdrawn",
        )

    @admin.display(description="began (lab time)", ordering="started_wall")
    def began(self, restriction: WaterRestriction) -> str:
        """The wall clock."""
        return f"{restriction.started_wall:%Y-%m-%d %H:%M}" if restriction.started_wall else "not known"

    @admin.display(description="ended (lab time)", ordering="ended_wall")
    def ended(self, restriction: WaterRestriction) -> str:
        """The wall clock."""
        return f"{restriction.ended_wall:%Y-%m-%d %H:%M}" if restriction.ended_wall else "–"

    @admin.display(description="state")
    def standing(self, restriction: WaterRestriction) -> Any:
        """Still restricted?"""
        if restriction.ended_wall is None:
            return badge(Status.WARNING, "restricted")
        return badge(Status.NEUTRAL, "ended")

    @admin.display(description="reference", ordering="reference_weight_g")
    def reference(self, restriction: WaterRestriction) -> str:
        """As entered."""
        return f"{restriction.reference_weight_g:.1f} g" if restriction.reference_weight_g else "the weighing before"


@admin.register(WaterType)
class WaterTypePage(LabPage):
    """What animals drink."""

    list_display = ["name", "description"]
    search_fields = ["name", "description"]
    fields = ["name", "description"]
    lab_path = ""
    right = Right.MANAGE


@admin.register(GrowthPoint)
class GrowthPointPage(LabPage):
    """Growth curves of strains, loaded as a table; every other animal is judged by the default curve."""

    list_display = ["strain", "sex", "age_weeks", "mean_g", "sd_g"]
    list_display_links = ["strain"]
    list_select_related = ["strain"]
    list_filter = ["sex"]
    search_fields = ["strain__name"]
    fields = [("strain", "sex", "age_weeks"), ("mean_g", "sd_g")]
    change_list_template = "admin/water_growth_list.html"
    labels: ClassVar[dict[str, str]] = {"mean_g": "Mean (g)", "sd_g": "Standard deviation (g)"}
    lab_path = ""
    right = Right.MANAGE

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A curve is loaded whole."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """With the form of a whole curve."""
        load = self.admin_site.admin_view(self.load_view)
        return [path("load/", load, name="subjects_growthpoint_load"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the button, for those who may."""
        may_load = self.may_write(request)
        return super().changelist_view(request, {"may_load": may_load, **(extra_context or {})})

    def load_view(self, request: HttpRequest) -> HttpResponse:
        """`/admin/subjects/growthpoint/load/`: the curve of a strain as a table, one form."""
        if not self.may_write(request):
            raise PermissionDenied
        form = CurveForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            strain, table = form.cleaned_data["strain"], form.cleaned_data["table"]
            count = carried_out(form, lambda: load_growth_curve(actor=request.user, strain=strain, table=table))
            if count is not None:
                self.message_user(request, f"The curve of {strain} has {count} points.", messages.SUCCESS)
                return HttpResponseRedirect(
                    reverse("admin:subjects_growthpoint_changelist") + f"?q={quote(strain.name)}"
                )
        return work_page(
            self,
            request,
            "admin/work_page.html",
            title="Load a growth curve",
            form=form,
            verb="Load the curve",
            action="",
        )


class CurveForm(WorkForm):
    """A curve as a table."""

    strain = row_field(GrowthPoint, "strain")
    table = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 12, "cols": 60, "spellcheck": "false"}),
        help_text="CSV with the columns sex (M or F), age_weeks, mean_g, sd_g. It replaces the strain's curve.",
    )
