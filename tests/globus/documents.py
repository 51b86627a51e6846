"""The bodies that Globus Transfer and Auth answer with, as the stand-in forms them.

Field names and types follow the service's public documentation and what `globus_sdk.testing` ships (compared in
`test_shapes.py`); all values are our own.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

Doc = dict[str, Any]
OWNER = "5d4f1f6e-0c52-4b58-9a54-3c1c7c0a9e11"
TRANSFER_SCOPE = "urn:globus:auth:scope:transfer.api.globus.org:all"


def stamp(at: float, separator: str = "T") -> str:
    """A time as the service writes it, to the second, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(sep=separator, timespec="seconds")


def said(data_type: str, code: str, message: str, resource: str, **more: Any) -> Doc:
    """A result document."""
    return {
        "DATA_TYPE": data_type,
        "code": code,
        "message": message,
        "request_id": uuid4().hex[:9],
        "resource": resource,
        **more,
    }


def refused(code: str, message: str, resource: str, **more: Any) -> Doc:
    """An error document."""
    return {"code": code, "message": message, "request_id": uuid4().hex[:9], "resource": resource, **more}


def accepted(kind: str, code: str, submission: str, task: str) -> Doc:
    """The answer to a submission: Accepted, or Duplicate."""
    link = {
        "DATA_TYPE": "link",
        "href": f"/v0.10/task/{task}?format=json",
        "rel": "related",
        "resource": "task",
        "title": "related task",
    }
    message = f"The {kind} task {'is known already' if code == 'Duplicate' else 'was queued'}"
    resource = f"/v0.10/{kind}"
    return said(f"{kind}_result", code, message, resource, submission_id=submission, task_id=task, task_link=link)


def task(row: Doc, collections: dict[str, Doc]) -> Doc:
    """A task document out of what is stored about the task."""
    form, source, destination = row["form"], row["source"], row["destination"]
    pending = row["files"] - row["done"] - row["skipped"]
    active = row["status"] in {"ACTIVE", "INACTIVE"}
    nice = row["nice"] if active else None
    return {
        "DATA_TYPE": "task",
        "bytes_checksummed": 0,
        "bytes_transferred": row["bytes"],
        "canceled_by_admin": None,
        "canceled_by_admin_message": None,
        "command": "API 0.10",
        "completion_time": stamp(row["ended"]) if row["ended"] else None,
        "deadline": stamp(row["deadline"]),
        "delete_destination_extra": False,
        "destination_endpoint": f"u_standin#{destination}" if destination else None,
        "destination_endpoint_display_name": collections.get(destination, {}).get("name"),
        "destination_endpoint_id": destination,
        "directories": 0,
        "effective_bytes_per_second": int(row["bytes"] / max(1.0, (row["ended"] or row["asked"] + 1) - row["asked"])),
        "encrypt_data": bool(form.get("encrypt_data", False)),
        "fail_on_quota_errors": bool(form.get("fail_on_quota_errors", False)),
        "fatal_error": row["fatal"],
        "faults": row["faults"],
        "files": row["files"],
        "files_skipped": row["synced"],
        "files_transferred": row["done"] - row["synced"],
        "filter_rules": None,
        "history_deleted": row["forgotten"],
        "is_ok": nice in {"OK", "Queued"} if active else None,
        "is_paused": row["paused"],
        "label": form.get("label"),
        "nice_status": nice,
        "nice_status_details": None,
        "nice_status_expires_in": -1 if active else None,
        "nice_status_short_description": nice,
        "owner_id": OWNER,
        "preserve_timestamp": False,
        "recursive_symlinks": "ignore",
        "request_time": stamp(row["asked"]),
        "skip_source_errors": bool(form.get("skip_source_errors", False)),
        "source_endpoint": f"u_standin#{source}",
        "source_endpoint_display_name": collections.get(source, {}).get("name"),
        "source_endpoint_id": source,
        "status": row["status"],
        "subtasks_canceled": pending if (row["fatal"] or {}).get("code") == "CANCELED" else 0,
        "subtasks_expired": pending if (row["fatal"] or {}).get("code") == "EXPIRED" else 0,
        "subtasks_failed": 0,
        "subtasks_pending": pending if active else 0,
        "subtasks_retrying": 0,
        "subtasks_skipped_errors": row["skipped"],
        "subtasks_succeeded": row["done"] + 1,
        "subtasks_total": row["files"] + 1,
        "symlinks": 0,
        "sync_level": form.get("sync_level"),
        "task_id": row["id"],
        "type": row["type"],
        "username": "u_standin",
        "verify_checksum": bool(form.get("verify_checksum", False)),
    }


