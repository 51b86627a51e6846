"""GET /api/schema, as the clients' own parser reads it."""

import json
import re
from functools import cache
from typing import Any

import pytest
import yaml
from django.test import Client

from alyx.core.rest.schema import document
from tests.contracts.goldens import compare

VERBS = {"get", "post", "put", "patch", "delete"}
ALL = ["list", "read", "create", "update", "partial_update", "delete"]

ENDPOINTS = {
    "auth-token": ["create"],
    "check-protected": ["list"],
    "data-formats": ALL,
    "data-repository": ALL,
    "dataset-types": ALL,
    "datasets": ALL,
    "files": ALL,
    "labs": ALL,
    "locations": ["list", "read", "update", "partial_update"],
    "me": ["list"],
    "procedures": ["list", "create"],
    "projects": ALL,
    "register-file": ["create"],
    "revisions": ALL,
    "sessions": ALL,
    "subjects": ALL,
    "tags": ALL,
    "users": ALL,
}

FILTERS = {
    "datasets": """auto_datetime collection content_type created_by created_date created_date_gte created_date_lte
        created_datetime data_format dataset_type date default_dataset django exists experiment_number file_size
        generating_software hash id lab md5 name object_id probe_insertion protected provenance_directory public qc revision
        session subject tag tags version""",
    "files": "data_repository dataset django exists globus_is_personal id lab name relative_path",
    "data-repository": "globus_endpoint_id globus_is_personal name",
    "revisions": "name",
    "tags": "name",
    "labs": """address cage_cleaning_frequency_days cage_type django enrichment food id institution light_cycle name
        reference_weight_pct repositories timezone zscore_weight_pct""",
    "sessions": """atlas_acronym atlas_id atlas_name auto_datetime dataset_qc_lte dataset_types datasets date_range django
        end_time extended_qc histology id json lab location n_correct_trials n_trials name narrative nickname number
        parent_session performance_gte performance_lte procedures project projects qc start_time subject tag task_protocol
        type users""",
    "subjects": """actual_severity adverse_effects alive birth_date cage death_date description django ear_mark genotype
        genotype_date genotype_test id json lab line litter name nickname project projects protocol_number reduced_date
        request responsible_user sex source species stock strain to_be_culled to_be_genotyped water_restricted
        wean_date""",
    "users": """allowed_users date_joined django email first_name groups id is_active is_public_user is_staff
        is_stock_manager is_superuser last_login last_name username""",
}
"""Of the contract; the filters that would reach passwords and rights of users are left out on purpose."""

COMPONENTS = {
    "SessionList": "subject start_time number lab id projects task_protocol",
    "SessionDetail": """subject users location procedures lab projects type task_protocol number start_time end_time narrative
        parent_session n_correct_trials n_trials url extended_qc qc wateradmin_session_related
        data_dataset_session_related auto_datetime id json probe_insertion field_of_view notes""",
    "SessionDatasets": """id name dataset_type data_url url file_size hash version collection revision default_revision
        qc""",
    "SubjectList": """nickname url id responsible_user birth_date age_weeks death_date species sex litter strain source line
        projects session_projects lab genotype description alive reference_weight last_water_restriction expected_water
        remaining_water json""",
    "SubjectDetail": "weighings water_administrations nickname lab",
    "Lab": "name institution address timezone repositories reference_weight_pct zscore_weight_pct json",
    "LabLocation": "name lab json",
    "Project": "name description users",
    "ProcedureType": "id name json description",
    "User": "id username email subjects_responsible lab allowed_users is_stock_manager",
    "AuthToken": "username password token",
    "Dataset": """url name created_by created_datetime dataset_type data_format collection session file_size hash version
        experiment_number file_records auto_datetime revision default_dataset tags qc json""",
    "FileRecord": "url dataset data_repository json relative_path exists",
    "DataRepository": "name timezone globus_path hostname data_url repository_type globus_endpoint_id globus_is_personal json",
    "DatasetType": "id name created_by description filename_pattern",
    "DataFormat": "id json name description file_extension matlab_loader_function python_loader_function",
    "Revision": "id json name description created_datetime",
    "Tag": "id json name description protected public hash",
}


@cache
def read_by_the_client() -> Any:
    """ONE's own reader of the document."""
    webclient = pytest.importorskip("one.webclient")
    return webclient.RestSchemeOpenApi(json.loads(json.dumps(document())))


def test_it_is_json_and_open_and_never_a_406() -> None:
    for accept in ("application/vnd.oai.openapi+json", "application/json", "text/html", "application/coreapi+json"):
        answer = Client().get("/api/schema", headers={"Accept": accept, "Accept-Version": "3.0"})
        assert answer.status_code == 200
        assert json.loads(answer.content)["openapi"].startswith("3.0")


def test_paths_hold_verbs_only_and_bodies_that_refer_to_components() -> None:
    whole = document()
    for path, item in whole["paths"].items():
        assert re.fullmatch(r"/[a-z-]+(/\{\w+\})?", path), path
        assert set(item) <= VERBS, path
        for verb, operation in item.items():
            if "requestBody" in operation:
                name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                assert whole["components"]["schemas"][name]["properties"], (path, verb)


def test_lists_stand_before_details() -> None:
    paths = list(document()["paths"])
    for path in paths:
        if "{" in path:
            base = path.partition("/{")[0]
            assert base in paths[: paths.index(path)]


def test_the_client_sees_these_endpoints_and_actions() -> None:
    schemes = read_by_the_client()
    assert {name: sorted(schemes.actions(name)) for name in schemes.endpoints} == {
        name: sorted(actions) for name, actions in ENDPOINTS.items() if name != "auth-token"
    }


@pytest.mark.parametrize("endpoint", FILTERS)
def test_the_client_sees_these_filters(endpoint: str) -> None:
    offered = set(read_by_the_client().field_names(endpoint, "list"))
    assert set(FILTERS[endpoint].split()) | {"limit", "offset"} == offered


@pytest.mark.parametrize("component", COMPONENTS)
def test_records_have_the_fields_of_the_contract(component: str) -> None:
    properties = document()["components"]["schemas"][component]["properties"]
    assert set(COMPONENTS[component].split()) <= set(properties)


def test_the_help_of_every_action_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    schemes = read_by_the_client()
    for endpoint in schemes.endpoints:
        schemes.print_endpoint_info(endpoint)
        for action in schemes.actions(endpoint):
            schemes.fields(endpoint, action)
    assert "task_protocol" in capsys.readouterr().out


def test_the_document_is_the_golden_one() -> None:
    text = yaml.safe_dump(json.loads(json.dumps(document())), sort_keys=False, allow_unicode=True, width=120)
    compare("openapi.yaml", text)
