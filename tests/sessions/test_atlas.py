"""Brain regions: the shipped tree, its numbers, and finding recordings by a region or anything below it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alyx.labs.models import Lab, Role
from datasets.services.vocabularies import BRAIN_REGIONS
from sessions.models import BrainRegion, FOVLocation, ImagingStack, TrajectoryEstimate
from sessions.rules.regions import nested
from sessions.services.atlas import load_regions
from tests.factories.animals import a_surgery, an_implant
from tests.factories.people import a_lab, a_member
from tests.factories.recordings import a_channel, a_fov, a_trajectory, an_insertion
from tests.factories.records import a_session, a_subject
from tests.factories.rest import Rest

# ---- the numbers


@given(st.dictionaries(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 35)), max_size=30))
def test_below_a_region_is_what_lies_between_its_numbers(parents: dict[int, int | None]) -> None:
    numbers = nested(parents)
    assert numbers.keys() == parents.keys()
    assert len({first for first, _ in numbers.values()}) == len(parents)

    def above(key: int) -> list[int] | None:
        """The regions above, from the nearest; None when they go in a circle."""
        way: list[int] = []
        at = parents[key]
        while at is not None and at in parents:
            if at in way or at == key:
                return None
            way.append(at)
            at = parents[at]
        return way

    for key, (first, last) in numbers.items():
        way = above(key)
        between = {other for other, (start, _) in numbers.items() if first <= start <= last} - {key}
        if way is None:
            assert between == set()
        else:
            assert between == {other for other in parents if key in (above(other) or [])}


# ---- the shipped tree


@pytest.fixture
def atlas() -> None:
    load_regions(BRAIN_REGIONS)


@pytest.fixture
def lab() -> Lab:
    return a_lab("cortexlab")


@pytest.fixture
def rest(lab: Lab) -> Rest:
    return Rest(a_member(lab, Role.HEAD, "anatomist"))


def acronyms(rest: Rest, **asked: Any) -> list[str]:
    return [one["acronym"] for one in rest.found("brain-regions", **asked)]


@pytest.mark.django_db
def test_loading_again_changes_nothing_and_a_description_stays(atlas: None) -> None:
    BrainRegion.objects.filter(acronym="CA1").update(description="ours", name="our CA1")
    before = list(BrainRegion.objects.order_by("id").values())
    loaded = load_regions(BRAIN_REGIONS)
    assert (loaded.read, loaded.created, loaded.unchanged) == (1328, 0, 1327)
    assert loaded.kept == ['"CA1" (382) has another name here']
    assert list(BrainRegion.objects.order_by("id").values()) == before
    BrainRegion.objects.filter(acronym="CA1so").delete()
    assert load_regions(BRAIN_REGIONS).created == 1
    assert BrainRegion.objects.get(acronym="CA1so").parent_id == 382


@pytest.mark.django_db
def test_the_tree_is_asked_upwards_and_downwards(rest: Rest, atlas: None) -> None:
    up = ["root", "grey", "CH", "CTX", "CTXpl", "HPF", "HIP", "CA", "CA1"]
    assert acronyms(rest, ancestors="CA1") == acronyms(rest, ancestors="382") == up
    down = acronyms(rest, descendants="CA1")
    assert down[0] == "CA1"
    assert set(down) == {"CA1", "CA1slm", "CA1so", "CA1sp", "CA1sr"}
    assert len(acronyms(rest, descendants="void", limit=1000)) == 1000
    assert rest.get("brain-regions", descendants="void").json()["count"] == 1327, "all but the root"
    assert acronyms(rest, ancestors="nothing") == acronyms(rest, descendants="424242") == []
    assert acronyms(rest, parent="CA", acronym="CA1") == acronyms(rest, id=382) == ["CA1"]
    assert acronyms(rest, django="parent__acronym,CA,name__icontains,CA1") == ["CA1"]
    assert acronyms(rest, django="pk__in,[382, 423]") == ["CA1", "CA2"]


@pytest.mark.django_db
def test_only_the_description_can_be_changed(rest: Rest, lab: Lab, atlas: None) -> None:
    BrainRegion.objects.filter(acronym="HPF").update(description="formation")
    record = rest.patch("brain-regions/382", {"description": "Ammon's horn"}).json()
    assert record == {
        "id": 382,
        "acronym": "CA1",
        "name": "Field CA1",
        "description": "Ammon's horn",
        "parent": 375,
        "related_descriptions": [
            {"id": 382, "acronym": "CA1", "name": "Field CA1", "description": "Ammon's horn"},
            {
                "id": 1089,
                "acronym": "HPF",
                "name": BrainRegion.objects.get(pk=1089).name,
                "description": "formation",
            },
        ],
    }
    assert rest.get("brain-regions/382").json() == record
    assert rest.put("brain-regions/382", {**record, "description": "x"}).status_code == 200
    refused = rest.patch("brain-regions/382", {"acronym": "CAX", "description": "no"})
    assert (refused.status_code, next(iter(refused.json()))) == (400, "acronym")
    assert rest.patch("brain-regions/382", {"description": "a\x00"}).status_code == 400
    assert rest.get("brain-regions/382").json()["description"] == "x"
    assert (
        rest.get("brain-regions/CA1").status_code == rest.get("brain-regions/99999999999999999999").status_code == 404
    )
    experimenter = Rest(a_member(lab, Role.EXPERIMENTER))
    assert experimenter.patch("brain-regions/382", {"description": "mine"}).status_code == 403


# ---- finding by a region


class World:
    """A session per kind of evidence: each is named by the animal it was recorded in."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        region = BrainRegion.objects.get
        self.single = an_insertion(self.session("single"))
        a_channel(a_trajectory(self.single), brain_region=region(acronym="CA1sp"))
        weak = an_insertion(self.session("weak"))
        a_channel(a_trajectory(weak, provenance=50), brain_region=region(acronym="CA1sp"))
        chronic = self.session("chronic")
        self.implant = an_implant(a_surgery(chronic.subject))
        self.chronic = an_insertion(chronic, chronic_insertion=self.implant)
        stays = TrajectoryEstimate.objects.create(chronic_insertion=self.implant, provenance=70)
        a_channel(stays, brain_region=region(acronym="CA1"))
        self.fov = a_fov(self.session("seen"), stack=ImagingStack.objects.create(name="stack"))
        self.locate(self.fov, region(acronym="CA1so"), is_default=True)
        self.locate(a_fov(self.session("guessed")), region(acronym="CA1so"), is_default=False)
        gone = an_insertion(self.session("gone"), withdrawn_at="2026-03-10T00:00:00Z")
        a_channel(a_trajectory(gone), brain_region=region(acronym="CA1sp"))
        elsewhere = an_insertion(self.session("elsewhere"))
        a_channel(a_trajectory(elsewhere), brain_region=region(acronym="TH"))

    def session(self, nickname: str) -> Any:
        return a_session(a_subject(self.lab, nickname))

    def locate(self, fov: Any, region: BrainRegion, *, is_default: bool) -> None:
        place = FOVLocation.objects.create(field_of_view=fov, provenance="E", default_provenance=is_default)
        place.brain_regions.add(region)


