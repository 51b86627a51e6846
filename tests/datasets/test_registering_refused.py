"""POST /register-file: what is refused, by a 4xx that names field and fix, with nothing changed."""

from typing import Any

import pytest

from alyx.labs.models import Role
from datasets.models import Dataset, FileRecord, Revision
from tests.datasets.world import FILES, World, a_world, md5
from tests.factories.people import a_member, a_user
from tests.factories.rest import Rest

UNSAFE = {
    "traversal": "../../etc/spikes.times.npy",
    "traversal with backslashes": "..\\..\\spikes.times.npy",
    "traversal inside": "alf/../../../spikes.times.npy",
    "an absolute path": "/etc/spikes.times.npy",
    "a drive": "C:\\data\\spikes.times.npy",
    "a space in the collection": "alf probe/spikes.times.npy",
    "a NUL": "alf/spikes\x00.times.npy",
    "a line break": "alf/spikes.times\n.npy",
    "our own trash": ".alyx-trash/spikes.times.npy",
    "a revision in the wrong place": "#rev#/alf/spikes.times.npy",
    "no file": "alf/",
    "an empty name": "",
    "a name too long": f"alf/spikes.times.{'x' * 250}.npy",
    "an unknown type": "alf/nobody.knows.npy",
    "an unknown extension": "alf/spikes.times.docx",
    "not a text": None,
    "a number": 17,
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "fewer hashes than files": ({"hashes": [md5("a")]}, "hashes"),
    "an empty text of hashes": ({"hashes": ""}, "hashes"),
    "an empty list of hashes": ({"hashes": []}, "hashes"),
    "more sizes than files": ({"filesizes": [1, 2, 3]}, "filesizes"),
    "fewer versions": ({"versions": ["1", "2", "3"]}, "versions"),
    "a malformed hash": ({"hashes": [md5("a"), "xyz"]}, "hashes"),
    "a hash of odd length": ({"hashes": [md5("a"), md5("b")[:-1]]}, "hashes"),
    "a negative size": ({"filesizes": [1, -5]}, "filesizes"),
    "a size beyond 2^63": ({"filesizes": [1, 2**63]}, "filesizes"),
    "a size that is text": ({"filesizes": [1, "big"]}, "filesizes"),
    "a truth value as size": ({"filesizes": [1, True]}, "filesizes"),
    "a hash without a size": ({"filesizes": [1, None]}, "filesizes"),
    "an unknown qc": ({"qc": "SPLENDID"}, "qc"),
    "an unknown user": ({"created_by": "nobody"}, "created_by"),
    "an unknown repository": ({"name": "nowhere"}, "name"),
    "an unknown host": ({"name": None, "hostname": "nowhere"}, "hostname"),
    "an unknown lab": ({"labs": "nolab"}, "labs"),
    "no files": ({"filenames": []}, "filenames"),
    "no path": ({"path": ""}, "path"),
    "a path that is a number": ({"path": 12}, "path"),
    "a path with traversal": ({"path": "../KS014/2026-03-09/001"}, "path"),
    "an unknown subject": ({"path": "nobody/2026-03-09/001"}, "path"),
    "no such session": ({"path": "KS014/2026-03-09/007"}, "path"),
    "no date": ({"path": "KS014/2026-13-09/001"}, "path"),
    "exists is a word": ({"exists": "perhaps"}, "exists"),
    "content type without object": ({"content_type": "subject"}, "object_id"),
    "object without content type": ({"object_id": "3f2f0ccd-6e34-4b2f-a1a2-5e1e6f0a1b2c"}, "content_type"),
    "an object that is no UUID": ({"content_type": "subject", "object_id": "x"}, "object_id"),
    "an object that is not there": (
        {"content_type": "subject", "object_id": "3f2f0ccd-6e34-4b2f-a1a2-5e1e6f0a1b2c"},
        "object_id",
    ),
    "a content type without datasets": (
        {"content_type": "user", "object_id": "3f2f0ccd-6e34-4b2f-a1a2-5e1e6f0a1b2c"},
        "content_type",
    ),
    "a name that is a list": ({"name": ["a"]}, "name"),
}


def nothing_changed() -> bool:
    return not (Dataset.objects.exists() or FileRecord.objects.exists() or Revision.objects.exists())


