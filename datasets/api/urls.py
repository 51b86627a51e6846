"""Routes of the registry."""

from django.urls import URLPattern, path

from datasets.api.datasets import DatasetCopies, DatasetDetail, DatasetList
from datasets.api.files import FileDetail, FileList
from datasets.api.registration import CheckProtected, RegisterFile
from datasets.api.repositories import RepositoryDetail, RepositoryList
from datasets.api.serving import serve_data
from datasets.api.vocabulary import (
    DataFormatDetail,
    DataFormatList,
    DatasetTypeDetail,
    DatasetTypeList,
    RevisionDetail,
    RevisionList,
    TagDetail,
    TagList,
)

urlpatterns: list[URLPattern] = [
    path("register-file", RegisterFile.as_view()),
    path("check-protected", CheckProtected.as_view()),
    path("datasets", DatasetList.as_view()),
    path("datasets/<str:id>", DatasetDetail.as_view()),
    path("datasets/<str:id>/copies", DatasetCopies.as_view()),
    path("files", FileList.as_view()),
    path("files/<str:id>", FileDetail.as_view()),
    path("dataset-types", DatasetTypeList.as_view()),
    path("dataset-types/<str:name>", DatasetTypeDetail.as_view()),
    path("data-formats", DataFormatList.as_view()),
    path("data-formats/<str:name>", DataFormatDetail.as_view()),
    path("revisions", RevisionList.as_view()),
    path("revisions/<str:name>", RevisionDetail.as_view()),
    path("tags", TagList.as_view()),
    path("tags/<str:name>", TagDetail.as_view()),
    path("data-repository", RepositoryList.as_view()),
    path("data-repository/<str:name>", RepositoryDetail.as_view()),
    path("data/<path:path>", serve_data),
]
