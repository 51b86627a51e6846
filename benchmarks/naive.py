"""The plain ways that the figures are compared with, as endpoints beside ours (`/naive/…`, same middleware and login).

Reads are Django REST framework's generic views with model serializers over joined and prefetched rows. Writes are the ORM, row by row:
a serializer per record, each name looked up, each file and copy saved by itself, in one transaction.
"""

from fnmatch import fnmatch
from typing import Any

from django.db import transaction
from django.db.models import Prefetch
from django.urls import include, path
from rest_framework import generics, serializers
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alyx.labs.models import Lab, Location, Project, User
from datasets.models import ContentVersion, DataFormat, Dataset, DatasetType, FileRecord, Repository
from sessions.models import ProbeInsertion, Session
from subjects.models import ProcedureType, Subject, WaterAdministration, WaterRestriction, Weighing

Model = serializers.ModelSerializer[Any]


def _name(rows: Any, field: str = "name", **more: Any) -> Any:
    return serializers.SlugRelatedField(slug_field=field, queryset=rows, required=False, **more)


class Wall(serializers.DateTimeField):
    """A wall clock."""

    def enforce_timezone(self, value: Any) -> Any:
        """It has none."""
        return value


class Pages(LimitOffsetPagination):
    """As ours."""

    default_limit = 250
    max_limit = 1000


class CopyRecord(Model):
    """A copy inside a dataset."""

    data_repository = serializers.CharField(source="repository.name")
    data_repository_path = serializers.CharField(source="repository.globus_path")
    data_url = serializers.SerializerMethodField()

    class Meta:
        model = FileRecord
        fields = ["id", "data_repository", "data_repository_path", "relative_path", "data_url", "exists"]

    def get_data_url(self, copy: Any) -> str | None:
        """Where it is read."""
        return f"{copy.repository.data_url}{copy.stored_path}" if copy.repository.data_url else None


class DatasetRecord(Model):
    """A dataset with its copies; also takes one in."""

    created_by = _name(User.objects.all(), "username")
    dataset_type = _name(DatasetType.objects.all())
    data_format = _name(DataFormat.objects.all())
    revision = serializers.CharField(source="revision.name", default="", read_only=True)
    tags: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    experiment_number = serializers.IntegerField(source="session.number", read_only=True)
    protected = serializers.SerializerMethodField()
    json = serializers.JSONField(read_only=True)
    file_records = CopyRecord(many=True, read_only=True)

    class Meta:
        model = Dataset
        fields = [
            "id", "name", "created_by", "created_at", "dataset_type", "data_format", "collection", "session", "size_bytes", "md5",
            "software_version", "experiment_number", "file_records", "updated_at", "revision", "is_default", "tags", "protected",
            "qc", "json",
        ]  # fmt: skip

    def get_protected(self, row: Any) -> bool:
        """By its tags."""
        return any(tag.protected for tag in row.tags.all())


_COPIES = Prefetch("file_records", FileRecord.objects.select_related("repository"))


class Datasets(generics.ListAPIView[Any]):
    """`/naive/datasets`."""

    renderer_classes = [JSONRenderer]
    pagination_class = Pages
    serializer_class = DatasetRecord
    filterset_fields = ["session", "tags__name", "dataset_type__name"]
    queryset = (
        Dataset.objects.shown()
        .select_related("session", "created_by", "dataset_type", "data_format", "revision")
        .prefetch_related("tags", _COPIES)
        .order_by("-created_at", "id")
    )


class SessionRecord(Model):
    """A session in a list."""

    subject = serializers.CharField(source="subject.nickname")
    lab = serializers.CharField(source="lab.name")
    projects: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)

    class Meta:
        model = Session
        fields = ["id", "subject", "started_wall", "number", "lab", "projects", "task_protocol"]


class WaterRecord(Model):
    """A reward."""

    class Meta:
        model = WaterAdministration
        fields = ["id", "volume_ml"]


class InsertionRecord(Model):
    """A probe."""

    class Meta:
        model = ProbeInsertion
        fields = ["id", "name", "serial", "json", "session"]


class NestedDataset(Model):
    """A dataset inside a session."""

    dataset_type = serializers.CharField(source="dataset_type.name")
    data_url = serializers.SerializerMethodField()

    class Meta:
        model = Dataset
        fields = [
            "id", "name", "dataset_type", "data_url", "size_bytes", "md5", "software_version", "collection", "revision", "is_default", "qc",
        ]  # fmt: skip

    def get_data_url(self, row: Any) -> str | None:
        """Of the copy at a server."""
        for copy in row.file_records.all():
            if copy.exists and copy.repository.role != "lab":
                return f"{copy.repository.data_url}{copy.stored_path}"
        return None


