"""A litter with its pups, entered on one page: first how many of each sex, then a row for each pup. Works without script."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from alyx.core.admin_shown import page_now, page_of
from alyx.core.clock import utc_to_wall
from alyx.core.errors import DomainError
from alyx.core.reading import readable
from alyx.labs.models import User
from subjects.admin.work import WorkForm, carried_out, day_field, row_field, work_page
from subjects.models import BreedingPair, Line, Litter, Sequence, Sex, Subject, TestResult
from subjects.services.breeding import MOST_PUPS
from subjects.services.colony import add_pups, create_litter
from subjects.services.genotype import sequences_of

RESULTS = [("", "–"), *((str(value), words) for value, words in TestResult.choices)]


class CountsForm(WorkForm):
    """How many rows to make."""

    females = forms.IntegerField(required=False, min_value=0, max_value=MOST_PUPS)
    males = forms.IntegerField(required=False, min_value=0, max_value=MOST_PUPS)
    unknown = forms.IntegerField(label="Sex not known", required=False, min_value=0, max_value=MOST_PUPS)

    COUNTS = {"females": Sex.FEMALE, "males": Sex.MALE, "unknown": Sex.UNKNOWN}

    def asked(self) -> list[str]:
        """The sex of each row to be made."""
        found: list[str] = []
        for name, sex in self.COUNTS.items():
            typed = str(self.data.get(name, "")).strip()
            found += [sex.value] * min(int(typed) if typed.isdecimal() else 0, MOST_PUPS)
        return found


class LitterForm(CountsForm):
    """The litter."""

    column_of = {"birth_date": "born_on", "wean_date": "weaned_on"}
    breeding_pair = row_field(Litter, "breeding_pair", label="Breeding pair", required=False)
    line = row_field(Litter, "line", label="Line", required=False, help_text="empty: the pair's")
    born_on = day_field(label="Born")
    n_born = forms.IntegerField(
        label="Born in all", required=False, min_value=0, help_text="dead ones included; empty: as many as rows"
    )
    responsible_user = row_field(
        Subject, "responsible_user", User.objects.filter(is_active=True), label="Responsible", required=False,
        help_text="empty: whose the parents are",
    )  # fmt: skip
    description = forms.CharField(label="Notes", required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def clean(self) -> dict[str, Any]:
        """A pair or a line."""
        cleaned = super().clean()
        if not cleaned.get("breeding_pair") and not cleaned.get("line") and not self.errors:
            self.add_error("breeding_pair", "Choose the breeding pair, or at least the line.")
        return cleaned


class PupForm(forms.Form):
    """A row: one pup, and what was found in it."""

    nickname = forms.CharField(
        required=False, max_length=255, widget=forms.TextInput(attrs={"placeholder": "next name"})
    )
    sex = forms.ChoiceField(choices=Sex.choices)
    ear_mark = forms.CharField(required=False, max_length=32)
    cage = forms.CharField(required=False, max_length=64)
    use_required_attribute = False

    def __init__(
        self, data: Any = None, *, sequences: list[Sequence], number: int, initial: dict[str, Any] | None = None
    ) -> None:
        """With a box per sequence."""
        super().__init__(data, prefix=f"p{number}", initial=initial)
        self.number = number
        self.sequences = sequences
        for sequence in sequences:
            self.fields[f"r-{sequence.pk}"] = forms.ChoiceField(choices=RESULTS, required=False, label=sequence.name)
        self.fields["leave_out"] = forms.BooleanField(required=False, label="Leave out")
        for name, field in self.fields.items():
            field.widget.attrs["aria-label"] = f"{field.label or name.replace('_', ' ').capitalize()}, pup {number + 1}"

    @property
    def is_left_out(self) -> bool:
        """Whether the row is no pup."""
        return self.data.get(f"{self.prefix}-leave_out") == "on"

    def said(self) -> dict[str, Any]:
        """The words of the service."""
        cleaned = self.cleaned_data
        tests = [
            {"sequence": sequence, "result": int(cleaned[f"r-{sequence.pk}"])}
            for sequence in self.sequences
            if cleaned.get(f"r-{sequence.pk}")
        ]
        return {**{name: cleaned[name] for name in ("nickname", "sex", "ear_mark", "cage")}, "tests": tests}

    def boxes(self) -> list[tuple[str, Any]]:
        """Label and box, in the order of the columns."""
        return [
            (str(field.label or name.replace("_", " ").capitalize()), self[name]) for name, field in self.fields.items()
        ]


def entry_view(page: Any, request: HttpRequest, litter: Litter | None = None) -> HttpResponse:
    """The page: of a new litter, or of more pups of one."""
    allowed = page.has_add_permission(request) if litter is None else page.has_change_permission(request, litter)
    if not allowed:
        raise PermissionDenied
    posted = request.method == "POST"
    saves = posted and "do" in request.POST
    kind: type[CountsForm] = LitterForm if litter is None else CountsForm
    form = kind(request.POST) if saves else kind(initial=_begin(request))
    for field in form.fields.values():
        if isinstance(field, forms.ModelChoiceField) and field.queryset is not None:
            field.queryset = readable(request.user, field.queryset)
    line = litter.line if litter is not None else _line(request.user, request.POST if posted else request.GET)
    sequences = list(sequences_of(line)) if line is not None else []
    rows = _rows(request, sequences, saves=saves)
    if saves and form.is_valid() and _all_valid(rows):
        used = [row for row in rows if not row.is_left_out]
        done = carried_out(form, lambda: _save(request, form, litter, used))
        if done is not None:
            stored, pups = done
            names = f": {', '.join(pup.nickname for pup in pups)}" if pups else ""
            page.message_user(request, f"Litter {stored} with {len(pups)} new pups{names}", messages.SUCCESS)
            return HttpResponseRedirect(page_of(stored))
        _say_rows(form, used)
    return work_page(
        page,
        request,
        "admin/subjects/litter_entry.html",
        title="Enter a litter" if litter is None else "More pups",
        about=litter,
        form=form,
        counts=[form[name] for name in CountsForm.COUNTS],
        head=[form[name] for name in form.fields if name not in {*CountsForm.COUNTS, "reason", "confirmed"}],
        tail=[form[name] for name in ("confirmed", "reason") if name in form.fields],
        rows=rows,
        line=line,
        verb="Save litter" if litter is None else "Save pups",
        back=reverse("admin:subjects_litter_changelist"),
    )


def _begin(request: HttpRequest) -> dict[str, Any]:
    """What was typed so far, or what the address says; born today."""
    if request.method == "POST":
        return {name: value for name, value in request.POST.items() if name not in CountsForm.COUNTS}
    user: Any = request.user
    lab = user.labs.first()
    today = utc_to_wall(page_now(), lab.timezone if lab else "UTC").date()
    return {"born_on": today, **{name: request.GET[name] for name in ("breeding_pair", "line") if name in request.GET}}


def _line(reader: Any, typed: Any) -> Line | None:
    """The line that is chosen, else the pair's."""
    for model, name in ((Line, "line"), (BreedingPair, "breeding_pair")):
        key = typed.get(name)
        if not key:
            continue
        try:
            row: Any = readable(reader, model._default_manager.filter(pk=key)).first()
        except (ValueError, forms.ValidationError):
            continue
        found = row if isinstance(row, Line) else getattr(row, "line", None)
        if found is not None:
            return found
    return None


