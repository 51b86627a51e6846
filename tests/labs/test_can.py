"""`manage.py can`: the answer, the rule, the exit code; and that REST does as it says."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from alyx.labs.grants import AS_ROLE, TABLE, Right
from alyx.labs.models import Collaboration, Duty, Membership, ProjectRole, Role, User
from datasets.models import Tag
from sessions.models import Session
from subjects.rules.permissions import TABLE as ANIMALS
from subjects.rules.permissions import Act
from tests.factories import (
    a_dataset,
    a_lab,
    a_member,
    a_project,
    a_repository,
    a_session,
    a_subject,
    a_superuser,
    a_user,
    an_aggregate,
)
from tests.factories.recordings import a_task, a_trajectory, an_insertion
from tests.factories.rest import Rest

pytestmark = pytest.mark.django_db


class World:
    """A lab with an animal that others share, and somebody of every kind."""

    def __init__(self) -> None:
        self.lab, self.other = a_lab("ours"), a_lab("theirs")
        self.project = a_project("shared")
        self.keeper = a_member(self.lab, name="keeper")
        self.animal = a_subject(self.lab, "KS1", responsible_user=self.keeper)
        self.animal.projects.add(self.project)
        self.session: Session = a_session(self.animal)
        self.session.projects.add(self.project)
        self.dataset, self.insertion = a_dataset(self.session), an_insertion(self.session)
        self.repository = a_repository(self.lab, name="server")
        for role in Role.values:
            a_member(self.lab, role, role)
        a_member(self.other, Role.HEAD, "stranger")
        for duty in Duty.values:
            Collaboration.objects.create(user=a_user(duty), lab=self.lab, duty=duty)
        for kind in ("records", "manages"):
            ProjectRole.objects.create(user=a_user(kind), project=self.project, role=kind)
        self.project.users.add(a_user("colleague"))
        a_superuser("root")
        a_user("public", is_public_user=True)
        a_member(self.lab, Role.HEAD, "gone", is_active=False)

    def named(self, text: str) -> str:
        """`session` → `session:<id>`."""
        return {
            "lab": "lab:ours",
            "subject": "subject:KS1",
            "session": f"session:KS1/{self.session.path_date}/{self.session.number:03d}",
            "dataset": f"dataset:{self.dataset.pk}",
            "insertion": f"insertion:{self.insertion.pk}",
            "repository": "repository:server",
            "project": "project:shared",
        }[text]


@pytest.fixture
def world(db: None) -> World:
    return World()


def can(user: str, action: str, thing: str, *more: str) -> tuple[bool, str]:
    """Yes or no, and the rule; the exit code agrees."""
    out, code = StringIO(), 0
    try:
        call_command("can", user, action, thing, *more, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    answer, _, rule = out.getvalue().strip().partition(": ")
    assert (answer, code) in {("yes", 0), ("no", 1)}, out.getvalue()
    return answer == "yes", rule


CASES = [
    ("root", "head", "lab", True, "superusers may do everything"),
    ("root", "read", "session", True, "superusers read"),
    ("gone", "read", "session", False, "deactivated"),
    ("gone", "register", "session", False, "deactivated"),
    ("public", "read", "session", False, "tagged public"),
    ("public", "annotate", "session", False, "public account"),
    ("public", "register", "lab", False, "a public account writes nothing"),
    ("stranger", "read", "session", False, "membership in its lab"),
    ("stranger", "read", "subject", False, "membership in its lab"),
    ("stranger", "read", "lab", True, "every user reads labs"),
    ("stranger", "read", "repository", True, "every user reads"),
    ("stranger", "register", "session", False, "it needs membership in its lab"),
    ("stranger", "register", "lab", False, "it needs the role"),
    ("reader", "read", "dataset", True, "the role reader in lab ours"),
    ("reader", "register", "session", False, "it needs the role"),
    ("rig", "register", "subject", True, "the role rig in lab ours"),
    ("rig", "record", "subject", True, "rig"),
    ("rig", "treat", "subject", False, "that is for"),
    ("experimenter", "treat", "subject", True, "experimenter"),
    ("experimenter", "manage", "subject", False, "that is for"),
    ("experimenter", "manage", "session", False, "it needs the role data_manager or head"),
    ("experimenter", "breed", "subject", True, "keeps the colony"),
    ("keeper", "manage", "subject", True, "responsible user"),
    ("keeper", "withdraw", "subject", True, "responsible user"),
    ("data_manager", "manage", "repository", True, "the role data_manager"),
    ("data_manager", "head", "lab", False, "it needs the role head"),
    ("head", "head", "lab", True, "the role head in lab ours"),
    ("head", "withdraw", "subject", True, "head of the lab"),
    ("histology", "read", "insertion", True, "the duty histology in lab ours"),
    ("histology", "locate", "insertion", True, "the duty histology reaches lab ours"),
    ("histology", "judge", "session", False, "it needs"),
    ("histology", "record", "subject", False, "that is for"),
    ("qc", "judge", "dataset", True, "the duty qc"),
    ("qc", "register", "dataset", False, "it needs"),
    ("qc", "annotate", "subject", True, "the duty qc"),
    ("pipeline", "run", "session", True, "the duty pipeline"),
    ("pipeline", "manage", "session", False, "it needs"),
    ("records", "read", "session", True, "records in project shared"),
    ("records", "register", "session", True, "project shared"),
    ("records", "treat", "subject", True, "experimenter"),
    ("records", "breed", "subject", False, "in lab ours"),
    ("manages", "manage", "session", True, "project shared"),
    ("manages", "withdraw", "subject", True, "data manager"),
    ("colleague", "read", "subject", True, "in project shared"),
    ("colleague", "register", "session", False, "it needs"),
    ("experimenter", "register", "project", True, "the role experimenter in lab ours"),
]


def test_what_it_says_of_each_kind_of_person(world: World) -> None:
    said = {case: can(case[0], case[1], world.named(case[2])) for case in CASES}
    wrong = {case[:3]: found for case, found in said.items() if found[0] is not case[3] or case[4] not in found[1]}
    assert not wrong


def test_reading_says_why_it_is_open(world: World, settings: Any) -> None:
    tag = Tag.objects.create(name="paper", public=True)
    world.dataset.tags.add(tag)
    assert can("public", "read", world.named("dataset")) == (True, "a public account: data tagged public")
    aggregate = an_aggregate(world.lab, created_by=User.objects.get(username="stranger"))
    assert can("stranger", "read", f"dataset:{aggregate.pk}") == (True, "it is their own")
    settings.ALYX_OPEN_READING = True
    assert can("stranger", "read", world.named("session")) == (True, "reading is open to all users (ALYX_OPEN_READING)")


def test_a_member_of_the_only_lab_reads_what_is_of_none() -> None:
    user, project = a_member(a_lab("only"), name="kate"), a_project()
    aggregate = an_aggregate(project)
    assert can("kate", "read", f"dataset:{aggregate.pk}") == (True, "a member of the only lab")
    Membership.objects.filter(user=user).delete()
    assert can("kate", "read", f"dataset:{aggregate.pk}")[0] is False


def test_nobody_writes_what_they_do_not_read(world: World) -> None:
    """The animal is in the project, this session of it is another's."""
    session = a_session(world.animal, number=2)
    session.projects.add(a_project())
    for action in ("read", "register"):
        assert can("records", action, f"session:{session.pk}")[0] is False
    assert (
        Rest(User.objects.get(username="records")).patch(f"sessions/{session.pk}", {"narrative": "x"}).status_code
        == 404
    )


