"""Cache tables of public data, in a public bucket: whoever reads what is tagged public needs no server of ours for them."""

from django.conf import settings

from datasets.exports.cache_tables import published, say_published, scopes
from datasets.models import Repository, RepositoryKind, RepositoryState

FOLDER = "cache_tables"


def publish_cache_tables() -> list[str]:
    """Put the tables of public data that changed into the bucket of `ALYX_CACHE_REPOSITORY`; their addresses.

    A table is named to clients when it was read back there. Raises BackendFailure, LookupError for a repository that cannot be used so.
    """
    if not settings.ALYX_CACHE_REPOSITORY:
        return []
    repository = _repository()
    from transfers.backends.s3 import Place  # noqa: PLC0415  (boto3 costs a third of a second of CPU)
    from transfers.backends.s3.publishing import publish  # noqa: PLC0415

    place = Place.of(
        repository.root, endpoint=repository.endpoint, region=repository.region, credential=repository.credential
    )
    done = []
    for scope in scopes():
        if scope.is_public and scope.file.exists() and published(scope) is None:
            path = f"{FOLDER}/{scope.file.name}"
            address = f"{str(repository.data_url).rstrip('/')}/{path}"
            with say_published(scope, address):
                publish(place, path, scope.file)
            done.append(address)
    return done


def _repository() -> Repository:
    name = settings.ALYX_CACHE_REPOSITORY
    found: Repository | None = Repository.objects.filter(name=name, kind=RepositoryKind.S3).first()
    if found is None or not found.data_url:
        message = f"ALYX_CACHE_REPOSITORY: {name} is no repository of kind S3 with a public address (data_url)"
        raise LookupError(message)
    if found.state != RepositoryState.ACTIVE:
        message = f"{name} is {found.state}"
        raise LookupError(message)
    return found
