"""Routes of the animal side."""

from django.urls import path

from subjects.api.procedure import ProcedureList
from subjects.api.subject import SubjectDetailView, SubjectListView
from subjects.api.surgery import SurgeryDetailView, SurgeryListView
from subjects.api.water import WaterDetailView, WaterListView, WaterTypeDetailView, WaterTypeListView
from subjects.api.water_restriction import WaterRequirementView, WaterRestrictedView, WaterRestrictionListView
from subjects.api.weighing import WeighingDetailView, WeighingListView

urlpatterns = [
    path("subjects", SubjectListView.as_view()),
    path("subjects/<str:nickname>", SubjectDetailView.as_view()),
    path("procedures", ProcedureList.as_view()),
    path("surgeries", SurgeryListView.as_view()),
    path("surgeries/<str:id>", SurgeryDetailView.as_view()),
    path("weighings", WeighingListView.as_view()),
    path("weighings/<str:id>", WeighingDetailView.as_view()),
    path("water-administrations", WaterListView.as_view()),
    path("water-administrations/<str:id>", WaterDetailView.as_view()),
    path("water-requirement/<str:nickname>", WaterRequirementView.as_view()),
    path("water-restriction", WaterRestrictionListView.as_view()),
    path("water-restricted-subjects", WaterRestrictedView.as_view()),
    path("water-type", WaterTypeListView.as_view()),
    path("water-type/<str:name>", WaterTypeDetailView.as_view()),
]
