"""The content store: what is got is what was put, or nothing; whatever happens to the disk below (D10, D26, law 1)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybridge.errors import LocalStorageError
from pybridge.host.model import ABSENT, FileVersion
from pybridge.mirror import content_store
from pybridge.mirror.content_store import ContentStore

pytestmark = pytest.mark.unit

PATH = "/srv/app/src/main.py"


def version(content: bytes) -> FileVersion:
    return FileVersion("sha256:" + hashlib.sha256(content).hexdigest(), len(content))


def put(store: ContentStore, path: str, content: bytes) -> bool:
    return store.put(path, version(content), content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirrors" / "host" / "app"


def make(folder: Path, max_bytes: int = 64 * 1024 * 1024) -> ContentStore:
    return ContentStore(folder, "host-1", "/srv/app", max_bytes=max_bytes)


def test_d26_what_was_put_is_still_there_in_the_next_session(folder: Path) -> None:
    assert put(make(folder), PATH, b"one\r\n\0\xff")
    assert make(folder).get(PATH) == (version(b"one\r\n\0\xff"), b"one\r\n\0\xff")
    assert make(folder).get("/srv/app/src/Main.py") is None


def test_the_content_lies_where_the_path_mapper_says(folder: Path) -> None:
    store = make(folder)
    put(store, PATH, b"x")
    assert store.mapper.to_local(PATH) == folder / "in" / "src" / "main.py"
    assert (folder / "in" / "src" / "main.py").read_bytes() == b"x"


def test_putting_again_replaces_and_forgetting_forgets(folder: Path) -> None:
    store = make(folder)
    put(store, PATH, b"one")
    put(store, PATH, b"three")
    assert store.get(PATH) == (version(b"three"), b"three")
    store.forget(PATH)
    store.forget(PATH)
    assert store.get(PATH) is None and not (folder / "in" / "src" / "main.py").exists()


def test_absent_is_forgotten_not_kept(folder: Path) -> None:
    store = make(folder)
    put(store, PATH, b"one")
    assert store.put(PATH, ABSENT, b"") is False
    assert store.get(PATH) is None


@pytest.mark.parametrize(
    "wrong",
    [
        FileVersion("sha256:" + "0" * 64, 3),
        FileVersion("md5:" + "0" * 32, 3),
        FileVersion(version(b"new").digest, 4),
        FileVersion("", 3),
    ],
)
def test_a_version_that_cannot_be_the_contents_is_not_kept(folder: Path, wrong: FileVersion) -> None:
    store = make(folder)
    put(store, PATH, b"old")
    assert store.put(PATH, wrong, b"new") is False
    assert store.get(PATH) is None


@pytest.mark.parametrize(
    "digest", ["md5:" + hashlib.md5(b"new").hexdigest(), "SHA256:ignored", "cksum:123 3", version(b"new").digest]
)
def test_versions_of_weaker_remotes_are_kept_as_they_are(folder: Path, digest: str) -> None:
    store = make(folder)
    assert store.put(PATH, FileVersion(digest, 3), b"new")
    assert store.get(PATH) == (FileVersion(digest, 3), b"new")


@pytest.mark.parametrize("damage", [b"", b"on", b"one more", b"onE", None])
def test_a_damaged_local_copy_is_dropped_never_served(folder: Path, damage: bytes | None) -> None:
    store = make(folder)
    put(store, PATH, b"one")
    local = store.mapper.to_local(PATH)
    local.unlink() if damage is None else local.write_bytes(damage)
    assert store.get(PATH) is None
    assert not list((folder / "entries").glob("*/*.json"))
    put(store, PATH, b"two")
    assert store.get(PATH) == (version(b"two"), b"two")


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b"{}", b'{"path": 1}', b"\xff\xfe", b'"' * 10, b"[" * 100_000]
)
def test_a_damaged_entry_is_dropped(folder: Path, damage: bytes) -> None:
    store = make(folder)
    put(store, PATH, b"one")
    (entry,) = (folder / "entries").glob("*/*.json")
    entry.write_bytes(damage)
    assert store.get(PATH) is None
    assert put(store, PATH, b"one") and store.get(PATH) is not None


@pytest.mark.parametrize("field", ["digest", "size", "path"])
def test_an_entry_lacking_something_is_dropped(folder: Path, field: str) -> None:
    store = make(folder)
    put(store, PATH, b"one")
    (entry,) = (folder / "entries").glob("*/*.json")
    entry.write_text(json.dumps({k: v for k, v in json.loads(entry.read_text()).items() if k != field}))
    assert store.get(PATH) is None


def test_an_entry_of_another_path_is_not_believed(folder: Path) -> None:
    store = make(folder)
    store.put(PATH, FileVersion("cksum:1", 3), b"one")
    store.put("/srv/app/other", FileVersion("cksum:2", 3), b"one")
    one, two = store._entry_file(PATH), store._entry_file("/srv/app/other")
    shutil.copyfile(two, one)
    assert store.get(PATH) is None and store.get("/srv/app/other") is not None


def test_a_file_that_became_a_folder_and_back(folder: Path) -> None:
    store = make(folder)
    for path, content in (("/srv/app/a", b"f"), ("/srv/app/a/b/c", b"g"), ("/srv/app/a/b", b"h"), ("/srv/app/a", b"i")):
        assert put(store, path, content)
        assert store.get(path) == (version(content), content)
    assert store.get("/srv/app/a/b/c") is None and store.get("/srv/app/a/b") is None


def test_long_and_strange_paths(folder: Path) -> None:
    store = make(folder)
    paths = ["/", "/srv/app", "/etc/hosts", "/srv/app/etc/hosts", "/srv/app/" + "x" * 255, "/a/\udcff\n", "/a" * 1500]
    for path in paths:
        assert put(store, path, path.encode("utf-8", "surrogateescape")) or path in ("/", "/srv/app")
    for path in paths[2:]:
        content = path.encode("utf-8", "surrogateescape")
        assert make(folder).get(path) == (version(content), content)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "forget", "get", "reopen", "trim"]),
            st.sampled_from(["a", "A", "a/b", "a/b/c", "/x/a", "é"]),
            st.binary(max_size=20),
        ),
        max_size=25,
    )
)
def test_it_never_serves_anything_but_the_last_content_put(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("store") / "m"
    store, last = make(folder), {}
    for what, path, content in steps:
        if what == "put":
            assert put(store, path, content)
            last[path] = content
            assert store.get(path) == (version(content), content)
        elif what == "forget":
            store.forget(path)
            last.pop(path, None)
        elif what == "reopen":
            store.close()
            store = make(folder)
        elif what == "trim":
            store.trim()
        found = store.get(path)
        assert found is None or found == (version(last[path]), last[path])
    store.close()
    shutil.rmtree(folder.parent)


def disk_use(folder: Path) -> int:
    files = [f for tree in ("in", "out", "long", "entries") for f in (folder / tree).rglob("*") if f.is_file()]
    return sum(-(-f.stat().st_size // 4096) * 4096 for f in files)


def test_the_size_is_bounded_and_the_least_recently_used_go_first(folder: Path) -> None:
    store = make(folder, max_bytes=800_000)
    for number in range(40):
        assert put(store, f"/srv/app/{number}", bytes([number]) * 10_000)
        os.utime(store.mapper.to_local(f"/srv/app/{number}"), (1_000 + number, 1_000 + number))
    store.close()
    assert store.get("/srv/app/0") is not None  # used now
    for number in range(40, 60):
        put(store, f"/srv/app/{number}", bytes([number]) * 10_000)
    store.close()
    store.trim()
    assert disk_use(folder) <= 800_000
    kept = {number for number in range(60) if store.get(f"/srv/app/{number}")}
    assert 0 in kept and {1, 2, 3}.isdisjoint(kept) and 59 in kept
    assert kept - {0} == set(range(min(kept - {0}), 60))
    assert len(list((folder / "entries").glob("*/*.json"))) == len(kept)


def test_it_trims_by_itself(folder: Path) -> None:
    store = make(folder, max_bytes=400_000)
    for number in range(100):
        put(store, f"/srv/app/{number}", os.urandom(20_000))
        store.close()  # waits for a trimming under way, so that the outcome does not depend on speed
    assert disk_use(folder) <= 400_000 + 400_000 // 8


def test_small_files_count_as_the_space_they_take(folder: Path) -> None:
    store = make(folder, max_bytes=400_000)
    for number in range(150):
        put(store, f"/srv/app/{number}", b"x")
        store.close()
    assert disk_use(folder) <= 400_000 + 400_000 // 8


def test_one_content_takes_at_most_an_eighth(folder: Path) -> None:
    store = make(folder, max_bytes=80_000)
    put(store, PATH, b"old")
    assert put(store, PATH, b"x" * 10_001) is False and store.get(PATH) is None
    assert put(store, PATH, b"x" * 10_000) is True and store.get(PATH) is not None


def test_a_folder_removed_by_a_trimming_meanwhile_is_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(folder)
    real = content_store.private_folder
    removed: list[Path] = []

    def racing(path: Path) -> Path:
        made = real(path)
        if path not in removed:
            removed.append(path)
            path.rmdir()
        return made

    monkeypatch.setattr(content_store, "private_folder", racing)
    assert put(store, PATH, b"one") and len(removed) == 2
    assert store.get(PATH) is not None


def test_trimming_removes_what_belongs_to_nothing_and_spares_what_is_being_written(folder: Path) -> None:
    store = make(folder)
    put(store, PATH, b"one")
    put(store, "/srv/app/" + "x" * 300, b"long")
    store.close()
    stray = folder / "in" / "NOT OURS"
    stray.write_text("x")
    (folder / "entries" / "ab").mkdir(exist_ok=True)
    places = [folder / "in" / "src", folder / "entries" / "ab", folder]
    for place in places:
        (place / ".pybridge-young.tmp").write_text("x")
        (place / ".pybridge-old.tmp").write_text("x")
        os.utime(place / ".pybridge-old.tmp", (1, 1))
    orphan, young = folder / "entries" / "ab" / "abcd.json", folder / "entries" / "ab" / "abce.json"
    orphan.write_text("{}")
    young.write_text("{}")
    os.utime(orphan, (1, 1))
    store.trim()
    assert not stray.exists() and not orphan.exists() and young.exists()
    assert [sorted(p.name for p in place.glob(".pybridge-*")) for place in places] == [[".pybridge-young.tmp"]] * 3
    assert store.get(PATH) is not None and make(folder).get("/srv/app/" + "x" * 300) is not None


def test_law_1_an_operation_touches_only_the_files_of_its_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(folder)
    for number in range(200):
        put(store, f"/srv/app/d/{number}", b"x")
    store.close()
    touched: list[str] = []

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event in ("open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.utime"):
            touched.append(f"{event} {arguments[0]}")

    listening = False
    sys.addaudithook(note)
    counts = []
    for operation in (lambda: store.get("/srv/app/d/7"), lambda: put(store, "/srv/app/d/7", b"y")):
        touched.clear()
        listening = True
        operation()
        listening = False
        assert not [t for t in touched if t.startswith(("os.listdir", "os.scandir"))]
        counts.append(len(touched))
    assert counts[0] <= 3 and counts[1] <= 6


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_everything_is_private(folder: Path) -> None:
    old = os.umask(0)
    try:
        store = make(folder)
        put(store, PATH, b"one")
        put(store, "/" + "x" * 300, b"one")
        store.close()
    finally:
        os.umask(old)
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("where", ["content", "entry"])
def test_a_full_local_disk_fails_nothing_and_keeps_nothing_stale(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    store = make(folder)
    put(store, PATH, b"old")
    real = content_store.write_private

    def full(path: Path, content: bytes, *, durable: bool = True) -> None:
        if (path.suffix == ".json") == (where == "entry"):
            raise LocalStorageError("No space left on device.")
        real(path, content, durable=durable)

    monkeypatch.setattr(content_store, "write_private", full)
    assert put(store, PATH, b"new") is False
    monkeypatch.undo()
    assert store.get(PATH) is None and make(folder).get(PATH) is None


def test_a_mirror_folder_that_cannot_be_made_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = make(tmp_path / "file" / "mirror")
    assert not store.usable and store.get(PATH) is None and put(store, PATH, b"x") is False
    store.forget(PATH)
    store.trim()


def test_d10_the_manifest_says_what_the_folder_is(folder: Path) -> None:
    make(folder)
    found = json.loads((folder / "manifest.json").read_text())
    assert (found["format"], found["target"], found["workdir"]) == (1, "host-1", "/srv/app") and found["layout"]


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format": 0}',
        b'{"format": "2"}',
        b'{"format": 1, "target": "other"}',
        b"[" * 99999,
    ],
)
def test_a_damaged_or_foreign_manifest_is_moved_aside_and_the_mirror_starts_empty(
    folder: Path, manifest: bytes
) -> None:
    put(make(folder), PATH, b"one")
    (folder / "manifest.json").write_bytes(manifest)
    store = make(folder)
    assert store.usable and store.get(PATH) is None
    assert (folder / "manifest.json.aside").read_bytes() == manifest
    put(store, PATH, b"two")
    assert make(folder).get(PATH) is not None


def test_a_missing_manifest_or_one_that_is_a_folder(folder: Path) -> None:
    put(make(folder), PATH, b"one")
    (folder / "manifest.json").unlink()
    assert make(folder).get(PATH) is None
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").mkdir()
    assert put(make(folder), PATH, b"two")


def test_a_newer_format_is_left_alone_and_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(make(folder), PATH, b"one")
    newer = json.dumps({"format": 2, "target": "host-1", "workdir": "/srv/app"})
    (folder / "manifest.json").write_text(newer)
    store = make(folder)
    assert not store.usable and store.get(PATH) is None and put(store, PATH, b"two") is False
    assert (folder / "manifest.json").read_text() == newer
    assert (folder / "in" / "src" / "main.py").read_bytes() == b"one"
    assert "newer pybridge" in caplog.text


def test_two_processes_write_and_read_at_once(folder: Path) -> None:
    program = """
