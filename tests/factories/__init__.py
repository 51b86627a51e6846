"""Rows for tests: each maker gives a whole, stored row; what is not said is filled with something plausible."""

from tests.factories.copies import a_copy, bring_to, path_to
from tests.factories.engine import a_job, a_window, an_item
from tests.factories.people import a_lab, a_member, a_project, a_superuser, a_user
from tests.factories.records import (
    a_dataset,
    a_flag,
    a_format,
    a_note,
    a_repository,
    a_session,
    a_subject,
    a_type,
    an_aggregate,
)

__all__ = [
    "a_copy",
    "a_dataset",
    "a_flag",
    "a_format",
    "a_job",
    "a_lab",
    "a_member",
    "a_note",
    "a_project",
    "a_repository",
    "a_session",
    "a_subject",
    "a_superuser",
    "a_type",
    "a_user",
    "a_window",
    "an_aggregate",
    "an_item",
    "bring_to",
    "path_to",
]
