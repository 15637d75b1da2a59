"""A process killed at any moment of its work on the shared mirror harms and blocks no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.figures import tell

PROGRAM = """
import hashlib, os, signal, sys
from pathlib import Path
from pybridge.host.model import FileVersion
from pybridge.mirror.content_store import ContentStore

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.utime", "os.rmdir")
left = 0

def hook(event, arguments):
    global left
    if left and event in EVENTS:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

def killed_at(number, work):
    # Whether the work was killed at its disk call of that number, in a process of its own.
    global left
    child = os.fork()
    if not child:
        left = number
        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])

def version(content):
    return FileVersion("sha256:" + hashlib.sha256(content).hexdigest(), len(content))

root, what = Path(sys.argv[1]), sys.argv[2]
number = 0
while True:
    number += 1
    folder = root / str(number)
    old, new = b"old" * 50, b"new" * 70
    def make():
        # Were a dead process's lock still held, this would wait for it and then do without a mirror.
        return ContentStore(folder, "host-1", "/srv/app")
    if what == "put":
        store = make()
        store.put("/srv/app/f", version(old), old)
        work = lambda: store.put("/srv/app/f", version(new), new)
    elif what == "get":
        store = make()
        store.put("/srv/app/f", version(old), old)
        work = lambda: store.get("/srv/app/f")
    elif what == "trim":
        store = ContentStore(folder, "host-1", "/srv/app", max_bytes=1)
        for name in "fgh":
            file = ContentStore(folder, "host-1", "/srv/app")
            file.put("/srv/app/" + name, version(old), old)
        work = store.trim
    else:
        work = make
    killed = killed_at(number, work)
    other = make()
    assert other.usable, number
    assert other.get("/srv/app/f") in (None, (version(old), old), (version(new), new)), number
    assert other.put("/srv/app/f", version(new), new), number
    assert other.get("/srv/app/f") == (version(new), new), number
    if not killed:
        break
print(number - 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked for each moment")
@pytest.mark.parametrize("what", ["open", "put", "get", "trim"])
def test_the_mirror_serves_the_next_process_whenever_one_was_killed(
    what: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), what], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    moments = int(done.stdout)
    assert moments >= 2, moments
    tell(request, "several sessions", f"killed while it works on the mirror ({what})", moments)
