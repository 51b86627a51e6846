"""Bodies and records of animals and procedures, by their wire names."""

from typing import Any

from rest_framework import serializers

from alyx.core.rest.fields import JsonField, NamesField, TextField
from subjects.models import Sex, ZygosityState


class SubjectList(serializers.Serializer[Any]):
    """An animal."""

    nickname = TextField(required=False)
    url = serializers.URLField(read_only=True)
    id = serializers.UUIDField(read_only=True)
    responsible_user = serializers.CharField(max_length=255, required=False, allow_null=True, allow_blank=True)
    birth_date = serializers.DateField(required=False, allow_null=True)
    age_weeks = serializers.IntegerField(read_only=True)
    death_date = serializers.DateField(required=False, allow_null=True)
    species = TextField(required=False, allow_null=True)
    sex = serializers.ChoiceField(choices=Sex.choices, required=False)
    litter = TextField(required=False, allow_null=True)
    strain = TextField(required=False, allow_null=True)
    source = TextField(required=False, allow_null=True)  # type: ignore[assignment]  # a name of ours and of Field
    line = TextField(required=False, allow_null=True)
    projects = NamesField(required=False)
    session_projects = NamesField(read_only=True)
    lab = serializers.CharField(max_length=255)
    genotype = NamesField(read_only=True)
    description = TextField(required=False, max_length=None)
    alive = serializers.BooleanField(read_only=True)
    reference_weight = serializers.FloatField(read_only=True)
    last_water_restriction = serializers.DateTimeField(read_only=True, allow_null=True)
    expected_water = serializers.FloatField(read_only=True)
    remaining_water = serializers.FloatField(read_only=True)
    json = JsonField(required=False)


class Zygosity(serializers.Serializer[Any]):
    """What an animal carries of an allele."""

    allele = serializers.CharField(max_length=255)
    zygosity = serializers.ChoiceField(choices=ZygosityState.choices)


class SubjectDetail(SubjectList):
    """An animal with what was weighed and given."""

    genotype = Zygosity(many=True, read_only=True)  # type: ignore[assignment]
    weighings = serializers.ListField(child=serializers.DictField(), read_only=True)
    water_administrations = serializers.ListField(child=serializers.DictField(), read_only=True)


class ProcedureType(serializers.Serializer[Any]):
    """A kind of procedure."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=255)
    json = JsonField(required=False)
    description = TextField(required=False, max_length=None)
