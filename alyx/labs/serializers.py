"""Bodies and records of people, labs, locations and projects, by their wire names."""

from typing import Any

from rest_framework import serializers

from alyx.core.rest.fields import JsonField, NamesField, NumberField, TextField
from alyx.labs.models import validate_time_zone


class AuthToken(serializers.Serializer[Any]):
    """A login."""

    username = serializers.CharField(write_only=True, max_length=255)
    password = serializers.CharField(write_only=True, trim_whitespace=False, max_length=4096)
    token = serializers.CharField(read_only=True)


class Me(serializers.Serializer[Any]):
    """Who the token belongs to."""

    username = serializers.CharField(read_only=True)


class Lab(serializers.Serializer[Any]):
    """A lab."""

    name = serializers.CharField(max_length=255)
    institution = TextField(required=False)
    address = TextField(required=False)
    timezone = serializers.CharField(max_length=64, required=False, validators=[validate_time_zone])
    repositories = NamesField(required=False)
    reference_weight_pct = NumberField(required=False)
    zscore_weight_pct = NumberField(required=False)
    json = JsonField(required=False)


class LabLocation(serializers.Serializer[Any]):
    """A rig, a table, a room."""

    name = serializers.CharField(max_length=255)
    lab = serializers.CharField(max_length=255, required=False, allow_null=True)
    json = JsonField(required=False)


class Project(serializers.Serializer[Any]):
    """A project."""

    name = serializers.CharField(max_length=255)
    description = TextField(required=False, max_length=None)
    users = NamesField(required=False)


class User(serializers.Serializer[Any]):
    """A person or a service account."""

    id = serializers.UUIDField(read_only=True)
    username = serializers.RegexField(r"^[\w.@+-]+$", max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True)
    subjects_responsible = NamesField(read_only=True)
    lab = NamesField(read_only=True)
    allowed_users = NamesField(required=False)
    is_stock_manager = serializers.BooleanField(required=False)
