"""Pages of the registry."""

from datasets.admin import dataset, file_record, repository, vocabulary

__all__ = ["dataset", "file_record", "repository", "vocabulary"]
