"""Routes of the engine."""

from django.urls import path

from transfers.api import found, morning, records
from transfers.api.metrics import Metrics
from transfers.api.sync import SyncFileStatus
from transfers.api.why import Why

urlpatterns = [
    path("sync-file-status", SyncFileStatus.as_view()),
    path("why", Why.as_view()),
    path("metrics", Metrics.as_view()),
    path("transfers/attempts", records.AttemptList.as_view()),
    path("transfers/escalate", morning.Escalate.as_view()),
    path("transfers/events", records.EventList.as_view()),
    path("transfers/found", found.FoundList.as_view()),
    path("transfers/health", morning.Health.as_view()),
    path("transfers/ignore", morning.Ignore.as_view()),
    path("transfers/items", records.ItemList.as_view()),
    path("transfers/items/<str:id>", records.ItemDetail.as_view()),
    path("transfers/jobs", records.JobList.as_view()),
    path("transfers/jobs/<str:id>", records.JobDetail.as_view()),
    path("transfers/needs", morning.NeedList.as_view()),
    path("transfers/nights", morning.NightList.as_view()),
    path("transfers/retry", morning.Retry.as_view()),
    path("transfers/scans", found.ScanList.as_view()),
    path("transfers/verify", morning.Verify.as_view()),
    path("transfers/windows", records.WindowList.as_view()),
    path("transfers/windows/<str:id>", records.WindowDetail.as_view()),
]
