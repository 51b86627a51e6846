"""What `django=` may ask about people, labs, locations, projects and notes. Nothing secret is among it."""

from alyx.core.models import Note
from alyx.core.rest.query_language import (
    Keyed,
    QueryFields,
    boolean,
    instant,
    json_path,
    number,
    relation,
    text,
    uuid_,
    wall,
)

USERS = QueryFields(
    {
        "username": text("username"),
        "first_name": text("first_name"),
        "last_name": text("last_name"),
        "is_active": boolean("is_active"),
        "is_stock_manager": boolean("is_stock_manager"),
        "date_joined": instant("date_joined"),
    }
)

_REPOSITORIES = QueryFields(
    {
        "name": text("name"),
        "hostname": text("hostname"),
        "globus_endpoint_id": uuid_("globus_endpoint_id"),
        "json": json_path("json"),
    }
)

LABS = QueryFields(
    {
        "name": text("name"),
        "institution": text("institution"),
        "address": text("address"),
        "timezone": text("timezone"),
        "reference_weight_pct": number("reference_weight_pct"),
        "zscore_weight_pct": number("zscore_weight_pct"),
        "json": json_path("json"),
        "repositories": relation("repositories", _REPOSITORIES, many=True),
    }
)

LOCATIONS = QueryFields({"name": text("name"), "json": json_path("json"), "lab": relation("lab", LABS)})

PROJECTS = QueryFields(
    {"name": text("name"), "description": text("description"), "users": relation("users", USERS, many=True)}
)

NOTES = QueryFields(
    {
        "text": text("text"),
        "json": json_path("json"),
        "image": text("image"),
        "date_time": wall("at_wall"),
        "auto_datetime": instant("updated_at"),
        "user": relation("user", USERS),
    }
)

NOTES_ABOUT = Keyed("id", lambda: Note.objects.filter(withdrawn_at__isnull=True), NOTES, key="object_id")
"""`notes__…` of any table that can have notes."""
