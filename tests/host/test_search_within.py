"""A search that goes on only if its root really lies where it must: nothing outside is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.errors import SearchError, SearchRootError
from tests.kit.local_scripts import LocalRemote, local_remote


@pytest.fixture(params=["rg", "gnu", "busybox"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> LocalRemote:
    """Each way to search in turn."""
    (tmp_path / "machine").mkdir()
    return local_remote(request.param, tmp_path / "machine")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A workspace with symlinks that stay in it and that lead out."""
    work = tmp_path / "work"
    for folder in ("work/sub", "work two", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "f.py").write_text("needle\n")
    (work / "stays").symlink_to("sub")
    (work / "leaves").symlink_to(tmp_path / "outside")
    (work / "file").symlink_to(tmp_path / "outside/f.py")
    return work


@pytest.mark.parametrize("name", ["", "/", "/sub", "/sub/", "/stays"])
async def test_what_lies_within_is_searched(remote: LocalRemote, work: Path, name: str) -> None:
    root = f"{work}{name}"
    within = ["/nowhere", str(work)]
    assert (await remote.search.glob("f.py", root, within=within)).paths[-1].endswith("/f.py")
    assert (await remote.search.grep("needle", root, within=within)).matches[0].text == "needle"


async def test_a_file_within_is_searched(remote: LocalRemote, work: Path) -> None:
    found = await remote.search.grep("needle", f"{work}/stays/f.py", within=[str(work)])
    assert [match.path for match in found.matches] == [f"{work}/stays/f.py"]


@pytest.mark.parametrize("name", ["/leaves", "/../outside", "/../work two", "/nowhere", "/file", "/sub/../.."])
async def test_nothing_else_is(remote: LocalRemote, work: Path, name: str) -> None:
    root = f"{work}{name}"
    with pytest.raises(SearchRootError):
        await remote.search.glob("*", root, within=[str(work)])
    with pytest.raises(SearchRootError):
        await remote.search.grep("needle", root, within=[str(work)])
    with pytest.raises(SearchRootError):
        await remote.search.glob("*", str(work), within=[])
    assert all(size == 0 for size in remote.run.printed)


async def test_a_folder_of_any_name_may_be_the_one(remote: LocalRemote, tmp_path: Path) -> None:
    for name in ("it's", "a*", "[b]", "new\nline", "end\n", "back\\slash", "$HOME", "a b|c"):
        folder = tmp_path / "odd" / name / "sub"
        folder.mkdir(parents=True)
        (folder / "f").write_text("needle\n")
        found = await remote.search.grep("needle", str(folder), within=[str(folder.parent)])
        assert [match.path for match in found.matches] == [f"{folder}/f"]
    with pytest.raises(SearchRootError):
        await remote.search.grep("needle", str(tmp_path / "odd/it's"), within=[str(tmp_path / "odd/a*")])


async def test_everything_lies_within_the_root_folder(remote: LocalRemote, work: Path) -> None:
    assert (await remote.search.grep("needle", f"{work}/sub", within=["/"])).matches


async def test_a_bad_pattern_is_still_said(remote: LocalRemote, work: Path) -> None:
    with pytest.raises(SearchError) as caught:
        await remote.search.grep("(x", str(work), within=[str(work)])
    assert not isinstance(caught.value, SearchRootError)
