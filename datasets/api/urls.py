"""Routes of the registry."""

from django.urls import URLPattern, path

from datasets.api.registration import CheckProtected, RegisterFile

urlpatterns: list[URLPattern] = [
    path("register-file", RegisterFile.as_view()),
    path("check-protected", CheckProtected.as_view()),
]
