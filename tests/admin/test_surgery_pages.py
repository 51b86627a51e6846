"""The pages of surgeries and what belongs to them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alyx.core import clock
from alyx.core.models import ReviewFlag
from alyx.core.notes import notes_of
from alyx.labs.models import Location, Role, User
from subjects.models import (
    Drug,
    DrugGiven,
    Headplate,
    OtherProcedure,
    PostOpCheck,
    ProcedureType,
    Subject,
    Surgery,
    SurgeryTemplate,
    VirusBatch,
)
from subjects.services.surgery import end_surgery, record_surgery
from subjects.services.templates import create_template
from tests.admin.conftest import logged_in
from tests.admin.pages import Rows, url
from tests.factories import a_lab, a_member, a_subject, a_weighing
from tests.subjects.test_surgery import picture

pytestmark = pytest.mark.django_db
GROUPS = ("headplate_set", "craniotomy_set", "injection_set", "implants", "perfusion_set", "drugs_given", "timeline")
CHECKS = "/admin/subjects/surgery/checks/"


@pytest.fixture
def surgeon(rows: Rows) -> User:
    return rows.member(Role.EXPERIMENTER)


@pytest.fixture
def page(surgeon: User) -> Client:
    return logged_in(surgeon)


@pytest.fixture
def mouse(rows: Rows) -> Subject:
    mouse = a_subject(rows.lab, "KS014")
    a_weighing(mouse, 25.0, now_in(mouse) - timedelta(days=1))
    return mouse


@pytest.fixture
def carprofen(rows: Rows) -> Drug:
    return Drug.objects.create(
        lab=rows.lab,
        name="carprofen",
        use="analgesic",
        concentration_mg_per_ml=1,
        dose_mg_per_kg=5,
        max_dose_mg_per_kg=10,
    )


def now_in(mouse: Subject) -> Any:
    return clock.utc_to_wall(clock.now(), mouse.lab.timezone).replace(microsecond=0)


def typed(mouse: Subject, surgeon: User, counts: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    """What the form sends: nothing in the parts unless `counts` and their boxes say more."""
    said: dict[str, Any] = {
        "subject": mouse.pk,
        "users": [surgeon.pk],
        "started_wall": now_in(mouse).isoformat(),
        "outcome_type": "",
        "_save": "Save",
    }
    for group in GROUPS:
        said |= {f"{group}-TOTAL_FORMS": (counts or {}).get(group, 0), f"{group}-INITIAL_FORMS": 0}
    return {**said, **more}


def test_a_surgery_is_entered_on_one_page(page: Client, mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    said = typed(
        mouse,
        surgeon,
        {"headplate_set": 1, "drugs_given": 1, "timeline": 1},
        **{
            "ended_wall": now_in(mouse).isoformat(),
            "outcome_type": "r",
            "implant_weight_g": "1.5",
            "narrative": "all well",
            "drugs_given-0-drug": carprofen.pk,
            "drugs_given-0-dose_mg_per_kg": "6",
            "timeline-0-what": "incision",
        },
    )
    answer = page.post(url(Surgery, "add"), said)
    assert answer.status_code == 302, answer.context["errors"]
    surgery = Surgery.objects.get()
    assert (surgery.subject, surgery.lab, surgery.implant_weight_g) == (mouse, mouse.lab, 1.5)
    assert list(surgery.users.all()) == [surgeon]
    given = surgery.drugs_given.get()
    assert (given.volume_ml, given.weight_g, given.route) == (0.15, 25.0, "SC")
    assert (surgery.headplate_set.count(), surgery.timeline.get().what, surgery.checks.count()) == (1, "incision", 3)
    assert not ReviewFlag.objects.exists()


def test_doubts_are_asked_back_beside_their_boxes_and_nothing_is_saved(
    page: Client, mouse: Subject, surgeon: User, carprofen: Drug
) -> None:
    said = typed(
        mouse,
        surgeon,
        {"headplate_set": 1, "drugs_given": 1},
        **{
            "implant_weight_g": "24",
            "headplate_set-0-cement": "Super-Bond",
            "drugs_given-0-drug": carprofen.pk,
            "drugs_given-0-dose_mg_per_kg": "50",
        },
    )
    answer = page.post(url(Surgery, "add"), said)
    text = answer.content.decode()
    assert "96 % of the body weight" in text
    assert "above the highest dose" in text
    assert 'name="confirmed"' in text
    assert 'value="Super-Bond"' in text
    formsets = {one.formset.prefix: one.formset for one in answer.context["inline_admin_formsets"]}
    assert set(formsets["drugs_given"].forms[0].errors) == {"dose_mg_per_kg"}
    assert not Surgery.objects.exists()
    assert not Headplate.objects.exists()
    assert page.post(url(Surgery, "add"), {**said, "confirmed": "on"}).status_code == 302
    assert (Surgery.objects.count(), Headplate.objects.count(), ReviewFlag.objects.count()) == (1, 1, 0)


def test_a_row_without_its_drug_is_asked_for(page: Client, mouse: Subject, surgeon: User) -> None:
    answer = page.post(url(Surgery, "add"), typed(mouse, surgeon, {"drugs_given": 1}))
    assert answer.status_code == 200
    assert not Surgery.objects.exists()


def test_parts_are_changed_on_the_page(page: Client, mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    surgery = record_surgery(
        actor=surgeon,
        subject=mouse,
        values={"start_time": now_in(mouse)},
        parts=[{"part": "headplate"}, {"part": "drug", "drug": carprofen}],
    )
    plate, given = surgery.headplate_set.get(), surgery.drugs_given.get()
    said = typed(
        mouse,
        surgeon,
        {"headplate_set": 1, "drugs_given": 1},
        **{
            "started_wall": surgery.started_wall.isoformat(),
            "lab": mouse.lab.pk,
            "headplate_set-INITIAL_FORMS": 1,
            "headplate_set-0-id": plate.pk,
            "headplate_set-0-surgery": surgery.pk,
            "headplate_set-0-DELETE": "on",
            "drugs_given-INITIAL_FORMS": 1,
            "drugs_given-0-id": given.pk,
            "drugs_given-0-surgery": surgery.pk,
            "drugs_given-0-drug": carprofen.pk,
            "drugs_given-0-route": "SC",
            "drugs_given-0-dose_mg_per_kg": "8",
            "drugs_given-0-weight_g": "25",
            "drugs_given-0-concentration_mg_per_ml": "1",
            "drugs_given-0-volume_ml": "0.13",
            "drugs_given-0-at_wall": given.at_wall.isoformat(),
        },
    )
    answer = page.post(url(Surgery, "change", surgery.pk), said)
    assert answer.status_code == 302, answer.context["errors"]
    assert not surgery.headplate_set.exists()
    assert DrugGiven.objects.get().volume_ml == 0.2


def test_a_template_fills_the_page(page: Client, mouse: Subject, surgeon: User, carprofen: Drug) -> None:
    kind = ProcedureType.objects.get_or_create(name="Headplate implant")[0]
    content = {
        "procedures": [kind.name],
        "drugs": [{"drug": "carprofen", "dose_mg_per_kg": 4}],
        "parts": [{"part": "headplate", "cement": "Super-Bond"}],
        "implant_weight_g": 1.4,
    }
    template = create_template(actor=surgeon, values={"lab": mouse.lab, "name": "headplate", "content": content})
    text = page.get(url(Surgery, "add")).content.decode()
    assert ">headplate</option>" in text
    answer = page.get(url(Surgery, "add"), {"template": str(template.pk), "subject": str(mouse.pk)})
    text = answer.content.decode()
    assert 'value="Super-Bond"' in text
    assert 'value="1.4"' in text
    formsets = {one.formset.prefix: one for one in answer.context["inline_admin_formsets"]}
    assert len(formsets["drugs_given"].formset.forms) == len(formsets["headplate_set"].formset.forms) == 1
    assert not formsets["headplate_set"].is_collapsible
    assert formsets["implants"].is_collapsible
    said = typed(
        mouse,
        surgeon,
        {"headplate_set": 1},
        **{"template": template.pk, "headplate_set-0-cement": "Super-Bond", "procedures": [kind.pk]},
    )
    assert page.post(f"{url(Surgery, 'add')}?template={template.pk}", said).status_code == 302
    assert Headplate.objects.get().cement == "Super-Bond"
    assert Surgery.objects.get().template == template


def test_what_is_known_is_filled_in(page: Client, mouse: Subject, surgeon: User) -> None:
    table = Location.objects.create(name="table 1", lab=mouse.lab)
    page.post(url(Surgery, "add"), typed(mouse, surgeon, location=table.pk))
    form = page.get(url(Surgery, "add")).context["adminform"].form
    assert (form.initial["subject"], form.initial["location"], form.initial["users"]) == (
        mouse.pk,
        table.pk,
        [surgeon.pk],
    )
    assert abs(form.initial["started_wall"] - now_in(mouse)) < timedelta(minutes=2)


def test_the_living_are_found_first_and_the_dead_by_name(page: Client, mouse: Subject) -> None:
    a_subject(mouse.lab, "KS013", died_on=now_in(mouse).date())
    query = {"app_label": "subjects", "model_name": "surgery", "field_name": "subject"}

    def found(term: str) -> list[str]:
        answer = page.get("/admin/subjects/surgery/autocomplete/", {**query, "term": term})
        return [one["text"] for one in answer.json()["results"]]

    assert found("") == ["KS014"]
    assert found("KS01") == ["KS014", f"KS013 (died {now_in(mouse).date()})"]


def test_the_numbers_of_a_dose(page: Client, mouse: Subject, carprofen: Drug) -> None:
    said = page.get("/admin/subjects/surgery/dose/", {"subject": str(mouse.pk), "drug": str(carprofen.pk)}).json()
    assert (said["weight_g"], said["dose_mg_per_kg"], said["max_dose_mg_per_kg"]) == (25.0, 5, 10)
    assert page.get("/admin/subjects/surgery/dose/", {"subject": "x", "drug": ""}).json() == {}
    assert Client().get("/admin/subjects/surgery/dose/").status_code == 302


def test_the_page_says_what_is_missing_and_ends_the_surgery(page: Client, mouse: Subject, surgeon: User) -> None:
    surgery = record_surgery(
        actor=surgeon, subject=mouse, values={"start_time": now_in(mouse)}, parts=[{"part": "headplate"}]
    )
    text = page.get(url(Surgery, "change", surgery.pk)).content.decode()
    assert "How much the headplate and implants weigh" in text
    assert "End now" in text
    page.post(f"/admin/subjects/surgery/{surgery.pk}/do/end/")
    surgery.refresh_from_db()
    assert surgery.ended_wall is not None
    text = page.get(url(Surgery, "change", surgery.pk)).content.decode()
    assert "End now" not in text
    assert "to come" in text


@pytest.fixture
def uploads(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.mark.usefixtures("uploads")
def test_pictures_are_added_and_taken_out(page: Client, mouse: Subject, surgeon: User) -> None:
    files = [SimpleUploadedFile(name, picture().read(), "image/png") for name in ("../a.png", "b.html")]
    answer = page.post(url(Surgery, "add"), typed(mouse, surgeon, pictures=files, pictures_say="the skull"))
    assert answer.status_code == 302
    surgery = Surgery.objects.get()
    notes = notes_of(surgery)
    assert len(notes) == 2
    assert f"/media/{notes[0].image.name}" in page.get(url(Surgery, "change", surgery.pk)).content.decode()
    logged_in(a_member(mouse.lab)).post(f"/admin/subjects/surgery/picture/{notes[0].pk}/withdraw/")
    assert len(notes_of(surgery)) == 2
    page.post(f"/admin/subjects/surgery/picture/{notes[0].pk}/withdraw/")
    assert len(notes_of(surgery)) == 1
    bad = SimpleUploadedFile("x.png", b"<script>", "image/png")
    refused = page.post(url(Surgery, "add"), typed(a_subject(mouse.lab), surgeon, pictures=[bad]))
    assert "not a JPEG, PNG, WebP or GIF" in refused.content.decode()
    assert Surgery.objects.count() == 1


@pytest.mark.usefixtures("open_reading")
@pytest.mark.parametrize("role", [Role.READER, Role.RIG, None])
def test_who_does_not_treat_only_looks(role: Role | None, rows: Rows, mouse: Subject) -> None:
    surgery = record_surgery(actor=rows.member(Role.HEAD), subject=mouse, values={}, parts=[{"part": "headplate"}])
    who = rows.member(role) if role else a_member(a_lab())
    client = logged_in(who)
    answer = client.get(url(Surgery, "change", surgery.pk))
    assert answer.status_code == 200
    assert 'name="narrative"' not in answer.content.decode()
    assert client.post(url(Surgery, "change", surgery.pk), typed(mouse, who)).status_code == 403
    client.post(f"/admin/subjects/surgery/{surgery.pk}/do/withdraw/")
    assert Surgery.objects.shown().exists()


@pytest.fixture
def due(mouse: Subject, surgeon: User) -> PostOpCheck:
    """A check due today."""
    surgery = record_surgery(actor=surgeon, subject=mouse, values={"start_time": now_in(mouse)})
    yesterday = now_in(mouse) - timedelta(days=1)
    return end_surgery(actor=surgeon, surgery=surgery, values={"end_time": yesterday}).checks.all()[0]


def test_several_animals_are_scored_on_one_page(page: Client, due: PostOpCheck, mouse: Subject, surgeon: User) -> None:
    other = record_surgery(actor=surgeon, subject=a_subject(mouse.lab, "KS015"), values={"start_time": now_in(mouse)})
    second = end_surgery(
        actor=surgeon, surgery=other, values={"end_time": now_in(mouse) - timedelta(days=1)}
    ).checks.all()[0]
    text = page.get(CHECKS).content.decode()
    assert text.index("KS014") < text.index("KS015")
    assert "2 due" not in text
    assert "Nothing was scored" in page.post(CHECKS, {}).content.decode()
    bad = {f"{due.pk}-score_wound": "0", f"{second.pk}-score_wound": "9"}
    assert page.post(CHECKS, bad).status_code == 200
    assert not PostOpCheck.objects.filter(done_wall__isnull=False).exists()
    good = {f"{due.pk}-score_wound": "0", f"{second.pk}-score_wound": "2", f"{second.pk}-narrative": "swollen"}
    assert page.post(CHECKS, good).status_code == 302
    second.refresh_from_db()
    assert (second.scores, second.narrative, second.user) == ({"wound": 2}, "swollen", surgeon)
    assert "No animal of your labs" in page.get(CHECKS).content.decode()
    assert "2 of 12: watch" in page.get(CHECKS, {"surgery": str(other.pk)}).content.decode()


def test_a_doubtful_check_is_asked_back_and_none_is_saved(page: Client, due: PostOpCheck) -> None:
    said = {f"{due.pk}-weight": "14"}
    answer = page.post(CHECKS, said)
    assert 'name="confirmed"' in answer.content.decode()
    assert not PostOpCheck.objects.filter(done_wall__isnull=False).exists()
    assert page.post(CHECKS, {**said, "confirmed": "on"}).status_code == 302
    assert PostOpCheck.objects.filter(weight_g=14).exists()


@pytest.mark.usefixtures("open_reading")
def test_checks_of_other_labs_and_of_the_dead_are_not_mine(page: Client, due: PostOpCheck) -> None:
    assert "No animal" in logged_in(a_member(a_lab())).get(CHECKS).content.decode()
    stranger = logged_in(a_member(a_lab()))
    address = f"{CHECKS}?surgery={due.surgery_id}"
    assert "Only those who treat" in stranger.get(address).content.decode()
    stranger.post(address, {f"{due.pk}-score_wound": "0"})
    assert not PostOpCheck.objects.filter(done_wall__isnull=False).exists()
    Subject.objects.update(died_on=due.due_on)
    assert "No animal" in page.get(CHECKS).content.decode()
    assert page.get(f"{CHECKS}?surgery=x").status_code == 200


def test_the_list_says_how_many_checks_are_due(page: Client, due: PostOpCheck) -> None:
    assert "1 due" in page.get(url(Surgery, "changelist")).content.decode()


def test_checks_cost_the_same_for_1_and_for_20(page: Client, due: PostOpCheck, surgeon: User) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert page.get(CHECKS).status_code == 200
        return len(captured)

    cost()
    few = cost()
    for _ in range(20):
        one = record_surgery(actor=surgeon, subject=a_subject(due.surgery.lab), values={})
        end_surgery(actor=surgeon, surgery=one, values={"end_time": now_in(one.subject) - timedelta(days=1)})
    assert cost() == few <= 15


def test_drugs_batches_templates_and_procedures_are_made_by_form(
    page: Client, mouse: Subject, surgeon: User, carprofen: Drug
) -> None:
    lab = mouse.lab
    drug = {"name": "ketamine", "lab": lab.pk, "use": "anaesthetic", "route": "IP", "concentration_mg_per_ml": "10"}
    assert page.post(url(Drug, "add"), {**drug, "is_active": "on"}).status_code == 302
    refused = page.post(url(Drug, "change", carprofen.pk), {**drug, "concentration_mg_per_ml": "-1", "is_active": "on"})
    assert "not above 0" in refused.content.decode()
    batch = {"name": "AAV", "lab": lab.pk, "lot": "7", "titer_gc_per_ml": "1e12"}
    assert page.post(url(VirusBatch, "add"), batch).status_code == 302
    assert "already" in page.post(url(VirusBatch, "add"), batch).content.decode()
    content = json.dumps({"drugs": [{"drug": "ketamine", "route": "nose"}]})
    template = {"name": "t", "lab": lab.pk, "content": content, "is_active": "on"}
    assert "drugs[0].route" in page.post(url(SurgeryTemplate, "add"), template).content.decode()
    right = {**template, "content": content.replace("nose", "IP")}
    assert page.post(url(SurgeryTemplate, "add"), right).status_code == 302
    done = {"subject": mouse.pk, "started_wall": now_in(mouse).isoformat(), "users": [surgeon.pk]}
    assert page.post(url(OtherProcedure, "add"), done).status_code == 302
    assert OtherProcedure.objects.get().lab == lab


def test_a_drug_outside_a_surgery_is_given_by_form_and_withdrawn(
    page: Client, mouse: Subject, surgeon: User, carprofen: Drug
) -> None:
    said = {"subject": mouse.pk, "drug": carprofen.pk, "at_wall": now_in(mouse).isoformat(), "user": surgeon.pk}
    assert page.post(url(DrugGiven, "add"), said).status_code == 302
    given = DrugGiven.objects.get()
    assert (given.volume_ml, given.weight_g, given.route, given.surgery) == (0.13, 25.0, "SC", None)
    assert "5 mg/kg × 25 g" in page.get(url(DrugGiven, "changelist")).content.decode()
    asked = page.post(url(DrugGiven, "add"), {**said, "dose_mg_per_kg": "60", "route": "IP"}).content.decode()
    assert "above the highest dose" in asked
    assert 'name="confirmed"' in asked
    page.post(f"/admin/subjects/druggiven/{given.pk}/do/withdraw/")
    assert not DrugGiven.objects.shown().exists()
