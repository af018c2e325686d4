from __future__ import annotations

import pytest

from mitoscope.errors import StoreError
from mitoscope.store import Rater, Store
from mitoscope.store.access import (
    VISIT_S,
    Role,
    begin_visit,
    end_visit,
    find_visitor,
    grant,
    renew_token,
    set_open,
    visitor_of,
)


@pytest.fixture
def guest(store: Store) -> int:
    rater = store.add_rater(Rater("guest"))
    with store.writing() as connection:
        grant(connection, rater, Role.RATER)
    return rater


def test_a_token_opens_and_a_cookie_is_known_until_the_visit_ends(store: Store, guest: int) -> None:
    with store.writing() as connection:
        token = renew_token(connection, guest)
        cookie = begin_visit(connection, token)
        assert cookie is not None
        visitor = find_visitor(connection, cookie)
        assert visitor is not None
        assert (visitor.rater_id, visitor.role, visitor.is_open) == (guest, Role.RATER, True)
        assert begin_visit(connection, f"{token}x") is None
        assert find_visitor(connection, token) is None
        end_visit(connection, cookie)
        assert find_visitor(connection, cookie) is None


def test_a_new_token_ends_the_old_one_and_a_closed_door_the_visits(store: Store, guest: int) -> None:
    with store.writing() as connection:
        old = renew_token(connection, guest)
        cookie = begin_visit(connection, old)
        new = renew_token(connection, guest)
        assert begin_visit(connection, old) is None
        assert find_visitor(connection, cookie or "") is not None
        set_open(connection, guest, is_open=False)
        assert find_visitor(connection, cookie or "") is None
        assert begin_visit(connection, new) is None
        set_open(connection, guest, is_open=True)
        assert begin_visit(connection, new) is not None


def test_a_visit_ends_after_thirty_days(store: Store, guest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1e9
    monkeypatch.setattr("mitoscope.store.access.time.time", lambda: now)
    with store.writing() as connection:
        cookie = begin_visit(connection, renew_token(connection, guest)) or ""
        now += VISIT_S - 1
        assert find_visitor(connection, cookie) is not None
        now += 2
        assert find_visitor(connection, cookie) is None


def test_neither_token_nor_cookie_stands_in_the_file(store: Store, guest: int) -> None:
    with store.writing() as connection:
        token = renew_token(connection, guest)
        cookie = begin_visit(connection, token) or ""
    content = store.path.read_bytes()
    assert token.encode() not in content
    assert cookie.encode() not in content


def test_a_rater_who_was_never_let_in_gets_no_token(store: Store) -> None:
    with store.writing() as connection:
        assert visitor_of(connection, 1) is None
        with pytest.raises(StoreError, match="no such rater with access"):
            renew_token(connection, 1)


@pytest.mark.parametrize("text", ["", "\ud800", "x" * 10_000, "' OR 1=1 --"])
def test_odd_secrets_open_nothing(store: Store, guest: int, text: str) -> None:
    with store.writing() as connection:
        assert begin_visit(connection, text) is None
        assert find_visitor(connection, text) is None
