"""Routes of login, people, labs, locations and projects."""

from django.urls import path

from alyx.labs.api import (
    LabDetail,
    LabList,
    LocationDetail,
    LocationList,
    ProjectDetail,
    ProjectList,
    UserDetail,
    UserList,
)
from alyx.labs.login import Login, WhoAmI

urlpatterns = [
    path("auth-token", Login.as_view()),
    path("me", WhoAmI.as_view()),
    path("labs", LabList.as_view()),
    path("labs/<str:name>", LabDetail.as_view()),
    path("locations", LocationList.as_view()),
    path("locations/<str:name>", LocationDetail.as_view()),
    path("projects", ProjectList.as_view()),
    path("projects/<str:name>", ProjectDetail.as_view()),
    path("users", UserList.as_view()),
    path("users/<str:username>", UserDetail.as_view()),
]