def test_for_programs_it_is_one_line_of_json(world: World) -> None:
    out = StringIO()
    call_command("can", "qc", "judge", world.named("session"), "--json", stdout=out)
    said = {"user": "qc", "action": "judge", "object": world.named("session"), "allowed": True}
    assert json.loads(out.getvalue()) == {**said, "rule": "the duty qc reaches lab ours"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("keper", "read", "lab:ours"), "no user named 'keper'; nearest: keeper"),
        (("keeper", "reed", "lab:ours"), "nearest: read"),
        (("keeper", "treat", "session:KS1/2026-03-09/1"), "no action 'treat' of this object"),
        (("keeper", "read", "sesion:KS1/2026-03-09/1"), "nearest: session"),
        (("keeper", "read", "lab:our"), "nearest: ours"),
        (("keeper", "read", "lab"), "as in lab:NAME"),
        (("keeper", "read", "subject:KS2"), "nearest: KS1"),
        (("keeper", "read", "subject:theirs/KS1"), "no subject named 'KS1'"),
        (("keeper", "read", "session:KS1/2026-03-09/7"), "nearest: 2026-03-09/001"),
        (("keeper", "read", "session:KS1/yesterday/7"), "say session:SUBJECT/2026-03-09/001"),
        (("keeper", "read", "dataset:abc"), "that is a UUID"),
        (("keeper", "read", "dataset:5b1fc10a-41ae-49e5-9b66-1f7e5a8a7e3d"), "no dataset with the id"),
        (("keeper", "read", "lab:\x00"), "no lab named"),
    ],
)
def test_a_word_it_does_not_know_ends_with_2_and_the_nearest(world: World, words: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError) as raised:
        call_command("can", *words)
    assert says in str(raised.value)
    assert raised.value.returncode == 2