def _rows(request: HttpRequest, sequences: list[Sequence], *, saves: bool) -> list[PupForm]:
    """The rows there are, and when rows are asked for, as many more."""
    if request.method != "POST":
        return []
    typed = request.POST.get("rows", "")
    count = min(int(typed) if typed.isdecimal() else 0, MOST_PUPS)
    if saves:
        return [PupForm(request.POST, sequences=sequences, number=number) for number in range(count)]
    names = ["nickname", "sex", "ear_mark", "cage", "leave_out", *(f"r-{sequence.pk}" for sequence in sequences)]
    begun = [{name: request.POST.get(f"p{number}-{name}", "") for name in names} for number in range(count)]
    begun += [{"sex": sex} for sex in CountsForm(request.POST).asked()]
    return [
        PupForm(sequences=sequences, number=number, initial=initial) for number, initial in enumerate(begun[:MOST_PUPS])
    ]


def _all_valid(rows: list[PupForm]) -> bool:
    checked = [row.is_left_out or row.is_valid() for row in rows]  # every row says what is wrong, not the first alone
    return all(checked)


def _save(request: HttpRequest, form: WorkForm, litter: Litter | None, rows: list[PupForm]) -> Any:
    pups = [row.said() for row in rows]
    if litter is not None:
        return litter, add_pups(actor=request.user, litter=litter, pups=pups)
    said = form.cleaned_data
    values = {
        "breeding_pair": said["breeding_pair"],
        "line": said["line"],
        "birth_date": said["born_on"],
        "n_born": said["n_born"],
        "responsible_user": said["responsible_user"],
        "description": said["description"],
    }
    return create_litter(actor=request.user, values=values, pups=pups)


def _say_rows(form: WorkForm, rows: list[PupForm]) -> None:
    """What was refused of a pup is said in its row."""
    refused: DomainError | None = form.refused
    for word, sentences in (refused.fields if refused else {}).items():
        if not word.startswith("pups."):
            continue
        _, position, name = word.split(".", 2)
        row = rows[int(position)]
        for sentence in sentences:
            row.add_error(name if name in row.fields else None, sentence)
