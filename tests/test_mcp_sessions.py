"""Which sessions there are: whose, in what order they go, and that those in use stay; pure."""

from __future__ import annotations

from jupyter_assistant.server.mcp.sessions import Sessions


def made(*names: str, limit: int = 3) -> Sessions:
    sessions = Sessions(limit)
    for name in names:
        sessions.add(name, "ann")
    return sessions


def test_a_session_is_known_to_its_owner_only() -> None:
    sessions = made("a")
    assert sessions.knows("a", "ann")
    assert not sessions.knows("a", "eve")
    assert not sessions.knows("b", "ann")
    sessions.remove("a")
    sessions.remove("a")
    assert not sessions.knows("a", "ann")


def test_the_one_unused_for_longest_goes_first_and_one_in_use_never() -> None:
    sessions = made("a", "b", "c")
    with sessions.using("a", "1"):
        assert sessions.oldest() == "b"
        with sessions.using("b", None), sessions.using("c", None):
            assert sessions.oldest() is None
    assert sessions.oldest() == "c"
    with sessions.using("c", None):
        pass
    assert sessions.oldest() == "b"


def test_those_being_opened_count() -> None:
    sessions = made("a", "b")
    seen = [sessions.full]
    with sessions.opening():
        seen.append(sessions.full)
    seen.append(sessions.full)
    sessions.add("c", "ann")
    seen.append(sessions.full)
    assert seen == [False, True, False, True]
    assert len(sessions) == 3


def test_a_number_is_in_use_while_its_request_is() -> None:
    sessions = made("a")
    with sessions.using("a", "1"), sessions.using("a", None):
        assert sessions.is_answering("a", "1")
        assert not sessions.is_answering("a", "2")
        assert not sessions.is_answering("a", None)
        assert not sessions.is_answering("b", "1")
    assert not sessions.is_answering("a", "1")


def test_a_session_that_ends_while_in_use_is_gone_for_good() -> None:
    sessions = made("a")
    with sessions.using("a", "1"):
        sessions.remove("a")
    assert not sessions.knows("a", "ann")
    assert sessions.oldest() is None