@pytest.fixture
def world(lab: Lab, atlas: None) -> World:
    return World(lab)


BELOW_CA1 = [("atlas_acronym", "CA1"), ("atlas_acronym", "HPF"), ("atlas_id", 382), ("atlas_name", "field ca1")]


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "value"), BELOW_CA1)
def test_a_region_finds_what_was_recorded_in_it_or_below(rest: Rest, world: World, name: str, value: Any) -> None:
    asked = {name: value}
    assert {one["subject"] for one in rest.found("sessions", **asked)} == {"single", "chronic", "seen"}
    found = {one["session_info"]["subject"] for one in rest.found("insertions", **asked)}
    assert found == {"single", "chronic"}
    assert [one["id"] for one in rest.found("chronic-insertions", **asked)] == [str(world.implant.pk)]
    assert [one["id"] for one in rest.found("fields-of-view", **asked)] == [str(world.fov.pk)]
    assert [one["id"] for one in rest.found("imaging-stack", **asked)] == [str(world.fov.stack_id)]


@pytest.mark.django_db
def test_other_regions_and_none_find_others_and_nothing(rest: Rest, world: World) -> None:
    assert {one["subject"] for one in rest.found("sessions", atlas_acronym="BS")} == {"elsewhere"}
    assert {one["subject"] for one in rest.found("sessions", atlas_acronym="CA1so")} == {"seen"}
    assert len(rest.found("sessions", atlas_acronym="CA1,TH")) == 4
    for path in ("sessions", "insertions", "chronic-insertions", "fields-of-view", "imaging-stack"):
        assert rest.found(path, atlas_acronym="CA2") == rest.found(path, atlas_acronym="nothing") == []
        assert rest.found(path, atlas_id=-1) == rest.found(path, atlas_name="no such place") == []
