"""read: what is shown and what is refused, on a host that is a dictionary."""

from __future__ import annotations

import pytest

from pybridge.errors import FileMissingError, OffsetRangeError, PermissionRejectedError, ToolError
from tests.tools.kit import Call, Desk

pytestmark = pytest.mark.unit


async def test_D19_metadata_is_what_the_screen_draws_from(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"".join(b"%d\n" % n for n in range(1, 31))
    result = await desk("read", filePath="f", offset=2, limit=25)
    text = "\n".join(str(n) for n in range(2, 27))
    assert result.metadata == {
        "preview": "\n".join(str(n) for n in range(2, 22)),
        "truncated": True,
        "loaded": [],
        "display": {
            "type": "file",
            "path": "/w/f",
            "text": text,
            "lineStart": 2,
            "lineEnd": 26,
            "totalLines": 30,
            "truncated": True,
        },
    }


async def test_D19_an_empty_file_and_an_offset_behind_the_end(desk: Desk) -> None:
    desk.host.contents |= {"/w/empty": b"", "/w/f": b"1\n2\n3\n"}
    shown = (await desk("read", filePath="empty")).output
    assert shown == "<path>/w/empty</path>\n<type>file</type>\n<content>\n\n\n(End of file - total 0 lines)\n</content>"
    with pytest.raises(OffsetRangeError) as caught:
        await desk("read", filePath="f", offset=10)
    assert str(caught.value) == "Offset 10 is out of range for this file (3 lines)"


async def test_D19_a_second_read_transfers_nothing(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"one\n"
    await desk("read", filePath="f")
    await desk("read", filePath="f")
    assert [requests[0].held is not None for requests in desk.host.fetches] == [False, True]


async def test_law_1_reading_costs_one_round_trip_whatever_is_known(desk: Desk) -> None:
    desk.host.contents |= {f"/w/{n}": b"x\n" for n in range(50)}
    for n in range(50):
        await desk("read", filePath=str(n))
    assert [len(requests) for requests in desk.host.fetches] == [1] * 50


async def test_D19_folder_entries_are_paged(desk: Desk) -> None:
    desk.host.contents |= {f"/w/d/{n:02}": b"" for n in range(10)}
    result = await desk("read", filePath="d", offset=3, limit=2)
    assert result.output == (
        "<path>/w/d</path>\n<type>directory</type>\n<entries>\n02\n03\n\n"
        "(Showing 2 of 10 entries. Use 'offset' parameter to read beyond entry 5)\n</entries>"
    )
    assert result.metadata["display"]["totalEntries"] == 10


async def test_missing_file_names_at_most_three_alike(desk: Desk) -> None:
    desk.host.contents |= {f"/w/main{n}.py": b"" for n in range(5)} | {"/w/other": b""}
    with pytest.raises(FileMissingError) as caught:
        await desk("read", filePath="MAIN")
    assert str(caught.value) == (
        "File not found: /w/MAIN\n\nDid you mean one of these?\n/w/main0.py\n/w/main1.py\n/w/main2.py"
    )
    with pytest.raises(FileMissingError) as caught:
        await desk("read", filePath="zzz")
    assert str(caught.value) == "File not found: /w/zzz"


async def test_whether_a_file_is_missing_is_not_told_before_the_permission(desk: Desk) -> None:
    with pytest.raises(PermissionRejectedError):
        await desk("read", Call(refuse=frozenset({"read"})), filePath="gone")


@pytest.mark.parametrize(
    ("name", "content", "binary"),
    [
        ("a.zip", b"text", True),
        ("nul", b"a\0", True),
        ("control", b"\x01\x02ab", True),
        ("tabs", b"\t\r\n\x0b\x0cab", False),
        (".bin", b"text", False),
    ],
)
async def test_D20_binary_is_told_by_name_and_first_bytes(desk: Desk, name: str, content: bytes, binary: bool) -> None:
    desk.host.contents[f"/w/{name}"] = content
    if binary:
        with pytest.raises(ToolError, match=f"^Cannot read binary file: /w/{name}$"):
            await desk("read", filePath=name)
    else:
        assert "<type>file</type>" in (await desk("read", filePath=name)).output


async def test_D20_a_symlink_is_judged_by_what_it_leads_to(desk: Desk) -> None:
    desk.host.contents |= {"/w/plain": b"text", "/w/real.zip": b"text"}
    desk.host.links |= {"/w/a.zip": "/w/plain", "/w/b.txt": "/w/real.zip"}
    assert "1: text" in (await desk("read", filePath="a.zip")).output
    with pytest.raises(ToolError, match="Cannot read binary file: /w/b.txt"):
        await desk("read", filePath="b.txt")


@pytest.mark.parametrize(("at_once", "trips"), [(2**40, 1), (1000, 2)])
async def test_lines_of_a_large_file_come_with_its_size_or_alone(desk: Desk, at_once: int, trips: int) -> None:
    desk.host.sliced_at_once = at_once
    desk.host.contents["/w/large"] = b"".join(b"line %d\n" % i for i in range(1, 200_001))
    shown = (await desk("read", filePath="large", offset=150_000, limit=2)).output
    assert "150000: line 150000\n150001: line 150001\n" in shown
    assert len(desk.host.fetches) + desk.host.slices == trips


async def test_bytes_that_are_not_utf8_are_shown_as_u_fffd(desk: Desk) -> None:
    desk.host.contents["/w/f"] = b"caf\xe9\n"
    assert "1: caf\ufffd\n" in (await desk("read", filePath="f")).output


async def test_an_encoding_the_user_named_is_used(desk: Desk) -> None:
    desk.session.settings = type(desk.session.settings)(ssh="x", encoding="latin-1")
    desk.host.contents |= {"/w/f": b"caf\xe9\n", "/w/large": b"caf\xe9\n" * 200_000}
    assert "1: café\n" in (await desk("read", filePath="f")).output
    assert "9: café\n" in (await desk("read", filePath="large", offset=9, limit=1)).output


@pytest.mark.parametrize(
    ("name", "content", "mime", "output"),
    [
        ("x.png", b"not one", "image/png", "Image read successfully"),
        ("x", b"%PDF-1.7", "application/pdf", "PDF read successfully"),
        ("x.txt", b"GIF89a", "image/gif", "Image read successfully"),
        ("x", b"RIFF\0\0\0\0WEBP", "image/webp", "Image read successfully"),
    ],
)
async def test_images_and_pdf_are_attached(desk: Desk, name: str, content: bytes, mime: str, output: str) -> None:
    desk.host.contents[f"/w/{name}"] = content
    answer = (await desk("read", filePath=name)).to_json()
    assert answer["output"] == output
    assert answer["attachments"][0]["mime"] == mime
    assert answer["attachments"][0]["type"] == "file"


async def test_a_large_image_is_fetched_whole(desk: Desk) -> None:
    desk.host.contents["/w/x.png"] = b"\x89PNG\r\n\x1a\n" + bytes(2 * 1024 * 1024)
    answer = (await desk("read", filePath="x.png")).to_json()
    assert len(answer["attachments"][0]["url"]) > 2 * 1024 * 1024
