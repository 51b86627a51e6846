"""People, labs, memberships, locations, projects."""

from django.apps import AppConfig


class LabsConfig(AppConfig):
    """Everything above refers to these."""

    name = "alyx.labs"
    label = "labs"
    verbose_name = "People and labs"
