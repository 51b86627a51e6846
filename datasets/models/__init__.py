"""The registry's tables."""

from datasets.models.dataset import ContentVersion, Dataset, HashState
from datasets.models.file_record import FileRecord
from datasets.models.repository import SERVER_ROLES, Repository, RepositoryKind, RepositoryRole, RepositoryState
from datasets.models.use import DataNotice, Download, Importance
from datasets.models.vocabulary import DataFormat, DatasetType, RepositoryType, Revision, Tag

__all__ = [
    "SERVER_ROLES",
    "ContentVersion",
    "DataFormat",
    "DataNotice",
    "Dataset",
    "DatasetType",
    "Download",
    "FileRecord",
    "HashState",
    "Importance",
    "Repository",
    "RepositoryKind",
    "RepositoryRole",
    "RepositoryState",
    "RepositoryType",
    "Revision",
    "Tag",
]
