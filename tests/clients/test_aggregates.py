"""Stock ONE-api 3.6.1: datasets of a subject rather than of a session."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pytest

from demo.served import Served
from demo.story import Story
from tests.clients.registry import Registry

pytestmark = pytest.mark.clients

TRIALS, OTHERS = "_ibl_subjectTrials.table.pqt", "_ibl_trials.table.pqt"
REPOSITORY = "flatiron_aggregates"


@pytest.fixture(scope="module")
def server_folder(served: Served, lab: Story) -> Path:
    """The directory of a server repository for aggregates."""
    root = served.var / "aggregates"
    root.mkdir()
    registry = Registry(served)
    registry.add_repository(
        name=REPOSITORY, like=lab.central_repository, root=str(root), data_url=f"{lab.data_url}/aggregates/"
    )
    registry.close()
    return root


@pytest.fixture(scope="module")
def registered(served: Served, lab: Story, rig: Any, server_folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Two tables of an animal, registered and laid on the server under the names it gives them."""
    from iblutil.io import parquet
    from one.registration import RegistrationClient

    animal = rig.alyx.rest("subjects", "read", id=lab.subjects[0])["id"]
    folder = served.var / "made" / "Subjects" / lab.lab / lab.subjects[0]
    folder.mkdir(parents=True)
    for number, name in enumerate((TRIALS, OTHERS)):
        parquet.save(folder / name, pd.DataFrame({"trial": range(5 + number)}), {"made_by": "a test"})
    files = [folder / TRIALS, folder / OTHERS]
    client = RegistrationClient(rig)
    answers = client.register_files(files, repository=REPOSITORY, content_type="subject", object_id=animal)
    for file, answer in zip(files, answers, strict=True):
        (record,) = answer["file_records"]
        place = server_folder / Path(record["relative_path"]).with_name(f"{file.stem}.{answer['id']}{file.suffix}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    return {file.name: answer for file, answer in zip(files, answers, strict=True)}


def test_an_aggregate_belongs_to_the_animal_and_only_to_the_repository_named(
    registered: Mapping[str, Mapping[str, Any]], lab: Story
) -> None:
    for name, answer in registered.items():
        (record,) = answer["file_records"]
        assert (record["data_repository"], record["exists"]) == (REPOSITORY, True)
        assert record["relative_path"] == f"Subjects/{lab.lab}/{lab.subjects[0]}/{name}"


def test_aggregates_are_listed_and_loaded(registered: Mapping[str, Mapping[str, Any]], lab: Story, rig: Any) -> None:
    listed = rig.list_aggregates("subjects", lab.subjects[0])
    assert {str(each) for each in listed.index} == {answer["id"] for answer in registered.values()}
    table = rig.load_aggregate("subjects", lab.subjects[0], "_ibl_subjectTrials.table")
    assert table["trial"].tolist() == [0, 1, 2, 3, 4]


def test_one_aggregate_alone_is_registered_as_the_client_says_it(
    registered: Mapping[str, Mapping[str, Any]], served: Served, lab: Story, rig: Any
) -> None:
    """ONE cuts what all files share off their names: of a single file nothing remains but a dot."""
    from one.registration import RegistrationClient

    animal = rig.alyx.rest("subjects", "read", id=lab.subjects[0])["id"]
    file = served.var / "made" / "Subjects" / lab.lab / lab.subjects[0] / TRIALS
    (dry,) = RegistrationClient(rig).register_files(
        [file], repository=REPOSITORY, content_type="subject", object_id=animal, dry=True
    )
    assert (Path(dry["path"]).name, dry["filenames"]) == (TRIALS, ["."])
    (answer,) = rig.alyx.post("/register-file", data=dry)
    assert UUID(answer["id"]) == UUID(registered[TRIALS]["id"])
