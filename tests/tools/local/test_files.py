"""Files of this machine that OpenCode names to the model: read and grep serve these, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybridge.errors import FileMissingError, PermissionRejectedError, ToolError
from pybridge.locations import opencode_data_folder
from pybridge.tools.local.files import MAX_SKILLS, LocalFiles
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit

CUT = "tool_1fda70994001923mRss2qyfTDB"


@pytest.fixture
def cut(desk: Desk, tmp_path: Path) -> Path:
    """An output that OpenCode has cut."""
    folder = tmp_path / "opencode" / "tool-output"
    folder.mkdir(parents=True)
    (folder / CUT).write_text("".join(f"line {n}\n" for n in range(1, 3001)))
    desk.session.local_files = LocalFiles(desk.session.spool, folder)
    return folder / CUT


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    folder = tmp_path / "skills" / "greet"
    (folder / "ref").mkdir(parents=True)
    (folder / "SKILL.md").write_text("# greet\n")
    (folder / "ref" / "words.md").write_text("hello\nworld\n")
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n123")
    (folder / "data.bin").write_bytes(bytes(range(256)))
    return folder


async def test_an_output_opencode_has_cut_is_read_and_searched_here(desk: Desk, cut: Path) -> None:
    context = Call()
    page = await desk("read", context, filePath=str(cut), offset=2001, limit=2)
    assert "\n2001: line 2001\n2002: line 2002\n\n(Showing lines 2001-2002 of 3000." in page.output
    found = await desk("grep", context, pattern="line 299.", path=str(cut))
    assert found.metadata["matches"] == 10
    assert [ask.permission for ask in context.asks] == ["read", "grep"]
    assert (desk.host.fetches, desk.host.searches) == ([], [])
    with pytest.raises(PermissionRejectedError):
        await desk("read", Call(refuse=frozenset({"read"})), filePath=str(cut))


async def test_nothing_else_in_or_beside_that_folder(desk: Desk, cut: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (cut.parent / "tool_link").symlink_to(tmp_path / "secret")
    (cut.parent / "tool_folder").mkdir()
    (cut.parent / "tool_folder" / CUT).write_text("secret\n")
    (cut.parent / "auth.json").write_text("secret\n")
    (cut.parent.parent / CUT).write_text("secret\n")
    names = ["tool_link", "tool_folder", f"tool_folder/{CUT}", "auth.json", f"../{CUT}", "../../secret", "."]
    for name in names:
        with pytest.raises(FileMissingError):
            await desk("read", filePath=str(cut.parent / name))
    with pytest.raises(FileMissingError):
        await desk("write", filePath=str(cut), content="x")
        await desk("edit", filePath=str(cut) + "x", oldString="a", newString="b")
    assert cut.read_text().startswith("line 1\n")


async def test_a_skills_files_once_it_is_loaded(desk: Desk, skill: Path) -> None:
    with pytest.raises(FileMissingError):
        await desk("read", filePath=str(skill / "ref" / "words.md"))
    desk.session.local_files.add_skill(str(skill))
    fetches = len(desk.host.fetches)
    assert "1: hello\n2: world" in (await desk("read", filePath=str(skill / "ref" / "words.md"))).output
    listing = await desk("read", filePath=str(skill))
    assert "<entries>\ndata.bin\nlogo.png\nref/\nSKILL.md\n\n(4 entries)" in listing.output
    assert "Line 2: world" in (await desk("grep", pattern="wor", path=str(skill / "ref" / "words.md"))).output
    [image] = (await desk("read", filePath=str(skill / "logo.png"))).attachments
    assert image.mime == "image/png"
    with pytest.raises(ToolError, match="Cannot read binary file"):
        await desk("read", filePath=str(skill / "data.bin"))
    assert len(desk.host.fetches) == fetches


async def test_what_a_skill_links_to_elsewhere_is_not_served(desk: Desk, skill: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (skill / "link").symlink_to(tmp_path / "secret")
    desk.session.local_files.add_skill(str(skill))
    for path in (skill / "link", skill / ".." / ".." / "secret", skill.parent):
        with pytest.raises(FileMissingError):
            await desk("read", filePath=str(path))


async def test_a_folder_that_is_no_skill_is_never_served(desk: Desk, skill: Path, tmp_path: Path) -> None:
    files = desk.session.local_files
    for folder in (str(tmp_path), "relative", "", "/", str(skill / "SKILL.md"), f"{skill}\0", str(tmp_path / "none")):
        files.add_skill(folder)
    assert files.find(str(skill / "SKILL.md")) is None


def test_what_is_remembered_is_bounded(desk: Desk, tmp_path: Path) -> None:
    files = desk.session.local_files
    for number in range(MAX_SKILLS + 1):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "SKILL.md").touch()
        files.add_skill(str(tmp_path / str(number)))
    assert files.find(str(tmp_path / "0" / "SKILL.md")) is None
    assert files.find(str(tmp_path / "1" / "SKILL.md")) is not None


def test_opencodes_data_lies_where_its_own_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert opencode_data_folder() == Path("/data/opencode")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert opencode_data_folder() == Path("/home/me/.local/share/opencode")