@pytest.mark.parametrize("filename", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_unsafe_or_unknown_file_name_is_refused_with_its_reason(world: World, filename: Any) -> None:
    body = world.body("alf/#new#/spikes.times.npy", FILES[1])
    body["filenames"] = [body["filenames"][0], filename]
    answer = world.rest.post("register-file", body)
    assert answer.status_code == 400
    if "\x00" not in str(filename):
        [reason] = answer.json()["files"]
        assert reason["index"] == 1
        assert reason["reason"]
    assert nothing_changed()


@pytest.mark.parametrize(("fields", "field"), BAD.values(), ids=BAD.keys())
def test_a_bad_call_is_a_400_that_names_the_field(world: World, fields: dict[str, Any], field: str) -> None:
    answer = world.register(*FILES, status=400, **fields)
    assert field in answer["errors"]
    assert answer["detail"]
    assert nothing_changed()


def test_forty_files_with_the_twenty_first_bad_register_none(world: World) -> None:
    names = [f"alf/obj{number}.attr.npy" for number in range(40)]
    names[20] = "alf/obj twenty.attr.npy"
    answer = world.register(*names, status=400)
    assert [(reason["index"], reason["filename"]) for reason in answer["files"]] == [(20, names[20])]
    assert nothing_changed()


def test_every_bad_file_has_its_reason(world: World) -> None:
    answer = world.register("a b.npy", FILES[0], "nobody.knows.npy", hashes=[None, "zz", None], status=400)
    assert [reason["index"] for reason in answer["files"]] == [0, 1]
    answer = world.register("nobody.knows.npy", FILES[0], "spikes.times.doc", status=400)
    assert [reason["index"] for reason in answer["files"]] == [0, 2]


def test_one_file_with_two_digests_in_one_call_is_refused(world: World) -> None:
    answer = world.register(FILES[0], FILES[0], hashes=[md5("a"), md5("b")], filesizes=[1, 1], status=400)
    assert answer["files"][0]["rule"] == "one_content_per_file"
    assert nothing_changed()


@pytest.mark.parametrize("body", [b"", b"[]", b"[1]", b'"x"', b"{", b'{"path": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(world: World, body: bytes) -> None:
    answer = world.rest.send("POST", "register-file", body.decode("latin-1") if b"\xff" not in body else body)
    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)


def test_another_labs_session_is_a_403_and_nothing_changes(world: World) -> None:
    other = a_world("churchlandlab", "KS100")
    answer = world.register(path=other.path, labs=None, status=403)
    assert "churchlandlab" in answer["detail"]
    assert nothing_changed()


def test_another_labs_own_server_is_not_claimed_by_a_stranger(world: World) -> None:
    other = a_world("churchlandlab", "KS100")
    assert "another lab" in world.register(name=other.server.name, status=403)["detail"]
    assert nothing_changed()


def test_labs_of_others_are_not_given_copies(world: World) -> None:
    a_world("churchlandlab", "KS100")
    world.register(labs=["cortexlab", "churchlandlab"], status=403)
    assert nothing_changed()


def test_whoever_writes_in_both_labs_may_name_both(world: World) -> None:
    other = a_world("churchlandlab", "KS100")
    other.lab.memberships.create(user=world.rig, role=Role.EXPERIMENTER)
    dataset = world.register_one(labs="cortexlab,churchlandlab")
    assert set(world.states(dataset)) == {"server", "central", "mirror", *(
        repository.name for repository in (other.server, other.central, other.mirror)
    )}  # fmt: skip


@pytest.mark.parametrize("role", [Role.READER])
def test_readers_do_not_register(world: World, role: Role) -> None:
    world.rest = Rest(a_member(world.lab, role))
    world.register(status=403)


def test_strangers_do_not_register_and_nobody_without_login(world: World) -> None:
    world.rest = Rest(a_user())
    world.register(status=403)
    world.rest = Rest()
    assert world.rest.post("register-file", world.body()).status_code in {401, 403}
    assert nothing_changed()


def test_a_wrong_token_gets_the_words_that_make_one_log_in_again(world: World) -> None:
    answer = Rest(key="0" * 64).post("register-file", world.body())
    assert answer.status_code == 403
    assert b'"Invalid token."' in answer.content


def test_more_bytes_than_the_server_takes_are_a_413(world: World, settings: Any) -> None:
    settings.ALYX_MAX_BODY_BYTES = 1000
    names = [f"alf/obj{number}.attr.npy" for number in range(40)]
    assert world.rest.post("register-file", world.body(*names)).status_code == 413
    assert nothing_changed()