class SessionDetail(Model):
    """A session with what hangs on it; also takes one in."""

    subject = _name(Subject.objects.all(), "nickname")
    lab = _name(Lab.objects.all())
    location = _name(Location.objects.all())
    users = _name(User.objects.all(), "username", many=True)
    projects = _name(Project.objects.all(), many=True)
    procedures = _name(ProcedureType.objects.all(), many=True)
    datasets = NestedDataset(many=True, read_only=True)
    insertions = InsertionRecord(many=True, read_only=True)
    water_administrations = serializers.SerializerMethodField()
    started_wall = Wall()
    ended_wall = Wall(required=False)
    extended_qc = serializers.JSONField(required=False)
    json = serializers.JSONField(required=False)

    class Meta:
        model = Session
        fields = [
            "id", "subject", "users", "location", "procedures", "lab", "projects", "type", "task_protocol", "number", "path_date", "zone",
            "started_wall", "started_at", "ended_wall", "narrative", "parent", "n_correct_trials", "n_trials", "extended_qc", "qc", "json",
            "datasets", "insertions", "water_administrations",
        ]  # fmt: skip
        validators: list[Any] = []
        extra_kwargs = {
            "zone": {"required": False},
            "started_at": {"required": False},
            "path_date": {"required": False},
        }

    def get_water_administrations(self, row: Any) -> Any:
        """Rewards."""
        return WaterRecord(WaterAdministration.objects.filter(session_id=row.pk), many=True).data


class Sessions(generics.ListCreateAPIView[Any]):
    """`/naive/sessions`."""

    renderer_classes = [JSONRenderer]
    pagination_class = Pages
    queryset = (
        Session.objects.shown()
        .select_related("subject", "lab")
        .prefetch_related("projects")
        .order_by("-started_wall", "id")
    )
    filterset_fields = ["lab__name", "subject__nickname", "projects__name", "datasets__dataset_type__name"]

    def get_serializer_class(self) -> Any:
        """Bodies are detail records."""
        return SessionDetail if self.request.method == "POST" else SessionRecord

    def filter_queryset(self, queryset: Any) -> Any:
        """Joins to many double rows."""
        rows = super().filter_queryset(queryset)
        return (
            rows.distinct()
            if {"projects__name", "datasets__dataset_type__name"} & set(self.request.query_params)
            else rows
        )

    @transaction.atomic
    def perform_create(self, serializer: Any) -> None:
        """In one transaction, as ours."""
        serializer.save(registered_by=self.request.user)


class OneSession(generics.RetrieveUpdateAPIView[Any]):
    """`/naive/sessions/{id}`."""

    renderer_classes = [JSONRenderer]
    serializer_class = SessionDetail
    queryset = (
        Session.objects.shown()
        .select_related("subject", "lab", "location")
        .prefetch_related(
            "users",
            "projects",
            "procedures",
            "insertions",
            Prefetch(
                "datasets", Dataset.objects.shown().select_related("dataset_type", "revision").prefetch_related(_COPIES)
            ),
        )
    )

    @transaction.atomic
    def perform_update(self, serializer: Any) -> None:
        """In one transaction, as ours."""
        serializer.save()


class SubjectRecord(Model):
    """An animal with its water numbers, reckoned from its own rows."""

    lab = serializers.CharField(source="lab.name")
    responsible_user = serializers.CharField(source="responsible_user.username", default=None)
    line = serializers.CharField(source="line.name", default=None)
    projects: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    session_projects = serializers.SerializerMethodField()
    genotype: Any = serializers.StringRelatedField(many=True, source="zygosities")
    reference_weight = serializers.SerializerMethodField()
    last_water_restriction = serializers.SerializerMethodField()
    expected_water = serializers.SerializerMethodField()
    remaining_water = serializers.SerializerMethodField()
    json = serializers.JSONField(read_only=True)

    class Meta:
        model = Subject
        fields = [
            "nickname", "id", "responsible_user", "born_on", "died_on", "species", "sex", "litter", "strain", "source", "line", "projects",
            "session_projects", "lab", "genotype", "description", "reference_weight", "last_water_restriction", "expected_water",
            "remaining_water", "json",
        ]  # fmt: skip

    def get_session_projects(self, row: Any) -> list[str]:
        """Of all its sessions."""
        return sorted({project.name for session in row.sessions.all() for project in session.projects.all()})

    def get_last_water_restriction(self, row: Any) -> Any:
        """When it began."""
        return next((one.started_wall for one in row.restrictions), None)

    def get_reference_weight(self, row: Any) -> float:
        """The last weight before the restriction."""
        start = self.get_last_water_restriction(row)
        return next((one.weight_g for one in row.weighed if start is None or one.at_wall <= start), 0.0)

    def get_expected_water(self, row: Any) -> float:
        """Millilitres a day."""
        return 0.04 * self.get_reference_weight(row) if row.restrictions else 0.0

    def get_remaining_water(self, row: Any) -> float:
        """Less what was given on the last day."""
        if not row.given:
            return self.get_expected_water(row)
        day = row.given[0].at_wall.date()
        return self.get_expected_water(row) - sum(one.volume_ml or 0 for one in row.given if one.at_wall.date() == day)


