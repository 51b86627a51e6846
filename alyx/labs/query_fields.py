"""What `django=` may ask about people, labs, locations and projects. Nothing secret is among it."""

from alyx.core.rest.query_language import QueryFields, boolean, instant, json_path, number, relation, text, uuid_

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
