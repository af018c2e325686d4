"""The labelling and review application: a JSON API over a store and its slides, and the page that uses it.

`open_study` opens a study or makes one, `create_app` makes its application, `serve` runs it. One process
holds the store, and all writes go through it one after the other. Nothing in here decides what a label means
or who may see it: the store and the curation do.
"""

from mitoscope.web.app import create_app
from mitoscope.web.gate import Gate
from mitoscope.web.serving import OpenedStudy, open_study, serve
from mitoscope.web.slides import SlideCatalogue

__all__ = ["Gate", "OpenedStudy", "SlideCatalogue", "create_app", "open_study", "serve"]
