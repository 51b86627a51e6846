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
    "cache": ["list"],
    "cache.zip": ["list"],
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
    "surgeries": ["list", "read", "update", "partial_update"],
    "tags": ALL,
    "users": ALL,
    "water-administrations": ALL,
    "water-requirement": ["read"],
    "water-restricted-subjects": ["list"],
    "water-restriction": ["list"],
    "water-type": ["list", "read", "create"],
    "weighings": ["list", "read", "create", "delete"],
    "brain-regions": ["list", "read", "update", "partial_update"],
    "channels": ALL,
    "chronic-insertions": ALL,
    "fields-of-view": ALL,
    "fov-location": ALL,
    "imaging-stack": ["list", "read", "create"],
    "insertions": ALL,
    "trajectories": ALL,
    "data-notices": ALL,
    "data-repository-type": ALL,
    "downloads": ["list", "read", "update", "partial_update"],
    "new-download": ["create"],
    "notes": ALL,
    "sync-file-status": ["list", "create"],
    "tasks": ALL,
    "transfers": ["create", "list", "read"],
    "uploaded": ["read"],
}

FILTERS = {
    "data-notices": """affected_date_end affected_date_start created_by dataset_tag datasets django importance name
        version_affected""",
    "downloads": "count dataset dataset_type django json user",
    "notes": "django",
    "tasks": """arguments cpu data_repository datetime django executable gpu graph id io_charge lab level log name parents
        priority ram session status time_elapsed_secs time_out_secs version""",
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
    "water-administrations": """adlib date_range date_time django id json lab location name nickname session subject user
        users water_administered water_type""",
    "water-restriction": """date_range django end_time id json lab location name narrative nickname procedures
        reference_weight start_time subject users water_type""",
    "weighings": "date_range date_time django id json lab location name nickname subject user users weight",
    "brain-regions": "acronym ancestors descendants description django id name parent",
    "channels": "axial brain_region django id lab lateral name probe_insertion session subject trajectory_estimate x y z",
    "chronic-insertions": """atlas_acronym atlas_id atlas_name django end_time id lab location model name narrative probe procedures
        serial session start_time subject users""",
    "fields-of-view": """atlas_acronym atlas_id atlas_name dataset_types datasets date django experiment_number id imaging_type lab
        name project session stack subject""",
    "fov-location": """auto_datetime brain_region coordinate_system default_provenance django field_of_view id n_xyz name provenance
        x y z""",
    "imaging-stack": "atlas_acronym atlas_id atlas_name django id name",
    "insertions": """atlas_acronym atlas_id atlas_name auto_datetime chronic_insertion dataset_qc_lte dataset_types datasets date
        django experiment_number id lab model name project serial session subject tag task_protocol""",
    "trajectories": """chronic_insertion coordinate_system date datetime depth django experiment_number id phi probe probe_insertion
        project provenance roll session subject theta x y z""",
}
"""Of the contract; the filters that would reach passwords and rights of users are left out on purpose."""

COMPONENTS = {
    "DataNotice": """id created_by datasets description_html name json description importance created_datetime
        version_affected affected_date_start affected_date_end""",
    "DataRepositoryType": "url json name",
    "Download": "id user dataset count json",
    "Note": "id user date_time content_type object_id text image json",
    "Task": """id parents session data_repository status name priority io_charge level gpu cpu ram time_out_secs
        time_elapsed_secs executable graph log version datetime arguments""",
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
    "WaterAdministrationDetail": "subject date_time water_administered water_type user url session adlib",
    "WaterRestrictedSubjectList": """nickname url expected_water remaining_water reference_weight last_water_restriction
        reference_weight_pct zscore_weight_pct""",
    "WaterRestrictionList": "subject start_time end_time water_type reference_weight",
    "WaterTypeDetail": "url json name",
    "WeighingDetail": "subject date_time weight user url",
    "BrainRegion": "id acronym name description parent related_descriptions",
    "Channel": "id trajectory_estimate brain_region name json axial lateral x y z",
    "ChronicInsertionDetail": "id name subject lab model start_time serial json probe_insertion",
    "ChronicInsertionList": "id name subject lab model start_time serial json probe_insertion",
    "FOV": "id imaging_type location name json session stack datasets",
    "FOVLocationDetail": """id brain_region coordinate_system provenance x y z n_xyz json default_provenance auto_datetime
        field_of_view""",
    "FOVLocationList": "id brain_region coordinate_system provenance x y z n_xyz default_provenance auto_datetime",
    "ImagingStackDetail": "id slices name json",
    "ImagingStackList": "id slices",
    "ProbeInsertionDetail": "id session model session_info datasets name json serial auto_datetime chronic_insertion",
    "ProbeInsertionList": "id session model session_info name json serial auto_datetime chronic_insertion datasets",
    "TrajectoryEstimate": """id probe_insertion x y z depth theta phi roll provenance session probe_name coordinate_system datetime json
        chronic_insertion""",
}


WITHOUT_LIST = {"uploaded", "water-requirement"}


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
        assert re.fullmatch(r"(/transfers)?/[a-z-]+(\.zip|/info/|/\{\w+\})?", path), path
        assert set(item) <= VERBS, path
        for verb, operation in item.items():
            if "requestBody" in operation:
                name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                assert whole["components"]["schemas"][name]["properties"], (path, verb)


def test_lists_stand_before_details() -> None:
    paths = list(document()["paths"])
    for path in paths:
        if "{" in path and path.split("/")[1] not in WITHOUT_LIST:
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
