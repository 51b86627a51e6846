"""Routes of the registry."""

from django.urls import URLPattern, path

from datasets.api.cache import CacheInfo, CacheInfoOfTag, CacheZip, CacheZipOfTag
from datasets.api.datasets import DatasetCopies, DatasetDetail, DatasetList
from datasets.api.files import FileDetail, FileList
from datasets.api.note import NoteDetailView, NoteListView
from datasets.api.registration import CheckProtected, RegisterFile
from datasets.api.repositories import RepositoryDetail, RepositoryList
from datasets.api.serving import serve_data
from datasets.api.task import TaskDetailView, TaskListView
from datasets.api.use import DataNoticeDetail, DataNoticeList, DownloadDetail, DownloadList, NewDownload
from datasets.api.vocabulary import (
    DataFormatDetail,
    DataFormatList,
    DatasetTypeDetail,
    DatasetTypeList,
    RepositoryTypeDetail,
    RepositoryTypeList,
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
    path("data-repository-type", RepositoryTypeList.as_view()),
    path("data-repository-type/<str:name>", RepositoryTypeDetail.as_view()),
    path("downloads", DownloadList.as_view()),
    path("downloads/<str:id>", DownloadDetail.as_view()),
    path("new-download", NewDownload.as_view()),
    path("data-notices", DataNoticeList.as_view()),
    path("data-notices/<str:id>", DataNoticeDetail.as_view()),
    path("notes", NoteListView.as_view()),
    path("notes/<str:id>", NoteDetailView.as_view()),
    path("tasks", TaskListView.as_view()),
    path("tasks/<str:id>", TaskDetailView.as_view()),
    path("data/<path:path>", serve_data),
    path("cache.zip", CacheZip.as_view()),
    path("cache/info", CacheInfoOfTag.as_view()),
    path("cache/info/", CacheInfo.as_view()),
    path("cache/info/<path:tag>", CacheInfoOfTag.as_view()),
    path("cache/<path:tag>.zip", CacheZipOfTag.as_view()),
]
