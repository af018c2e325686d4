from __future__ import annotations

import inspect
import pickle

import pytest

from mitoscope import errors
from mitoscope.errors import InputError, MitoscopeError, RunError, SlideFormatError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, MitoscopeError) and kind.__module__ == errors.__name__
]


def test_an_error_is_one_line_of_what_where_and_the_mend() -> None:
    error = SlideFormatError("cut\n short", where="a.svs", mend="copy it again")
    assert str(error) == "a.svs: cut short; copy it again"


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_a_process_border(kind: type[MitoscopeError]) -> None:
    error = kind("what", where="where", mend="mend")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.what, again.where, again.mend, str(again)) == ("what", "where", "mend", "where: what; mend")


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_stands_in_the_drawn_tree(kind: type[MitoscopeError]) -> None:
    assert errors.__doc__ is not None
    assert f" {kind.__name__}" in f" {errors.__doc__}"


def test_exit_status_tells_bad_input_from_a_failed_run() -> None:
    assert InputError("x").exit_status == 2
    assert SlideFormatError("x").exit_status == 2
    assert RunError("x").exit_status == 1
