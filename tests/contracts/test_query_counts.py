"""What each call costs in queries, and that it does not grow with the rows."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alyx.labs.models import Location, Role
from datasets.models import DataNotice, Download, RepositoryRole, RepositoryType
from sessions.models import FOVLocation, ImagingStack, Session
from subjects.models import ProcedureType
from tests.contracts.goldens import compare
from tests.factories.animals import a_surgery, an_implant
from tests.factories.copies import a_copy
from tests.factories.engine import a_window, an_item
from tests.factories.people import NUMBERS, a_lab, a_member, a_project
from tests.factories.recordings import a_channel, a_fov, a_region, a_task, a_trajectory, an_insertion
from tests.factories.records import MORNING, a_dataset, a_note, a_repository, a_session, a_subject
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


class House:
    """A lab that can grow."""

    def __init__(self) -> None:
        self.lab = a_lab("cortexlab")
        self.rig = a_member(self.lab, Role.DATA_MANAGER, "rig")
        self.rest = Rest(self.rig)
        self.central = a_repository(
            self.lab, role=RepositoryRole.CENTRAL, data_url="http://data.test/cortexlab/Subjects/"
        )
        self.server = a_repository(self.lab)
        a_window(self.server)
        self.subject = a_subject(self.lab, "M1")
        self.session = a_session(self.subject)
        Location.objects.create(name="rig_1", lab=self.lab)
        ProcedureType.objects.create(name="Histology")
        self.region = a_region("CA1")
        self.implant = an_implant(a_surgery(self.subject))
        self.grow(2)

    def grow(self, count: int) -> None:
        """More of everything."""
        for _ in range(count):
            stuck = a_dataset(a_session(a_subject(self.lab)))
            source = a_copy(stuck, self.server, state="claimed")
            an_item("needs_human", dataset=stuck, source=source, destination=self.central, last_error_code="io_error")
            project, at = a_project(), next(NUMBERS)
            project.users.add(self.rig)
            member = a_member(self.lab)
            animal = a_subject(self.lab, responsible_user=member)
            animal.projects.add(project)
            session = a_session(animal, start=MORNING + timedelta(minutes=at))
            session.projects.add(project)
            session.users.add(member)
            for owner in (session, self.session):
                self.probe(owner)
                dataset = a_dataset(owner)
                a_copy(dataset, self.central)
                Download.objects.create(user=member, dataset=dataset, count=1)
                DataNotice.objects.create(name="late", created_by=member).datasets.add(dataset)
                a_note(owner)
            self.task = a_task(session, repository_id=self.central.pk)
            a_task(session).parents.add(self.task)
            RepositoryType.objects.create(name=f"kind{at}")
            Location.objects.create(name=f"table{at}", lab=self.lab)
            a_repository(a_lab(), self.lab)

    def probe(self, session: Session) -> None:
        """What hangs on a session beside files: a probe with its place, a field of view with its own."""
        insertion = an_insertion(session, f"probe{next(NUMBERS)}", chronic_insertion=self.implant)
        a_channel(a_trajectory(insertion), brain_region=self.region)
        place = FOVLocation.objects.create(
            field_of_view=a_fov(session, f"FOV_{next(NUMBERS)}", stack=ImagingStack.objects.create()),
            provenance="E",
            default_provenance=True,
        )
        place.brain_regions.add(self.region)


def cost(call: Callable[[], Any]) -> int:
    """Queries of one call that must succeed."""
    with CaptureQueriesContext(connection) as captured:
        answer = call()
    assert answer.status_code < 300, answer.content
    return len(captured)


def test_costs_are_the_golden_ones_and_do_not_grow() -> None:
    house = House()
    rest, key = house.rest, house.session.pk
    reads: dict[str, Callable[[], Any]] = {
        path: lambda path=path: rest.get(path)  # type: ignore[misc]
        for path in (
            "sessions",
            "subjects",
            "subjects/M1",
            "labs",
            "labs/cortexlab",
            "users",
            "projects",
            "locations",
            "procedures",
            "datasets",
            "files",
            "data-repository",
            "insertions",
            "trajectories",
            "channels",
            "chronic-insertions",
            "fields-of-view",
            "fov-location",
            "imaging-stack",
            "brain-regions",
            "data-repository-type",
            "tasks",
            "notes",
            "downloads",
            "data-notices",
            "transfers/windows",
            "transfers/jobs",
            "transfers/items",
            "transfers/attempts",
            "transfers/events",
            "transfers/found",
            "transfers/scans",
            "transfers/needs",
            "transfers/nights",
            "transfers/health",
        )
    }
    reads["sessions/{id}"] = lambda: rest.get(f"sessions/{key}")
    reads["sessions?dataset_types"] = lambda: rest.get("sessions", dataset_types="spikes.times", lab="cortexlab")
    reads["sessions?django=pk"] = lambda: rest.get("sessions", django=f"pk,{key}")
    reads["sessions?atlas_acronym"] = lambda: rest.get("sessions", atlas_acronym="CA1")
    reads["insertions?atlas_acronym"] = lambda: rest.get("insertions", atlas_acronym="CA1")
    reads["insertions?datasets"] = lambda: rest.get("insertions", datasets="spikes.times.npy", tag="x")
    for call in reads.values():
        call()  # what is cached is cached
    costs = {name: cost(call) for name, call in reads.items()}
    house.grow(7)
    assert {name: cost(call) for name, call in reads.items()} == costs
    body = {"subject": "M1", "users": ["rig"], "number": 9, "start_time": "2026-03-09T12:00:00", "location": "rig_1"}
    costs["POST sessions"] = cost(lambda: rest.post("sessions", body))
    costs["POST sessions (again)"] = cost(lambda: rest.post("sessions", body))
    weight = {"subject": "M1", "weight": 24.5, "date_time": "2026-03-09T12:00:00"}
    costs["POST weighings"] = cost(lambda: rest.post("weighings", weight))
    costs["POST weighings (again)"] = cost(lambda: rest.post("weighings", weight))
    costs["PATCH sessions/{id}"] = cost(lambda: rest.patch(f"sessions/{key}", {"json": {"a": 1}}))
    costs["PATCH subjects/{nickname}"] = cost(lambda: rest.patch("subjects/M1", {"json": {"a": 1}}))
    costs["PATCH locations/{name}"] = cost(lambda: rest.patch("locations/rig_1", {"json": {"a": 1}}))
    costs["PATCH tasks/{id}"] = cost(lambda: rest.patch(f"tasks/{house.task.pk}", {"log": "x", "status": "Errored"}))
    compare("query_counts.json", json.dumps(costs, indent=1, sort_keys=True) + "\n")
