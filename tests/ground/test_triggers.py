"""No table is without its guards after `migrate`."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

from alyx.core.records import Record
from tests.ground.tables import OWN_HISTORY, REGISTRY_APPS, concrete_models, link_table, links, sql, triggers_of
from transfers.models import (
    Attempt,
    Decision,
    Event,
    FoundFile,
    IntakePolicy,
    NightWindow,
    Preflight,
    Pulse,
    ReadingTurn,
    Scan,
    TransferItem,
    TransferJob,
)

pytestmark = pytest.mark.django_db
RECORDED = {"insert_insert", "update_update", "delete_delete", "no_truncate"}


@pytest.mark.parametrize("model", concrete_models(), ids=lambda model: model.__name__)
def test_every_table_has_the_triggers_of_the_audit(model: type[models.Model]) -> None:
    wanted = RECORDED | ({"touch"} if issubclass(model, Record) else set())
    assert wanted <= triggers_of(model._meta.db_table)


@pytest.mark.parametrize("link", links(), ids=str)
def test_every_link_table_has_the_triggers_of_the_audit(link: models.ManyToManyField) -> None:
    assert {"insert_insert", "delete_delete", "no_truncate"} <= triggers_of(link_table(link)._meta.db_table)


def test_every_table_of_ours_is_audited_or_history_itself() -> None:
    engine = {Event, Attempt, NightWindow, TransferJob, TransferItem}  # their states are recorded in Event
    ours = {
        m
        for label in (*REGISTRY_APPS, "transfers")
        for m in apps.get_app_config(label).get_models()
        if not m._meta.proxy
    }
    events = {model for model in ours if hasattr(model, "pgh_tracked_model")}
    reports = {
        FoundFile,
        Preflight,
        Pulse,
        ReadingTurn,
        Scan,
    }  # how a place was last seen, append-only, or a clock's hand
    audited = {Decision, IntakePolicy}
    assert all(triggers_of(model._meta.db_table) >= RECORDED for model in audited)
    assert ours - events - OWN_HISTORY - engine - reports == {*concrete_models(), *audited}


@pytest.mark.parametrize("model", [NightWindow, TransferJob, TransferItem])
def test_the_engine_records_each_state(model: type[models.Model]) -> None:
    assert {"record_birth", "record_moves", "touch"} <= triggers_of(model._meta.db_table)


def test_the_database_has_exactly_the_triggers_that_the_models_declare(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("pgtrigger", "ls")
    listed = capsys.readouterr().out
    assert "OUTDATED" not in listed
    assert "UNINSTALLED" not in listed
    assert "PRUNE" not in listed
    assert listed.count("INSTALLED") > 100


def test_no_trigger_is_switched_off() -> None:
    assert sql("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'O'") == []
