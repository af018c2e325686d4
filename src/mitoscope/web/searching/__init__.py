"""Searching slides from the page: a queue in the server, the search in a process of its own."""

from mitoscope.web.searching.queue import SEARCH_FOLDER, Search, SearchModel, SearchQueue, SearchState

__all__ = ["SEARCH_FOLDER", "Search", "SearchModel", "SearchQueue", "SearchState"]
