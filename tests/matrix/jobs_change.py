"""The jobs of the rows that change files: write, edit and apply_patch."""

from __future__ import annotations

import pytest

from pybridge.errors import FileChangedError, PatchError
from tests.matrix.work import Work
from tests.tools.kit import Ask, Call


async def write(work: Work) -> None:
    """A new file in new folders, 2 MB, a replaced one that keeps its mode, one written through a symlink, every
    character that shells or encoders mind; one that somebody else changed is left alone; no temporary stays."""
    new, script, big = (f"{work.folder}/{name}" for name in ("new/deep/é $(x) 'y'.txt", "run.sh", "big"))
    awkward = "".join(map(chr, range(1, 0x180))).replace("\r", "") + "\\000 \\\\ %d %s `x` 'y' \U0001f600 no end"
    await work("write", filePath=new, content=awkward)
    assert work.truth.read(new) == awkward.encode()
    assert work.truth.mode(new) == 0o666 & ~work.host.facts.umask
    content = "".join(f"{n} {'ä' * 30}\n" for n in range(30_000))
    await work("write", filePath=big, content=content)
    assert work.truth.read(big) == content.encode()
    work.put({"run.sh": b"#!/bin/sh\n"}, mode=0o754)
    work.truth.link(f"{work.folder}/link", "run.sh")
    await work("write", filePath=f"{work.folder}/link", content="#!/bin/sh\ntrue\n")
    assert (work.truth.read(script), work.truth.mode(script)) == (b"#!/bin/sh\ntrue\n", 0o754)
    assert work.truth.run('[ -h "$1" ] && echo link', f"{work.folder}/link") == b"link\n"
    await work("read", filePath=script)
    work.truth.write(script, b"theirs\n", mode=0o754)
    with pytest.raises(FileChangedError):
        await work("write", filePath=script, content="mine\n")
    assert work.truth.read(script) == b"theirs\n"
    assert work.truth.names(work.folder) == ["big", "link", "new", "run.sh"]
    assert work.truth.names(f"{work.folder}/new/deep") == ["é $(x) 'y'.txt"]


async def edit(work: Work) -> None:
    """CRLF, byte order mark, bytes that are not UTF-8, and mode stay; a change somebody else makes meanwhile is kept
    and built on; no temporary stays."""
    path = f"{work.folder}/f.sh"
    original = b"\xef\xbb\xbfone\r\ntwo\r\n" + b"line\r\n" * 5000
    work.put({"f.sh": original}, mode=0o755)
    await work("edit", filePath=path, oldString="one\ntwo", newString="1\nzw\u00f6lf")
    assert work.truth.read(path) == original.replace(b"one\r\ntwo", b"1\r\nzw\xc3\xb6lf")
    assert work.truth.mode(path) == 0o755
    work.put({"latin": b"caf\xe9 \x00\x7f\nold\n".replace(b"\x00", b"")}, mode=0o600)
    await work("edit", filePath=f"{work.folder}/latin", oldString="old", newString="new")
    assert work.truth.read(f"{work.folder}/latin") == b"caf\xe9 \x7f\nnew\n"
    assert work.truth.mode(f"{work.folder}/latin") == 0o600
    asked: list[Ask] = []

    def meanwhile(ask: Ask) -> None:
        if not asked:
            work.truth.write(path, b"1\r\ntwo\r\ntheirs\r\n", mode=0o755)
        asked.append(ask)

    await work("edit", Call(on_ask=meanwhile), filePath=path, oldString="1\n", newString="mine\n")
    assert work.truth.read(path) == b"mine\r\ntwo\r\ntheirs\r\n"
    assert len(asked) == 2
    assert work.truth.names(work.folder) == ["f.sh", "latin"]


async def apply_patch(work: Work) -> None:
    """Adds, changes, moves and deletes in one patch; one hunk that does not fit, and nothing of the whole patch is
    done; no temporary stays."""
    work.put({"a.txt": b"one\r\ntwo\r\n", "m.txt": b"old\n", "d.txt": b"gone\n"}, mode=0o640)
    at = work.folder
    patch = (
        f"*** Begin Patch\n*** Update File: {at}/a.txt\n@@\n one\n-two\n+zw\u00f6lf\n"
        f"*** Add File: {at}/n/new.txt\n+hi\n*** Delete File: {at}/d.txt\n"
        f"*** Update File: {at}/m.txt\n*** Move to: {at}/moved/m.txt\n@@\n-old\n+new\n*** End Patch"
    )
    assert (await work("apply_patch", patchText=patch)).output.startswith("Success. Updated the following files:\n")
    assert work.truth.read(f"{at}/a.txt") == b"one\r\nzw\xc3\xb6lf\r\n"
    assert work.truth.read(f"{at}/n/new.txt") == b"hi\n"
    assert work.truth.read(f"{at}/moved/m.txt") == b"new\n"
    assert work.truth.mode(f"{at}/moved/m.txt") == work.truth.mode(f"{at}/a.txt") == 0o640
    assert work.truth.names(at) == ["a.txt", "moved", "n"]
    unfit = (
        f"*** Begin Patch\n*** Add File: {at}/x/other.txt\n+x\n*** Update File: {at}/a.txt\n@@\n-absent\n+2\n"
        f"*** Delete File: {at}/n/new.txt\n*** End Patch"
    )
    with pytest.raises(PatchError, match="Failed to find expected lines"):
        await work("apply_patch", patchText=unfit)
    assert work.truth.names(at) == ["a.txt", "moved", "n"]
    assert work.truth.names(f"{at}/n") == ["new.txt"] and work.truth.names(f"{at}/moved") == ["m.txt"]
