"""Bodies and records of sessions, by their wire names."""

from typing import Any

from rest_framework import serializers

from alyx.core.rest.fields import JsonField, KeyField, MomentField, NamesField, QCField, TextField
from sessions.services.session import MAX_NUMBER

MAX_COUNT = 2**31 - 1


class SessionList(serializers.Serializer[Any]):
    """A session, light."""

    id = serializers.UUIDField(read_only=True)
    subject = serializers.CharField(read_only=True)
    start_time = MomentField(read_only=True)
    number = serializers.IntegerField(read_only=True)
    lab = serializers.CharField(read_only=True)
    projects = NamesField(read_only=True)
    url = serializers.URLField(read_only=True)
    task_protocol = serializers.CharField(read_only=True)


class SessionDatasets(serializers.Serializer[Any]):
    """A dataset inside a session's record."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField()
    dataset_type = serializers.CharField()
    data_url = serializers.CharField(read_only=True)
    url = serializers.URLField(read_only=True)
    file_size = serializers.IntegerField(allow_null=True)
    hash = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    collection = serializers.CharField()
    revision = serializers.CharField()
    default_revision = serializers.CharField()
    qc = serializers.CharField()


class SessionDetail(serializers.Serializer[Any]):
    """A session."""

    subject = serializers.CharField(max_length=255)
    users = NamesField(required=False)
    location = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    procedures = NamesField(required=False)
    lab = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    projects = NamesField(required=False)
    type = TextField(required=False)
    task_protocol = TextField(required=False, max_length=1023)
    number = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_NUMBER)
    start_time = MomentField(required=False, allow_null=True)
    end_time = MomentField(required=False, allow_null=True)
    narrative = TextField(required=False, max_length=None)
    parent_session = KeyField(required=False, allow_null=True)
    n_correct_trials = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_COUNT)
    n_trials = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_COUNT)
    url = serializers.URLField(read_only=True)
    extended_qc = JsonField(required=False)
    qc = QCField(required=False)
    wateradmin_session_related = serializers.ListField(child=serializers.DictField(), read_only=True)
    data_dataset_session_related = SessionDatasets(many=True, read_only=True)
    auto_datetime = MomentField(read_only=True)
    id = serializers.UUIDField(read_only=True)
    json = JsonField(required=False)
    probe_insertion = serializers.ListField(child=serializers.DictField(), read_only=True)
    field_of_view = serializers.ListField(child=serializers.DictField(), read_only=True)
    notes = serializers.ListField(child=serializers.DictField(), read_only=True)
