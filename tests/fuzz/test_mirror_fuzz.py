"""The local mirror: any remote path has one place in it, and what is damaged there is dropped, never served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import strategies as st

from pybridge.host.checksums import version_of
from pybridge.mirror.content_store import ContentStore
from pybridge.mirror.path_mapper import PathMapper
from pybridge.mirror.remote_paths import join_remote
from pybridge.mirror.spool import Spool
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.spoiling import spoiled, spoiled_text

pytestmark = pytest.mark.unit

_NAMES = st.sampled_from(
    ["a", "A", "..", ".", "", "con", "nul.txt", "a.", "a ", "é", "e\u0301", "\udcff", "\ud800", "\0", "\n", "%41", "!a",
     "long" * 60, "in", "out", "\\", ":", "*", "..%2f", ".git", "\x1b[2J", "ﬁ", "ß", "İ"]
)  # fmt: skip
_PATHS = st.one_of(
    st.tuples(st.sampled_from(["", "/", "//", "/w/", "/w", "../", "~"]), st.lists(_NAMES, max_size=6)).map(
        lambda both: both[0] + "/".join(both[1])
    ),
    spoiled_text("/w/src/Main.java", "/etc/passwd", "/w/a/../../b"),
)


def test_every_remote_path_has_a_place_of_its_own_inside(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    base = tmp_path / "mirror"

    def check(value: tuple[str, str, str]) -> None:
        workdir, first, second = value
        mapper = PathMapper(workdir, base)
        places = [mapper.to_local(path) for path in (first, second)]
        for path, place in zip((first, second), places, strict=True):
            inside = place.relative_to(base).parts
            assert inside[0] in ("in", "out", "long") and ".." not in inside
            assert "\0" not in str(place) and str(place).isascii()
            assert mapper.to_remote(place) == join_remote(mapper.workdir, path)
        same = join_remote(mapper.workdir, first) == join_remote(mapper.workdir, second)
        assert (places[0] == places[1]) is same
        assert (str(places[0]).lower() == str(places[1]).lower()) is same

    fuzz(request, "paths in the mirror", st.tuples(_PATHS, _PATHS, _PATHS), check, 500)


def test_a_local_path_of_nobodys_is_refused(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    mapper = PathMapper("/w", tmp_path)
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / f"{'0' * 40}.json").write_text('{"path": "/not/of/this/digest"}')

    def check(text: str) -> None:
        if "\0" in text:
            return
        place = tmp_path / text
        try:
            remote = mapper.to_remote(place)
        except ValueError:
            return
        assert mapper.to_local(remote) == place

    fuzz(request, "paths of the mirror, back", spoiled_text("in/a", "out/%2egit/x", f"long/00/{'0' * 40}"), check, 300)


def test_a_damaged_entry_is_never_served(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "mirror", "host", "/w")
    content = b"the content"
    version = version_of(content, "sha256")
    assert store.put("/w/f", version, content)
    (entry,) = (tmp_path / "mirror" / "entries").rglob("*.json")
    whole = entry.read_bytes()
    valid = json.loads(whole)
    others = [{**valid, key: value} for key in valid for value in (None, [], {}, 7, "x", -1)]
    texts = [whole, *(json.dumps(other).encode() for other in others), whole.replace(b"11", b"1e999")]

    def check(damage: bytes) -> None:
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.write_bytes(damage)
        place = store.mapper.to_local("/w/f")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        found = store.get("/w/f")
        assert found is None or found[1] == content
        assert found is None or not found[0].digest.startswith("sha256:") or found[0] == version
        assert store.put("/w/f", version, content)
        assert store.get("/w/f") == (version, content)

    fuzz(request, "entries of the mirror", spoiled(*texts), check, 150)
    store.close()


def test_a_damaged_manifest_starts_an_empty_mirror(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    ContentStore(folder, "host", "/w").close()
    whole = (folder / "manifest.json").read_bytes()

    def check(damage: bytes) -> None:
        (folder / "manifest.json").write_bytes(damage)
        store = ContentStore(folder, "host", "/w")
        version = version_of(b"x", "md5")
        assert store.put("/w/f", version, b"x") is store.usable
        assert store.get("/w/f") == ((version, b"x") if store.usable else None)
        store.close()

    fuzz(
        request, "manifests of the mirror", spoiled(whole, whole.replace(b'"format": 1', b'"format": 1e999')), check, 60
    )


def test_only_kept_outputs_are_of_the_spool(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with spool.open() as file:
        file.append(b"x")
        kept = file.path
    assert kept is not None
    (tmp_path / "output-secret.txt").write_text("")
    (tmp_path / "spool" / "output-link.txt").symlink_to(tmp_path / "output-secret.txt")

    def check(path: str) -> None:
        if spool.contains(path):
            assert Path(path).resolve() == kept

    near = [
        str(kept),
        f"{kept.parent}/../output-secret.txt",
        f"{kept.parent}/output-link.txt",
        f"{kept.parent}/owner-x",
    ]
    fuzz(request, "paths of kept outputs", spoiled_text(*near), check, 400)
    spool.close()