class Subjects(generics.ListAPIView[Any]):
    """`/naive/subjects`."""

    renderer_classes = [JSONRenderer]
    pagination_class = Pages
    serializer_class = SubjectRecord
    queryset = (
        Subject.objects.shown()
        .select_related("lab", "responsible_user", "species", "strain", "source", "line", "litter")
        .prefetch_related(
            "projects",
            "zygosities__allele",
            "sessions__projects",
            Prefetch("weighing_set", Weighing.objects.order_by("-at_wall"), to_attr="weighed"),
            Prefetch("wateradministration_set", WaterAdministration.objects.order_by("-at_wall"), to_attr="given"),
            Prefetch(
                "waterrestriction_set", WaterRestriction.objects.order_by("-started_wall"), to_attr="restrictions"
            ),
        )
        .order_by("nickname", "id")
    )


class Register(APIView):
    """`/naive/register-file`: file by file."""

    renderer_classes = [JSONRenderer]

    @transaction.atomic
    def post(self, request: Request) -> Response:
        """The datasets, made or found."""
        sent: Any = request.data
        nickname, day, number = sent["path"].split("/")
        session = Session.objects.get(subject__nickname=nickname, path_date=day, number=int(number))
        files = zip(sent["filenames"], sent["hashes"], sent["filesizes"], sent["versions"], strict=True)
        made = [self._register(session, *file) for file in files]
        return Response(DatasetRecord(made, many=True).data, status=201)

    def _register(self, session: Any, file: str, digest: str, size: int, version: str) -> Any:
        collection, _, name = file.rpartition("/")
        same = Dataset.objects.filter(session=session, collection=collection, name=name, withdrawn_at=None)
        if same.filter(tags__protected=True).exists():
            raise serializers.ValidationError("protected")
        kinds = DatasetType.objects.exclude(filename_pattern="")
        kind = next(one for one in kinds if fnmatch(name.lower(), one.filename_pattern))
        form = DataFormat.objects.get(file_extension=f".{name.rpartition('.')[2]}")
        dataset = same.filter(revision=None).first()
        taken = DatasetRecord(
            dataset,
            data={
                "session": session.pk,
                "collection": collection,
                "name": name,
                "dataset_type": kind.name,
                "data_format": form.name,
                "created_by": self.request.user.get_username(),
                "size_bytes": size,
                "md5": digest,
                "software_version": version,
            },
        )
        taken.is_valid(raise_exception=True)
        same.filter(is_default=True, revision__isnull=False).update(is_default=False)
        dataset = taken.save(hash_state="attested")
        ContentVersion.objects.get_or_create(
            dataset=dataset, content_version=dataset.content_version, defaults={"size_bytes": size, "md5": digest}
        )
        for place in Repository.objects.filter(labs=session.lab):
            where = f"{session.subject.nickname}/{session.path_date}/{session.number:03d}/{file}"
            FileRecord.objects.get_or_create(
                dataset=dataset,
                repository=place,
                defaults={
                    "relative_path": where,
                    "stored_path": f"{where}.{dataset.pk}" if place.uuid_in_names else where,
                    "path_key": f"{where}.{dataset.pk}" if place.uuid_in_names else where,
                    "content_version": dataset.content_version,
                    "state": "claimed" if place.role == "lab" else "expected",
                },
            )
        return dataset


urlpatterns = [
    path("naive/datasets", Datasets.as_view()),
    path("naive/sessions", Sessions.as_view()),
    path("naive/sessions/<uuid:pk>", OneSession.as_view()),
    path("naive/subjects", Subjects.as_view()),
    path("naive/register-file", Register.as_view()),
    path("", include("alyx.urls")),
]