def listed(data_type: str, data: list[Doc], **more: Any) -> Doc:
    """A list document."""
    return {"DATA_TYPE": data_type, "DATA": data, **more}


def event(code: str, details: str, at: float, *, is_error: bool) -> Doc:
    """One line of a task's history."""
    return {
        "DATA_TYPE": "event",
        "code": code,
        "description": code.replace("_", " ").lower(),
        "details": details,
        "is_error": is_error,
        "time": stamp(at, " "),
    }


def file(name: str, size: int, modified: float, *, folder: bool) -> Doc:
    """An entry of a folder."""
    return {
        "DATA_TYPE": "file",
        "group": "rig",
        "last_modified": stamp(modified, " "),
        "link_group": None,
        "link_last_modified": None,
        "link_size": None,
        "link_target": None,
        "link_user": None,
        "name": name,
        "permissions": "0755" if folder else "0644",
        "size": size,
        "type": "dir" if folder else "file",
        "user": "rig",
    }


def endpoint(collection: Doc) -> Doc:
    """A collection as `endpoint/<id>` shows it."""
    personal = collection["entity_type"].startswith("GCP")
    return {
        "DATA_TYPE": "endpoint",
        "id": collection["id"],
        "display_name": collection["name"],
        "organization": "A laboratory",
        "username": "u_standin",
        "description": None,
        "entity_type": collection["entity_type"],
        "public": False,
        "french_english_bilingual": False,
        "is_globus_connect": personal,
        "globus_connect_setup_key": None,
        "gcp_connected": collection["connected"] if personal else None,
        "gcp_paused": False if personal else None,
        "s3_url": None,
        "s3_owner_activated": False,
        "host_endpoint_id": None,
        "host_path": None,
        "disable_verify": False,
        "disable_anonymous_writes": False,
        "force_verify": False,
        "force_encryption": False,
        "mfa_required": False,
        "myproxy_server": None,
        "myproxy_dn": None,
        "non_functional": False,
        "non_functional_endpoint_display_name": None,
        "non_functional_endpoint_id": None,
        "oauth_server": None,
        "default_directory": None,
        "activated": False,
        "expires_in": -1,
        "expire_time": "2040-01-01 00:00:00+00:00",
        "shareable": False,
        "acl_available": False,
        "acl_editable": False,
        "in_use": False,
        "DATA": [],
    }


def token(access: str, seconds: int, refresh: str | None) -> Doc:
    """The answer of the token endpoint."""
    doc = {
        "access_token": access,
        "scope": TRANSFER_SCOPE,
        "expires_in": seconds,
        "token_type": "Bearer",
        "resource_server": "transfer.api.globus.org",
        "other_tokens": [],
    }
    return doc | ({"refresh_token": refresh} if refresh else {})


def introspected(client: str, ends: int) -> Doc:
    """What Auth says of a token that is good."""
    about = {"sub": OWNER, "username": f"{client}@clients.auth.globus.org", "name": "alyx", "email": None}
    times = {"exp": ends, "iat": ends - 172_800, "nbf": ends - 172_800}
    issued = {"iss": "https://auth.globus.org", "aud": ["auth.globus.org", client]}
    rest = {"active": True, "token_type": "Bearer", "scope": TRANSFER_SCOPE, "client_id": client}
    return about | times | issued | rest
