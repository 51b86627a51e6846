"""Routes of the animal side."""

from django.urls import path

from subjects.api.procedure import ProcedureList
from subjects.api.subject import SubjectDetailView, SubjectListView

urlpatterns = [
    path("subjects", SubjectListView.as_view()),
    path("subjects/<str:nickname>", SubjectDetailView.as_view()),
    path("procedures", ProcedureList.as_view()),
]
