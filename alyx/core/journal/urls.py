"""Routes of the journal. (`/bench/login` is with the accounts, in `alyx.labs`.)"""

from django.urls import path

from alyx.core.journal import views
from alyx.core.journal.worker import service_worker

urlpatterns = [
    path("bench/entries", views.entries),
    path("bench/pictures/<str:digest>", views.picture),
    path("bench/pulse", views.pulse),
    path("bench/data/kept", views.kept_entries),
    path("bench/kept/", views.kept_page, name="bench_kept"),
    path("bench/sw.js", service_worker),
]
