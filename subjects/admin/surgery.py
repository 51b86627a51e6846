"""The page of a surgery: who, what and when; its parts, drugs, timeline, pictures and checks; what is missing at the end."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse

from alyx.core.admin_forms import REASON
from alyx.core.admin_shown import badge, page_now, page_of
from alyx.core.clock import utc_to_wall
from alyx.core.errors import DomainError
from alyx.core.models import Note
from alyx.core.notes import add_note, notes_of, withdraw_note
from alyx.core.reading import readable
from alyx.core.status import Status
from alyx.labs.admin import roles_of
from subjects.admin.surgery_boxes import Animals, AnimalSelect, SurgeryForm
from subjects.admin.surgery_checks import CHECKS, checks_view, shown_check
from subjects.admin.surgery_parts import PARTS, PartInline, parts_of
from subjects.admin.water import LAST_SUBJECT, AnimalPage
from subjects.models import Drug, Outcome, PostOpCheck, Surgery, SurgeryTemplate, Weighing
from subjects.permissions import Act
from subjects.queries.checks import next_due
from subjects.services.procedure import ethics_of
from subjects.services.surgery import change_surgery, end_surgery, preview_end, record_surgery, withdraw_surgery
from subjects.services.templates import filled_from

MOST_TEMPLATES = 30
OUTCOMES = {Outcome.RECOVERY: Status.FINE, Outcome.ACUTE: Status.NEUTRAL, Outcome.NON_RECOVERY: Status.NEUTRAL}


@admin.register(Surgery)
class SurgeryPage(AnimalPage):
    """Surgeries."""

    form = SurgeryForm
    moment = "started_wall"
    act = Act.TREAT
    acts: ClassVar[dict[str, Act]] = {"withdraw": Act.WITHDRAW}
    inlines = PARTS
    change_list_template = "admin/subjects/surgery_list.html"
    change_form_template = "admin/subjects/surgery_page.html"
    add_form_template = change_form_template
    list_display = ["animal", "when", "done", "outcome", "surgeons", "checks"]
    list_display_links = ["when"]
    list_select_related = ["subject"]
    list_filter = ["outcome_type", "subject__lab"]
    search_fields = ["subject__nickname", "narrative", "procedures__name", "=id"]
    search_help_text = "animal, procedure, words of the narrative, or the id"
    actions = ["withdraw"]
    page_actions: ClassVar[dict[str, str]] = {
        "end": "End now: it recovers",
        "withdraw": "Withdraw: it did not happen",
    }
    wire: ClassVar[dict[str, str]] = {
        "started_wall": "start_time",
        "ended_wall": "end_time",
        "implant_weight_g": "implant_weight",
        "weight_before_g": "weight_before",
        "weight_after_g": "weight_after",
    }
    labels: ClassVar[dict[str, str]] = {
        "started_wall": "Started",
        "ended_wall": "Ended",
        "users": "Surgeons",
        "outcome_type": "Outcome",
        "implant_weight_g": "Implant weight (g)",
        "weight_before_g": "Body weight before (g)",
        "weight_after_g": "Body weight after (g)",
        "anaesthesia_min": "Anaesthesia (min)",
        "anaesthesia_level": "Level (%)",
        "ethics_review_id": "Ethics review",
        "lab": "Done in lab",
    }
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("subject", "users"),
                    ("started_wall", "ended_wall"),
                    ("procedures", "location"),
                    ("weight_before_g", "weight_after_g", "implant_weight_g", "outcome_type"),
                    "narrative",
                ],
                "classes": ["compact"],
            },
        ),
        (
            "Anaesthesia, severity, ethics, lab",
            {
                "fields": [
                    ("anaesthetic", "anaesthesia_min", "anaesthesia_level"),
                    ("severity", "ethics_review_id"),
                    ("name", "lab", "template"),
                    "json",
                ],
                "classes": ["collapse", "compact"],
            },
        ),
        ("Pictures", {"fields": [("pictures", "pictures_say")], "classes": ["collapse", "compact"]}),
    ]

    class Media:
        css = {"all": ["alyx/surgery.css"]}
        js = ["admin/js/jquery.init.js", "alyx/surgery.js"]

    # The list.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what the list shows, in one query each."""
        checks = Prefetch("checks", queryset=PostOpCheck.objects.order_by("due_on"))
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related("users", "procedures", checks)

    @admin.display(description="when (lab time)", ordering="started_wall")
    def when(self, surgery: Any) -> Any:
        """The wall clock."""
        return super().when(_Wall(surgery)) if surgery.started_wall else "no date"

    @admin.display(description="procedures")
    def done(self, surgery: Surgery) -> str:
        """What was done."""
        return ", ".join(one.name for one in surgery.procedures.all()) or "–"

    @admin.display(ordering="outcome_type")
    def outcome(self, surgery: Surgery) -> Any:
        """How it ended."""
        if surgery.outcome_type:
            return badge(OUTCOMES[Outcome(surgery.outcome_type)], surgery.get_outcome_type_display())
        return badge(Status.WARNING, "not said") if surgery.ended_wall else badge(Status.NEUTRAL, "not ended")

    @admin.display(description="surgeons")
    def surgeons(self, surgery: Surgery) -> str:
        """Who operated."""
        return ", ".join(user.username for user in surgery.users.all()) or "–"

    @admin.display(description="checks")
    def checks(self, surgery: Surgery) -> Any:
        """What is due."""
        due, following = next_due(surgery.checks.all(), utc_to_wall(page_now(), surgery.zone).date())
        if surgery.subject.died_on:
            return "–"
        if due:
            return badge(Status.WARNING, f"{due} due", f"since {following}")
        return f"next {following}" if following else "–"

    # The form.

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The animal by a box of its own; the lab is the animal's unless somebody says another."""
        form = super().get_form(request, obj, change=change, **kwargs)
        fields = form.base_fields
        if "subject" in fields:
            select = AnimalSelect(Surgery._meta.get_field("subject"), self.admin_site)
            select.choices = fields["subject"].choices
            fields["subject"].widget = select
            fields["subject"].help_text = "the living; a dead one by typing its name"
        if "lab" in fields:
            fields["lab"].required = False
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """People, places and words are made on their own pages: fewer stops on the way by keyboard."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget: Any = getattr(field, "widget", None)
        if hasattr(widget, "can_add_related"):
            widget.can_add_related = widget.can_change_related = False
            widget.can_delete_related = widget.can_view_related = False
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody asks why a surgery is new."""
        shown = super().get_fieldsets(request, obj)
        if obj is not None:
            return shown
        asked = [
            (title, {**options, "fields": [name for name in options["fields"] if name != REASON]})
            for title, options in shown
        ]
        return [(title, options) for title, options in asked if options["fields"]]

    def first_values(self, request: HttpRequest) -> dict[str, Any]:
        """I operate, where I operated last; what the template says."""
        user: Any = request.user
        last = (
            Surgery.objects.shown()
            .filter(users=user, location__isnull=False)
            .order_by("-started_wall")
            .values_list("location", flat=True)
            .first()
        )
        return {"users": [user.pk], "location": last, **self._from_template(request)[0]}

    def _from_template(self, request: HttpRequest) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The form's first values and the parts, when a template was chosen."""
        key = request.GET.get("template", "")
        known: tuple[dict[str, Any], list[dict[str, Any]]] | None = getattr(request, "from_template", None)
        if known is None:
            known = ({}, [])
            chosen = _template(request.user, key)
            if chosen is not None:
                said, parts = filled_from(chosen)
                columns = {word: name for name, word in self.wire.items()}
                values = {columns.get(word, word): _first(value) for word, value in said.items()}
                known = ({**values, "template": chosen.pk}, parts)
            setattr(request, "from_template", known)  # noqa: B010  (mypy: a request has no such attribute)
        return known

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Folded, unless there are some: stored, typed or in the template."""
        made: list[Any] = super().get_inline_instances(request, obj)
        wanted = [part["part"] for part in self._from_template(request)[1]] if obj is None else []
        for inline in made:
            inline.extra = wanted.count(inline.part) if request.method == "GET" else 0
            typed = request.POST.get(f"{_prefix(inline)}-TOTAL_FORMS", "0") not in {"0", ""}
            kept = obj is not None and inline.get_queryset(request).filter(surgery=obj).exists()
            inline.classes = ["part"] if inline.extra or typed or kept else ["part", "collapse"]
        return made

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """New rows with what the template says."""
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if request.method == "GET" and inline.extra:
            parts = [part for part in self._from_template(request)[1] if part["part"] == inline.part]
            kwargs["initial"] = [{name: _first(value) for name, value in part.items()} for part in parts]
        return kwargs

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Together with its parts: see `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The surgery, its parts and pictures in one call of the service: all or nothing."""
        obj, said = form.instance, self._said(form, change)
        pictures, words = said.pop("pictures", []), said.pop("pictures_say", "")
        parts = parts_of(formsets)
        if change:
            stored = change_surgery(actor=request.user, surgery=obj, values=said, parts=parts)
        else:
            subject = said.pop("subject")
            stored = record_surgery(actor=request.user, subject=subject, values=said, parts=parts)
        for picture in pictures:
            add_note(actor=request.user, about=stored, text=words, image=picture)
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        obj.pk = stored.pk
        obj.refresh_from_db()
        request.session[LAST_SUBJECT] = str(stored.subject_id)
        missing = preview_end(stored).missing if stored.ended_wall else {}
        if missing:
            self.message_user(request, f"Still to be said: {'; '.join(missing.values())}.", messages.WARNING)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """With templates to start from, what is missing, checks and pictures."""
        context["part_buttons"] = [
            {"group": formset.formset.prefix, "verb": formset.opts.verb}
            for formset in context["inline_admin_formsets"]
            if formset.has_add_permission
        ]
        context["dose_url"] = reverse("admin:subjects_surgery_dose")
        if obj is None:
            context["templates"] = self._templates(request)
            context["chosen"] = request.GET.get("template", "")
        else:
            on = utc_to_wall(page_now(), obj.zone).date()
            context |= {
                "ending": preview_end(obj, on),
                "may_end": obj.ended_wall is None and self.has_change_permission(request, obj),
                "ethics": ethics_of(obj),
                "post_op": [shown_check(check, on) for check in obj.checks.all()],
                "checks_url": f"{reverse(f'admin:{CHECKS}')}?surgery={obj.pk}",
                "pictures": [
                    {"note": note, "mine": note.user_id == request.user.pk or request.user.is_superuser}
                    for note in notes_of(obj)
                ],
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _templates(self, request: HttpRequest) -> list[SurgeryTemplate]:
        """Those of my labs."""
        roles = roles_of(request)
        rows = SurgeryTemplate.objects.filter(is_active=True)
        return list((rows if roles is None else rows.filter(lab__in=roles))[:MOST_TEMPLATES])

    # What can be done with it.

    def buttons(self, request: HttpRequest, obj: Any) -> dict[str, str]:
        """The end has its own, beside what is still to be said."""
        return {name: verb for name, verb in super().buttons(request, obj).items() if name != "end"}

    @admin.action(description="End now", permissions=["act"])
    def end(self, request: HttpRequest, surgeries: QuerySet[Any]) -> None:
        """End, with the checks of the days to come."""

        def end_one(surgery: Surgery) -> None:
            end_surgery(actor=request.user, surgery=surgery, values={})

        self.each(request, surgeries, end_one, "ended")

    @admin.action(description="Withdraw: it did not happen", permissions=["act"])
    def withdraw(self, request: HttpRequest, surgeries: QuerySet[Any]) -> None:
        """Take out of every answer."""
        self.each(
            request, surgeries, lambda one: withdraw_surgery(actor=request.user, surgery=one), "surgeries withdrawn"
        )

    def get_urls(self) -> list[URLPattern]:
        """With the animals' box, the numbers of a dose, the checks and the pictures."""
        closed = self.admin_site.admin_view
        animals = Animals.as_view(admin_site=self.admin_site)
        return [
            path("autocomplete/", closed(animals), name="subjects_surgery_animals"),
            path("dose/", closed(self.dose_view), name="subjects_surgery_dose"),
            path("checks/", closed(self.checks_page), name=CHECKS),
            path("picture/<uuid:key>/withdraw/", closed(self.picture_view), name="subjects_surgery_picture"),
            *super().get_urls(),
        ]

    def checks_page(self, request: HttpRequest) -> HttpResponse:
        """Who is to be looked at today."""
        return checks_view(self, request)

    def dose_view(self, request: HttpRequest) -> JsonResponse:
        """The usual numbers of `?drug=` and the last weight of `?subject=` that counts."""
        said: dict[str, Any] = {}
        drug = readable(request.user, Drug.objects.filter(pk=_key(request.GET.get("drug")))).first()
        if drug is not None:
            names = ("concentration_mg_per_ml", "dose_mg_per_kg", "dose_percent", "max_dose_mg_per_kg", "route")
            said |= {name: getattr(drug, name) for name in names}
        rows = Weighing.objects.shown().filter(subject=_key(request.GET.get("subject")), counts=True, weight_g__gt=0)
        weighing = readable(request.user, rows).order_by("-at_wall").first()
        if weighing is not None:
            said |= {"weight_g": weighing.weight_g, "weighed": f"{weighing.at_wall:%Y-%m-%d %H:%M}"}
        return JsonResponse(said)

    def picture_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """`POST`: a picture is taken out."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        note = readable(request.user, Note.objects.filter(pk=key, withdrawn_at__isnull=True)).first()
        if note is None or not isinstance(note.about, Surgery):
            raise Http404("there is no such picture")
        try:
            withdraw_note(actor=request.user, note=note)
        except DomainError as refused:
            self.message_user(request, refused.detail, messages.ERROR)
        return HttpResponseRedirect(page_of(note.about))


class _Wall:
    """A surgery's start as other records have their moment."""

    def __init__(self, surgery: Surgery) -> None:
        self.at_wall, self.zone = surgery.started_wall, surgery.zone


def _prefix(inline: PartInline) -> str:
    related: Any = inline.model._meta.get_field("surgery").remote_field
    return str(related.get_accessor_name(model=inline.model))


def _first(value: Any) -> Any:
    """As a form takes it: rows by their keys."""
    if isinstance(value, list):
        return [getattr(one, "pk", one) for one in value]
    return getattr(value, "pk", value)


def _key(said: Any) -> UUID:
    """The key said, or one that nothing has."""
    try:
        return UUID(str(said))
    except ValueError:
        return UUID(int=0)


def _template(reader: Any, key: str) -> SurgeryTemplate | None:
    rows = readable(reader, SurgeryTemplate.objects.select_related("lab"))
    found: SurgeryTemplate | None = rows.filter(pk=_key(key)).first()
    return found
