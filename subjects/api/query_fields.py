"""What `django=` may ask about animals and procedures."""

from alyx.core.rest.query_language import QueryFields, day, json_path, relation, text
from alyx.labs.query_fields import LABS, PROJECTS, USERS

SUBJECTS = QueryFields(
    {
        "nickname": text("nickname"),
        "sex": text("sex"),
        "birth_date": day("born_on"),
        "death_date": day("died_on"),
        "description": text("description"),
        "protocol_number": text("protocol_number"),
        "json": json_path("json"),
        "lab": relation("lab", LABS),
        "responsible_user": relation("responsible_user", USERS),
        "projects": relation("projects", PROJECTS, many=True),
    }
)

PROCEDURES = QueryFields({"name": text("name"), "description": text("description"), "json": json_path("json")})
