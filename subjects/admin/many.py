"""One job on many animals on one page: each animal is done or refused by itself, and the refused stay on the page."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from alyx.core.admin_forms import REASON
from alyx.core.audit import because
from alyx.core.errors import DomainError, Doubtful
from alyx.core.flags import typing
from alyx.core.reading import readable
from subjects.admin.work import WorkForm, work_page
from subjects.models import Subject

MOST = 200
"""Animals on one page."""


@dataclass(frozen=True)
class Job:
    """What is done to each animal, with the form that says how."""

    slug: str
    title: str
    verb: str
    done: str
    form: type[WorkForm]
    act: Callable[[Any, Subject, dict[str, Any]], Any]
    """Of the actor, the animal and what the form says. Raises DomainError."""
    begin: Callable[[HttpRequest, list[Subject]], dict[str, Any]] = field(default=lambda request, animals: {})
    """What the form begins with."""
    help: str = ""


@dataclass
class Line:
    """An animal on the page."""

    animal: Subject
    ticked: bool = True
    done: bool = False
    refused: str = ""


def job_url(slug: str) -> str:
    """Where the page of a job is."""
    return reverse("admin:subjects_subject_job", args=[slug])


def job_view(page: Any, request: HttpRequest, job: Job, keys: list[Any] | None = None) -> HttpResponse:
    """The page. `keys` are the animals when it is opened from a list, else they are in the request."""
    if not page.has_act_permission(request):
        raise PermissionDenied
    sent = request.POST if request.method == "POST" else request.GET
    known = _keys(keys if keys is not None else [*sent.getlist("listed"), *sent.getlist("ids")])
    shown = Subject.objects.shown().filter(pk__in=known[:MOST]).select_related("lab", "responsible_user", "line")
    animals = list(readable(request.user, shown).order_by("nickname", "id"))
    lines = [Line(animal) for animal in animals]
    if request.method != "POST" or "do" not in request.POST:
        form = job.form(initial=job.begin(request, animals))
        return _shown(page, request, job, form, lines, beyond=max(0, len(known) - MOST))
    ticked = set(_keys(request.POST.getlist("ids")))
    for line in lines:
        line.ticked = line.animal.pk in ticked
    form = job.form(request.POST)
    if not ticked:
        form.full_clean()
        form.add_error(None, "No animal is ticked.")
    if form.is_valid():
        _do(request, job, form, lines)
        if not any(line.refused for line in lines):
            count = sum(line.done for line in lines)
            page.message_user(request, f"{count} {job.done}", messages.SUCCESS)
            return HttpResponseRedirect(_back(lines))
    return _shown(page, request, job, form, lines)


def _do(request: HttpRequest, job: Job, form: WorkForm, lines: list[Line]) -> None:
    values = {name: value for name, value in form.cleaned_data.items() if name != REASON}
    values["why"] = form.cleaned_data.get(REASON, "").strip()
    with because(form.cleaned_data.get(REASON, "").strip()):
        for line in lines:
            if not line.ticked:
                continue
            try:
                with transaction.atomic(), typing(confirmed=form.confirmed):
                    job.act(request.user, line.animal, dict(values))
                line.done, line.ticked = True, False
            except DomainError as refused:
                line.refused = refused.detail
                if isinstance(refused, Doubtful):
                    form.ask()


def _back(lines: list[Line]) -> str:
    if len(lines) == 1:
        return reverse("admin:subjects_subject_change", args=[lines[0].animal.pk])
    return reverse("admin:subjects_subject_changelist")


def _keys(words: list[Any]) -> list[UUID]:
    found: dict[UUID, None] = {}
    for word in words:
        try:
            found[word if isinstance(word, UUID) else UUID(str(word))] = None
        except ValueError:
            continue
    return list(found)


def _shown(
    page: Any, request: HttpRequest, job: Job, form: WorkForm, lines: list[Line], beyond: int = 0
) -> HttpResponse:
    return work_page(
        page,
        request,
        "admin/subjects/many_page.html",
        title=job.title,
        form=form,
        job=job,
        lines=lines,
        beyond=beyond,
        most=MOST,
        n_done=sum(line.done for line in lines),
        n_refused=sum(bool(line.refused) for line in lines),
        action=job_url(job.slug),
    )
