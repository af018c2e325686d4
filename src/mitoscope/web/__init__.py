"""The labelling and review application: a JSON API over a store and its slides, and the page that uses it.

`create_app` makes the application of a study, `serve` runs it. One process holds the store, and all writes go
through it one after the other. Nothing in here decides what a label means: the store and the curation do.
"""

from mitoscope.web.app import create_app
from mitoscope.web.gate import Gate
from mitoscope.web.serving import serve
from mitoscope.web.shelf import SlideShelf

__all__ = ["Gate", "SlideShelf", "create_app", "serve"]
