"""Public data sets: what they are, under what licence, where to get them, and whether a folder holds them.

A record in ``records/`` states what is published of a data set; what is not, is absent there. Files are found
by their names wherever they lie, so that copies of another layout can be used as they are.
"""

from __future__ import annotations

from mitoscope.experiments.datasets.check import DatasetSurvey, Fault, check_dataset
from mitoscope.experiments.datasets.fetch import Order, Rejected
from mitoscope.experiments.datasets.get import Delivered, Gauge, check_accepted, get_dataset
from mitoscope.experiments.datasets.orders import orders, published
from mitoscope.experiments.datasets.record import Access, Dataset, FileKind, datasets, find_dataset
from mitoscope.remote import Patience

__all__ = [
    "Access",
    "Dataset",
    "DatasetSurvey",
    "Delivered",
    "Fault",
    "FileKind",
    "Gauge",
    "Order",
    "Patience",
    "Rejected",
    "check_accepted",
    "check_dataset",
    "datasets",
    "find_dataset",
    "get_dataset",
    "orders",
    "published",
]
