"""Routes of the bench screens of the animal side."""

from django.urls import path

from subjects.bench import surgery, weigh

urlpatterns = [
    path("weigh/", weigh.weigh, name="weigh"),
    path("bench/data/round", weigh.round_data),
    path("surgery/", surgery.surgery, name="surgery_mode"),
    path("surgery/<uuid:key>", surgery.surgery, name="surgery_of"),
    path("bench/data/surgery", surgery.room_data),
    path("bench/data/surgery/animals", surgery.animal_data),
    path("bench/data/surgery/<uuid:key>", surgery.state_data),
]
