"""The registry's tables."""

from datasets.models.dataset import ContentVersion, Dataset, HashState
from datasets.models.file_record import FileRecord
from datasets.models.repository import SERVER_ROLES, Repository, RepositoryKind, RepositoryRole, RepositoryState
from datasets.models.vocabulary import DataFormat, DatasetType, Revision, Tag

__all__ = [
    "SERVER_ROLES",
    "ContentVersion",
    "DataFormat",
    "Dataset",
    "DatasetType",
    "FileRecord",
    "HashState",
    "Repository",
    "RepositoryKind",
    "RepositoryRole",
    "RepositoryState",
    "Revision",
    "Tag",
]
