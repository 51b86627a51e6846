"""pgtrigger's registry, with its look-ups kept instead of made anew.

The library goes through all triggers for each that is registered, twice; with the five hundred of this project that is
a second of every process's start. The rules it checks are its own still.
"""

from typing import Any

from pgtrigger import registry
from pgtrigger.registry import _Registry


class KeptRegistry(_Registry):  # type: ignore[misc]
    """What `by_db_table` and `pg_function_names` work out, kept up to date."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._by_db_table: dict[tuple[str, str], Any] = {}
        self._pg_function_names: set[str] = set()
        super().__init__(*args, **kwargs)

    @property
    def by_db_table(self) -> dict[tuple[str, str], Any]:
        """(table, name of the trigger) → trigger."""
        return self._by_db_table

    @property
    def pg_function_names(self) -> set[str]:
        """The names of the functions in the database."""
        return self._pg_function_names

    def __setitem__(self, key: str, value: Any) -> None:
        """Register; refused as the library refuses it."""
        super().__setitem__(key, value)
        model, trigger = value
        self._by_db_table[model._meta.db_table, trigger.name] = trigger
        self._pg_function_names.add(trigger.get_pgid(model))

    def __delitem__(self, key: str) -> None:
        """Forget."""
        model, trigger = self[key]
        super().__delitem__(key)
        self._by_db_table.pop((model._meta.db_table, trigger.name), None)
        self._pg_function_names.discard(trigger.get_pgid(model))


def install() -> None:
    """Take the library's place; before the first model is made."""
    if not isinstance(registry._registry, KeptRegistry):
        registry._registry = KeptRegistry(registry._registry)