import hashlib, sys
from pathlib import Path
from pybridge.host.model import FileVersion
from pybridge.mirror.content_store import ContentStore
store = ContentStore(Path(sys.argv[1]), "host-1", "/srv/app", max_bytes=600_000)
hits = 0
for n in range(400):
    path, content = f"/srv/app/{n % 7}/f", (sys.argv[2] * (n % 50 * 100 + 1)).encode()
    store.put(path, FileVersion("sha256:" + hashlib.sha256(content).hexdigest(), len(content)), content)
    found = store.get(f"/srv/app/{(n * 3) % 7}/f")
    if found is not None:
        hits += 1
        assert found[0].digest == "sha256:" + hashlib.sha256(found[1]).hexdigest() and found[0].size == len(found[1])
store.close()
print(hits)
"""
    command = [sys.executable, "-c", program, str(folder)]
    started = [subprocess.Popen([*command, letter], stdout=subprocess.PIPE, text=True) for letter in "ab"]
    results = [(p.communicate()[0], p.returncode) for p in started]
    assert [code for _, code in results] == [0, 0] and all(int(out) > 0 for out, _ in results)


def test_a_killed_holder_of_the_lock_blocks_nobody(folder: Path) -> None:
    put(make(folder), PATH, b"one")
    program = (
        "import sys, time, filelock\n"
        "lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(folder / ".lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(filelock.Timeout):
        filelock.FileLock(folder / ".lock", timeout=0).acquire()
    holder.kill()
    holder.communicate()
    store = make(folder)
    assert store.usable and store.get(PATH) is not None


def test_what_is_kept_later_is_there_for_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ContentStore(tmp_path, "host", "/w")
    started, go_on = threading.Event(), threading.Event()
    write = ContentStore._write

    def slowly(self: ContentStore, file: Path, content: bytes) -> None:
        started.set()
        go_on.wait(10)
        write(self, file, content)

    monkeypatch.setattr(ContentStore, "_write", slowly)
    files = [(f"/w/{n}", version(b"%d" % n), b"%d" % n) for n in range(3)]
    store.put_later(files)
    store.put_later([("/w/0", version(b"new"), b"new")])
    assert started.wait(10)
    got: list[object] = []
    asking = threading.Thread(target=lambda: got.extend(store.get(f"/w/{n}") for n in range(3)))
    asking.start()
    go_on.set()
    asking.join(10)
    assert got == [(version(b"new"), b"new"), *((version, content) for _, version, content in files[1:])]
    store.put_later([("/w/0", ABSENT, b"")])
    assert store.get("/w/0") is None
    store.put_later(files)
    store.close()
    assert ContentStore(tmp_path, "host", "/w").get("/w/2") == (version(b"2"), b"2")
    store.put_later(files)  # too late, and no error


def test_what_waits_to_be_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the disk is slower than the link."""
    store = ContentStore(tmp_path, "host", "/w")
    go_on = threading.Event()
    write = ContentStore._write

    def slowly(self: ContentStore, file: Path, content: bytes) -> None:
        go_on.wait(10)
        write(self, file, content)

    monkeypatch.setattr(ContentStore, "_write", slowly)
    monkeypatch.setattr(content_store, "MOST_WAITING_BYTES", 25)
    contents = [b"%d" % n * 10 for n in range(4)]
    for number, content in enumerate(contents):
        store.put_later([(f"/w/{number}", version(content), content)])
    go_on.set()
    assert [store.get(f"/w/{number}") is not None for number in range(4)] == [True, True, False, False]
    store.put_later([("/w/3", version(contents[3]), contents[3])])
    assert store.get("/w/3") == (version(contents[3]), contents[3])
    store.close()