def test_a_nickname_of_several_labs_is_asked_back(world: World) -> None:
    a_subject(world.other, "ks1")
    with pytest.raises(CommandError, match="in the labs ours, theirs"):
        call_command("can", "keeper", "read", "subject:KS1")
    assert can("keeper", "read", "subject:ours/KS1")[0]


# ---- REST does as it says.


def calls(world: World) -> dict[tuple[str, str], tuple[str, str, Any]]:
    """(action, object) → a call that does it."""
    trajectory, task = a_trajectory(world.insertion), a_task(world.session)
    session = f"sessions/{world.session.pk}"
    return {
        ("read", "session"): ("get", session, None),
        ("read", "subject"): ("get", "subjects/KS1", None),
        ("read", "dataset"): ("get", f"datasets/{world.dataset.pk}", None),
        ("read", "insertion"): ("get", f"insertions/{world.insertion.pk}", None),
        ("register", "session"): ("patch", session, {"narrative": "changed"}),
        ("judge", "session"): ("patch", session, {"qc": "FAIL"}),
        ("judge", "dataset"): ("patch", f"datasets/{world.dataset.pk}", {"qc": "PASS"}),
        ("probe", "insertion"): ("patch", f"insertions/{world.insertion.pk}", {"name": "probe77"}),
        ("locate", "insertion"): ("patch", f"trajectories/{trajectory.pk}", {"x": 12.0}),
        ("annotate", "session"): ("post", "notes", {"content_type": "session", "object_id": str(world.session.pk), "text": "x"}),
        ("annotate", "subject"): ("post", "notes", {"content_type": "subject", "object_id": str(world.animal.pk), "text": "x"}),
        ("run", "session"): ("patch", f"tasks/{task.pk}", {"status": "Started"}),
        ("record", "subject"): ("post", "weighings", {"subject": "KS1", "weight": 22.5, "date_time": "2026-03-10T09:00:00"}),
        ("manage", "subject"): ("patch", "subjects/KS1", {"description": "changed"}),
        ("head", "lab"): ("patch", "labs/ours", {"institution": "changed"}),
        ("manage", "repository"): ("patch", "data-repository/server", {"hostname": "changed.org"}),
        ("manage", "session"): ("delete", session, None),
    }  # fmt: skip


WHO = [
    "stranger", "reader", "rig", "experimenter", "keeper", "data_manager", "head", "histology", "qc", "pipeline",
    "records", "manages", "colleague", "public", "root",
]  # fmt: skip


@pytest.mark.parametrize("who", WHO)
def test_rest_does_what_it_says_and_nothing_else(world: World, who: str) -> None:
    rest = Rest(User.objects.get(username=who))
    for (action, thing), (verb, path, body) in calls(world).items():
        said, rule = can(who, action, world.named(thing))
        answer = rest.get(path) if verb == "get" else rest.send(verb.upper(), path, body)
        assert answer.status_code < 500, (action, thing, answer.content)
        assert (answer.status_code not in {403, 404}) == said, (
            who,
            action,
            thing,
            rule,
            answer.status_code,
            answer.content[:300],
        )


# ---- The document.


def rows_of_the_document() -> dict[str, list[str]]:
    """First word of each row → its other cells."""
    text = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`") + str(len(row)): row[1:] for row in rows}


def test_the_document_says_what_the_tables_say() -> None:
    said = rows_of_the_document()
    for right in Right:
        grant = TABLE[right]
        shares = sorted(kind for kind, role in AS_ROLE.items() if role in grant.roles)
        cells = [", ".join(sorted(grant.roles)), ", ".join(shares) or "–", ", ".join(sorted(grant.duties)) or "–"]
        assert said[f"{right}5"][1:] == cells
    for act in Act:
        assert said[f"{act}3"][1] == ", ".join(sorted(map(str, ANIMALS[act])))
    assert len(said) == len(Right) + len(Act)


def test_every_action_of_the_command_is_in_the_document() -> None:
    text = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
    assert {*map(str, Right), *map(str, Act)} == set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))
