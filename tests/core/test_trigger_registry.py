"""The kept registry answers as the library's own would."""

import pgtrigger
import pytest
from pgtrigger import registry
from pgtrigger.registry import _Registry

from alyx.core.models import Note, ReviewFlag
from alyx.core.trigger_registry import KeptRegistry


def test_what_is_kept_is_what_the_library_works_out() -> None:
    kept = registry._registry
    assert isinstance(kept, KeptRegistry)
    assert kept.by_db_table == _Registry.by_db_table.fget(kept)
    assert kept.pg_function_names == _Registry.pg_function_names.fget(kept)


def a_trigger(name: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(name=name, when=pgtrigger.Before, operation=pgtrigger.Update, func="RETURN NEW;")


def test_a_name_is_given_once_per_table_and_free_again_when_taken_back() -> None:
    first = a_trigger("of_this_test")
    first.register(Note)
    try:
        with pytest.raises(KeyError, match="already used"):
            pgtrigger.Trigger(
                name="of_this_test", when=pgtrigger.After, operation=pgtrigger.Update, func="RETURN NULL;"
            ).register(Note)
        a_trigger("of_this_test").register(ReviewFlag)
        registry.delete("core.ReviewFlag:of_this_test")
    finally:
        registry.delete("core.Note:of_this_test")
    kept = registry._registry
    assert not [name for _, name in kept.by_db_table if name == "of_this_test"]
    assert kept.pg_function_names == _Registry.pg_function_names.fget(kept)
