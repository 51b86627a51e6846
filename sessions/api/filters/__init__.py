"""The query parameters of sessions and of what hangs on them, by noun."""

from sessions.api.filters.imaging import FOV_FILTERS, LOCATION_FILTERS, STACK_FILTERS
from sessions.api.filters.insertion import CHANNEL_FILTERS, CHRONIC_FILTERS, INSERTION_FILTERS, TRAJECTORY_FILTERS
from sessions.api.filters.of_datasets import joint_dataset_filters
from sessions.api.filters.regions import REGION_FILTERS
from sessions.api.filters.session import FILTERS

__all__ = [
    "CHANNEL_FILTERS",
    "CHRONIC_FILTERS",
    "FILTERS",
    "FOV_FILTERS",
    "INSERTION_FILTERS",
    "LOCATION_FILTERS",
    "REGION_FILTERS",
    "STACK_FILTERS",
    "TRAJECTORY_FILTERS",
    "joint_dataset_filters",
]
