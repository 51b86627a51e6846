"""Migrations that make their tables together."""

import pytest
from django.db import migrations
from django.db.migrations.state import ProjectState

from alyx.core.together import Together


def test_what_it_cannot_do_it_refuses() -> None:
    with pytest.raises(TypeError, match="cannot do"):
        Together([migrations.RunSQL("SELECT 1")]).database_forwards("core", None, ProjectState(), ProjectState())


def test_it_cannot_be_taken_back() -> None:
    assert not Together([]).reversible
