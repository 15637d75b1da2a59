"""What a session knows of a file (law 3)."""

from __future__ import annotations

import pytest

from pybridge.host.model import ABSENT, FileVersion
from pybridge.mirror.session_versions import SessionVersions

pytestmark = pytest.mark.unit

V1, V2 = FileVersion("sha256:01", 1), FileVersion("sha256:02", 1)


def test_a_file_never_read_has_not_changed_since() -> None:
    versions = SessionVersions()
    assert versions.known("s", "/f") is None and not versions.changed_since_read("s", "/f", V1)


def test_a_change_by_someone_else_is_seen_and_one_of_our_own_is_not() -> None:
    versions = SessionVersions()
    versions.record("s", "/f", V1)
    assert not versions.changed_since_read("s", "/f", V1)
    assert versions.changed_since_read("s", "/f", V2)
    assert versions.changed_since_read("s", "/f", ABSENT)
    versions.record("s", "/f", V2)  # written by us
    assert not versions.changed_since_read("s", "/f", V2)


def test_sessions_know_nothing_of_each_other() -> None:
    versions = SessionVersions()
    versions.record("one", "/f", V1)
    versions.record("two", "/f", V2)
    assert versions.changed_since_read("one", "/f", V2) and not versions.changed_since_read("two", "/f", V2)
    versions.forget_session("one")
    assert versions.known("one", "/f") is None and versions.known("two", "/f") == V2


def test_memory_is_bounded_and_what_is_in_use_stays() -> None:
    versions = SessionVersions(most=2)
    for path in ("/a", "/b", "/a", "/c"):
        versions.record("s", path, V1)
    assert [versions.known("s", path) for path in ("/a", "/b", "/c")] == [V1, None, V1]
    versions.record("t", "/a", V2)
    assert [versions.known("s", "/a"), versions.known("s", "/c"), versions.known("t", "/a")] == [None, V1, V2]


def test_a_name_that_leads_elsewhere_now_has_changed_and_one_of_two_names_has_not() -> None:
    versions = SessionVersions()
    versions.record("s", "/real", V1, named="/name")
    assert versions.changed_since_read("s", "/elsewhere", V2, named="/name")
    assert not versions.changed_since_read("s", "/elsewhere", V2, named="/another")
    versions.record("s", "/real", V2)  # written by its real name
    assert not versions.changed_since_read("s", "/real", V2, named="/name")
