"""Who reads what of the registry: data as the session or object it belongs to; public accounts what is tagged public."""

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from alyx.core.models import Note
from alyx.core.reading import Reach, Rule, declare, either, everybody, own, through, within
from alyx.labs.models import Lab, Project
from datasets.models import (
    ContentVersion,
    DataFormat,
    DataNotice,
    Dataset,
    DatasetType,
    Download,
    FileRecord,
    Repository,
    RepositoryType,
    Revision,
    Tag,
)
from datasets.services.note import KINDS
from sessions.models import ProbeInsertion, Session
from subjects.models import Subject


def _of_object(reach: Reach, at: str) -> Q:
    """What belongs to no session: as the animal, to the lab's members, to the project's people; a tag's to every user."""

    def of(kind: type, keys: object) -> Q:
        return Q(**{f"{at}content_type": ContentType.objects.get_for_model(kind), f"{at}object_id__in": keys})

    tags = Q(**{f"{at}content_type": ContentType.objects.get_for_model(Tag)})
    found = tags | of(Subject, within(Subject, reach)) | of(Lab, reach.labs) | of(Project, reach.projects)
    return Q(**{f"{at}session__isnull": True}) & (found | own("created_by")(reach, at))


def _notices(reach: Reach, at: str) -> Q:
    """About a dataset within reach, about none, or one's own."""
    links = DataNotice.datasets.through._base_manager
    mine = links.filter(dataset__in=within(Dataset, reach)).values("datanotice")
    about_none = ~Q(**{f"{at}pk__in": links.values("datanotice")})
    return Q(**{f"{at}pk__in": mine}) | about_none | own("created_by")(reach, at)


def _notes(reach: Reach, at: str) -> Q:
    """As what they are about; and one's own."""
    found = own()(reach, at)
    for kind in set(KINDS.values()):
        about = {
            f"{at}content_type": ContentType.objects.get_for_model(kind),
            f"{at}object_id__in": within(kind, reach),
        }
        found |= Q(**about)
    return found


def _public(reach: Reach, at: str) -> Q:
    """Tagged public."""
    return Q(**{f"{at}pk__in": Dataset.tags.through._base_manager.filter(tag__public=True).values("dataset")})


def _with_public_data(reach: Reach, at: str) -> Q:
    shown = Dataset.objects.shown().filter(_public(reach, ""), session__isnull=False)
    return Q(**{f"{at}pk__in": shown.values("session")})


_VOCABULARY: dict[type, Rule] = dict.fromkeys(
    [DatasetType, DataFormat, Revision, RepositoryType, Repository], everybody
)
_OF_DATASET: dict[type, Rule] = dict.fromkeys([FileRecord, ContentVersion], through("dataset", Dataset))

declare(
    {
        **_VOCABULARY,
        **_OF_DATASET,
        Tag: everybody,
        Dataset: either(through("session", Session), _of_object),
        Download: either(own(), through("dataset", Dataset)),
        DataNotice: _notices,
        Note: _notes,
    },
    public={
        **_VOCABULARY,
        **_OF_DATASET,
        Tag: lambda reach, at: Q(**{f"{at}public": True}),
        Dataset: _public,
        Session: _with_public_data,
        ProbeInsertion: through("session", Session),
    },
)
