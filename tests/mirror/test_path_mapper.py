"""The path mapper: injective on every local file system, exact on the way back, never outside its folder (D9, D13)."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pybridge.mirror import path_mapper
from pybridge.mirror.path_mapper import NAME_LIMIT, PathMapper, escape_name, unescape_name

pytestmark = pytest.mark.unit

WORKDIR = "/srv/App"

# Names that tend to meet: case, composed and decomposed letters, special letters of case folding, bytes that are not
# UTF-8, what Windows refuses, what the escapes are made of.
SPECIAL = [*"aAsSıİßẞſéÉńκKKÅÅ가ᄀ漢.% !^~\\:*?\"<>|'`$&;\n\t\x01\x7f", "e\u0301", "n\u0301", "\u1100\u1161"]
SPECIAL += ["%41", "!a", "%2e", "con", "NUL", "aux.txt", "COM1", "lpt9", "..", "..."]
SURROGATES = ["\udc80", "\udcff", "\udce9", "\ud800"]
pieces = st.sampled_from(SPECIAL + SURROGATES) | st.characters(exclude_characters="/\0")
names = st.lists(pieces, min_size=1, max_size=8).map("".join)
paths = st.lists(names | st.sampled_from(["srv", "App", "in", "out", "x" * 200, "é" * 90]), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "mirror"


@pytest.fixture(scope="module")
def mapper(base: Path) -> PathMapper:
    return PathMapper(WORKDIR, base)


def as_file_systems_see(path: Path) -> set[str]:
    """The spellings under which a file system that folds case or normalises might find this path."""
    text = str(path)
    folded = {text, text.casefold(), text.lower(), text.upper().lower()}
    return {unicodedata.normalize(form, t) for t in folded for form in ("NFC", "NFD", "NFKC", "NFKD")}


@given(first=paths, second=paths)
@example(first="/srv/App/etc/hosts", second="/etc/hosts")
@example(first="/srv/App/a", second="/srv/App/A")
@example(first="/srv/App/é", second="/srv/App/e\u0301")
@example(first="/srv/App/\udce9", second="/srv/App/é")
@example(first="/srv/App/con", second="/srv/App/%63on")
@example(first="/srv/App/a.", second="/srv/App/a")
@example(first="/srv/App/a ", second="/srv/App/a")
@example(first="/srv/App/a\\b", second="/srv/App/a/b")
@example(first="/srv/App/" + "x" * 300, second="/srv/App/" + "X" * 300)
@example(first="/srv/App", second="/")
@example(first="/srv/App", second="/srv/app")
def test_different_remote_files_never_meet(mapper: PathMapper, first: str, second: str) -> None:
    first, second = (path_mapper.normalize_remote(p, WORKDIR, "/root") for p in (first, second))
    if first != second:
        seen = [as_file_systems_see(mapper.to_local(path)) for path in (first, second)]
        assert seen[0].isdisjoint(seen[1])


@given(path=paths)
def test_the_way_back_is_exact_also_in_another_process(mapper: PathMapper, base: Path, path: str) -> None:
    path = path_mapper.normalize_remote(path, WORKDIR, "/root")
    local = mapper.to_local(path)
    assert mapper.to_remote(local) == path
    assert PathMapper(WORKDIR, base).to_remote(local) == path


@given(path=paths | st.text())
def test_nothing_escapes_the_base_and_every_name_is_one_windows_takes(
    mapper: PathMapper, base: Path, path: str
) -> None:
    local = mapper.to_local(path)
    assert Path(os.path.normpath(local)) == local
    for name in local.relative_to(base).parts:
        assert re.fullmatch(r"[a-z0-9_+=@,.%!-]+", name) and len(name) <= NAME_LIMIT
        assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name)
        assert not name.startswith(".") and not name.endswith(".")


@given(name=names | st.text())
def test_a_name_comes_back(name: str) -> None:
    assert unescape_name(escape_name(name)) == name


@given(text=st.text(alphabet="aA!%.0123456789abcdef/\\ é"))
def test_no_two_texts_stand_for_one_name(text: str) -> None:
    name = unescape_name(text)
    assert name is None or escape_name(name) == text


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("/srv/App/src/main.py", "in/src/main.py"),
        ("/srv/App/README.md", "in/!r!e!a!d!m!e.md"),
        ("/srv/App", "in"),
        ("/srv/App/.git/config", "in/%2egit/config"),
        ("/etc/hosts", "out/etc/hosts"),
        ("/srv/Apple/x", "out/srv/!apple/x"),
        ("/srv/App/../x", "out/srv/x"),
        ("src/./a//b", "in/src/a/b"),
        ("/srv/App/nul.txt", "in/%6eul.txt"),
        ("/srv/App/nullable", "in/nullable"),
        ("/srv/App/a b.", "in/a%20b%2e"),
    ],
)
def test_d13_examples(mapper: PathMapper, base: Path, remote: str, local: str) -> None:
    assert mapper.to_local(remote) == base / local


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/srv/App", True),
        ("/srv/App/", True),
        ("/srv/App/a/../b", True),
        ("a/b", True),
        ("/srv/App/../App/x", True),
        ("/srv/Apple", False),
        ("/srv", False),
        ("../x", False),
        ("/srv/App/../../etc/passwd", False),
        ("/", False),
    ],
)
def test_d13_is_within_workspace(mapper: PathMapper, path: str, inside: bool) -> None:
    assert mapper.is_within_workspace(path) is inside


def test_with_the_root_as_workdir_everything_is_inside(tmp_path: Path) -> None:
    mapper = PathMapper("/", tmp_path)
    assert mapper.is_within_workspace("/etc/hosts")
    assert mapper.to_local("/etc/hosts") == tmp_path / "in" / "etc" / "hosts"
    assert mapper.to_remote(tmp_path / "in" / "etc" / "hosts") == "/etc/hosts"


def test_a_long_total_path_is_bounded_and_comes_back(tmp_path: Path) -> None:
    limit = len(str(tmp_path)) + 100
    mapper = PathMapper(WORKDIR, tmp_path, path_limit=limit)
    for depth in range(1, 60):
        remote = WORKDIR + "/node_modules" * depth
        local = mapper.to_local(remote)
        assert len(str(local)) <= limit
        assert PathMapper(WORKDIR, tmp_path, path_limit=limit).to_remote(local) == remote


def test_a_lost_name_is_an_error_and_is_stored_again(tmp_path: Path) -> None:
    remote = "/srv/App/" + "x" * 300
    local = PathMapper(WORKDIR, tmp_path).to_local(remote)
    (stored,) = (tmp_path / "names").iterdir()
    stored.write_bytes(b"{")
    with pytest.raises(ValueError, match="not the place"):
        PathMapper(WORKDIR, tmp_path).to_remote(local)
    PathMapper(WORKDIR, tmp_path).to_local(remote)
    assert PathMapper(WORKDIR, tmp_path).to_remote(local) == remote


def test_names_that_cannot_be_stored_stop_nothing(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("a file where the folder belongs")
    mapper = PathMapper(WORKDIR, tmp_path)
    remote = "/" + "y" * 400
    assert mapper.to_remote(mapper.to_local(remote)) == remote


@pytest.mark.parametrize(
    "local",
    ["", "in/README", "in/%61", "in/%2", "in/con", "in/.git", "other/a", "long/ab/abcd", "in/%c3", "out/srv/!app/x"],
)
def test_a_local_path_no_remote_one_maps_to_is_refused(mapper: PathMapper, base: Path, local: str) -> None:
    with pytest.raises(ValueError, match="mirror"):
        mapper.to_remote(base / local)


def test_a_local_path_elsewhere_is_refused(mapper: PathMapper, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in the mirror"):
        mapper.to_remote(tmp_path / "in" / "a")


@settings(max_examples=30)
@given(found=st.lists(paths, min_size=2, max_size=6, unique=True))
def test_real_files_stay_apart_on_this_file_system(found: list[str]) -> None:
    with TemporaryDirectory() as folder:
        mapper = PathMapper(WORKDIR, Path(folder))
        contents: dict[str, str] = {}
        for path in found:
            remote = path_mapper.normalize_remote(path + "/leaf", WORKDIR, "/root")
            local = mapper.to_local(remote)
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_text(repr(remote))
            contents[remote] = repr(remote)
        assert {remote: mapper.to_local(remote).read_text() for remote in contents} == contents
