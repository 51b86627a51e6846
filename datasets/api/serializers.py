"""Bodies and records of the registry, by their wire names."""

from typing import Any

from rest_framework import serializers

from alyx.core.rest.fields import JsonField, KeyField, MomentField, NamesField, QCField, TextField


class DatasetType(serializers.Serializer[Any]):
    """A kind of dataset."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=255, required=False)
    created_by = serializers.CharField(max_length=150, required=False, allow_null=True)
    description = TextField(required=False, max_length=None)
    filename_pattern = TextField(required=False)


class DataFormat(serializers.Serializer[Any]):
    """A file format."""

    id = serializers.UUIDField(read_only=True)
    json = JsonField(required=False)
    name = serializers.CharField(max_length=255)
    description = TextField(required=False, max_length=None)
    file_extension = TextField(max_length=64)
    matlab_loader_function = TextField(required=False)
    python_loader_function = TextField(required=False)


class Revision(serializers.Serializer[Any]):
    """A named revision."""

    id = serializers.UUIDField(read_only=True)
    json = JsonField(required=False)
    name = serializers.CharField(max_length=255, required=False)
    description = TextField(required=False, max_length=None)
    created_datetime = MomentField(read_only=True)


class Tag(serializers.Serializer[Any]):
    """A label on datasets."""

    id = serializers.UUIDField(read_only=True)
    json = JsonField(required=False)
    name = serializers.CharField(max_length=255, required=False)
    description = TextField(required=False, max_length=None)
    protected = serializers.BooleanField(required=False)
    public = serializers.BooleanField(required=False)
    hash = TextField(required=False, max_length=64)
    is_protected = serializers.BooleanField(read_only=True)


class DataRepository(serializers.Serializer[Any]):
    """A place where copies lie."""

    name = serializers.CharField(max_length=255)
    timezone = serializers.CharField(max_length=64, required=False)
    globus_path = TextField(required=False, max_length=1000)
    hostname = TextField(required=False, max_length=200)
    data_url = TextField(required=False, allow_null=True, max_length=1000)
    repository_type = TextField(required=False, allow_null=True, max_length=64)
    globus_endpoint_id = serializers.UUIDField(required=False, allow_null=True)
    globus_is_personal = serializers.BooleanField(required=False, allow_null=True)
    json = JsonField(required=False)


class DataRepositoryType(serializers.Serializer[Any]):
    """A kind of repository."""

    url = serializers.URLField(read_only=True)
    json = JsonField(required=False)
    name = serializers.CharField(max_length=64)


class DatasetFileRecords(serializers.Serializer[Any]):
    """A copy, as a dataset's record shows it."""

    id = serializers.UUIDField(read_only=True)
    data_repository = serializers.CharField()
    data_repository_path = serializers.CharField(read_only=True)
    relative_path = serializers.CharField()
    data_url = serializers.CharField(read_only=True, allow_null=True)
    exists = serializers.BooleanField(required=False)


class Dataset(serializers.Serializer[Any]):
    """A logical file."""

    url = serializers.URLField(read_only=True)
    name = serializers.CharField(max_length=255)
    created_by = serializers.CharField(max_length=150, required=False, allow_null=True)
    created_datetime = MomentField(required=False, allow_null=True)
    dataset_type = serializers.CharField(max_length=255)
    data_format = TextField(required=False)
    collection = TextField(required=False, max_length=1000)
    session = KeyField(required=False, allow_null=True)
    file_size = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**63 - 1)
    hash = TextField(required=False, allow_null=True, max_length=64)
    version = TextField(required=False, allow_null=True)
    experiment_number = serializers.IntegerField(read_only=True, allow_null=True)
    file_records = DatasetFileRecords(many=True, read_only=True)
    subject = serializers.CharField(write_only=True, required=False, max_length=255)
    date = serializers.DateField(write_only=True, required=False)
    number = serializers.IntegerField(write_only=True, required=False, min_value=0, max_value=999)
    auto_datetime = MomentField(read_only=True)
    revision = TextField(required=False)
    default_dataset = serializers.BooleanField(required=False, allow_null=True)
    protected = serializers.BooleanField(read_only=True)
    public = serializers.BooleanField(read_only=True)
    tags = NamesField(required=False)
    qc = QCField(required=False)
    json = JsonField(required=False)


class FileRecord(serializers.Serializer[Any]):
    """A copy."""

    url = serializers.URLField(read_only=True)
    dataset = KeyField()
    data_repository = serializers.CharField(max_length=255)
    name = TextField(required=False)
    json = JsonField(required=False)
    relative_path = TextField(required=False, max_length=1000)
    exists = serializers.BooleanField(required=False)
