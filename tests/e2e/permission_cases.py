"""Calls whose permission requests are compared with those of OpenCode's own tools.

`ROOT` stands for the folder that holds the repository and what lies outside of it, `HOME` for the home folder of the
machine the tools act on. The workdir is ROOT/repo/sub, in the git work tree ROOT/repo. Nothing of a command is run: the
shell is one that does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Call = tuple[str, dict[str, Any]]

TREE: Mapping[str, str] = {
    "repo/a.txt": "above\n",
    "repo/other/b.txt": "beside\n",
    "repo/sub/a.txt": "one\ntwo\n",
    "repo/sub/b.txt": "  one\n  two\n",
    "repo/sub/crlf.txt": "a\r\nb\r\n",
    "repo/sub/move.txt": "m\n",
    "repo/sub/gone.txt": "g\n",
    "repo/sub/.env": "SECRET=1\n",
    "repo/sub/.env.local": "SECRET=2\n",
    "repo/sub/.env.example": "SECRET=\n",
    "repo/sub/deep/f.py": "pass\n",
    "repo/sub/odd name/x": "",
    "outside/o.txt": "out\n",
    "outside/folder/x.txt": "x\n",
    "outside/folder/y.txt": "y\n",
}
"""Files by path below ROOT. `repo/sub/out` is a link to `outside`, `repo/sub/key.txt` one to `.env`."""

LINKS: Mapping[str, str] = {"repo/sub/out": "../../outside", "repo/sub/key.txt": ".env"}


def _bash(command: str, **more: Any) -> Call:
    return "bash", {"command": command, "description": "d", **more}


def _patch(*lines: str) -> Call:
    return "apply_patch", {"patchText": "\n".join(["*** Begin Patch", *lines, "*** End Patch"])}


_COMMANDS = r"""
ls
git status -s && ls -la
ls; ls; ls -a
npm run build -- --watch
docker compose up -d
git config user.name x | cat
gh pr create --title "a b" --body 'c d'
cat a.txt | grep x | sort -u | head -5
make -j4 2>&1 | tee build.log
make > out.txt 2>&1
cd deep && make > out.txt
cd deep; pwd
cd ..
cd ../.. && ls
cd ROOT/outside
pushd /tmp; popd
(cd deep && ls) && echo done
{ echo a; echo b; } > c.txt
( echo a; echo b ) | wc -l
for f in *.py; do echo "$f"; rm "$f"; done
while read -r line; do echo $line; done < a.txt
if test -f a.txt; then cat a.txt; elif false; then :; else rm a.txt; fi
if [ -f a.txt ]; then echo yes; fi
[[ -f a.txt && 1 -lt 2 ]] && echo yes
case $1 in a) rm a.txt;; *) touch b.txt;; esac
f() { rm -rf build; }; f
function g { git push; }
echo $(git rev-parse HEAD) `date`
echo "$(cat a.txt) and ${HOME}"
echo ${X:-$(rm x)}
diff <(sort a.txt) <(sort b.txt)
A=1 B=2 npm test
A=$(curl -s http://localhost) env
export PATH=$PATH:/x
export A=$(touch z)
FOO=1
declare -r X=2; readonly Y=3; local z
unset FOO
# a comment
ls # a comment
ls &
sleep 5 & wait
sleep 1; kill -9 123
time make
! grep x a.txt
sudo rm -rf /etc/x
sudo -u root cat /etc/shadow
env FOO=1 rm /etc/x
nohup python -m http.server 8000 &
python3 -c 'print("a; b && c")'
python -c "import os
print(os.getcwd())"
node -e "console.log(1)"
sh -c 'rm -rf /'
bash <<'EOF'\nrm -rf x\nEOF
cat <<EOF\nhello $(whoami)\nEOF
cat <<'EOF' > deep/new.txt\nhello $(whoami)\nEOF
cat <<-EOF | grep x\n\thello\n\tEOF
cat <<< "a string"
cat > a.txt << EOF && echo ok\nx\nEOF
git commit -m "$(cat <<'EOF'\nA title\n\nA body; with `things`\nEOF\n)"
cat /etc/passwd
cat /etc/passwd /etc/hosts ROOT/outside/o.txt
cat < /etc/passwd
cat ../a.txt ../../outside/o.txt
cat ../other/b.txt
cat ../../outside/folder
cat ../../outside/folder/
cat "../../outside/o.txt"
cat '../../outside/o.txt'
cat ../../outside/"o.txt"
cat ../../outside/*.txt
cat ../../outs*de/x
cat ../../outside/[ab].txt
cat ../../outside/?.txt
cat *
cat "*"
cat -- ../../outside/o.txt
cat -n ../../outside/o.txt
cat ~
cat ~/x
cat ~/
cat ~//x
cat '~/x' "~/y"
cat ~root/x
cat $HOME/x ${HOME}/y "$HOME"
cat $(echo /etc/passwd)
cat `echo /etc/passwd`
cat /etc/$NAME
cat /etc/*$NAME
cat $'/etc/passwd'
cat $"/etc/passwd"
cat /etc/pass\
wd
cat odd\ name/x ../../odd\ place/x
cat "odd name/x"
cat /
cat .
cat ""
cat ''
cat '@(a)' "(b)"
cat (a)
cat {a,b}.txt /etc/{passwd,group}
cat /dev/null
cat //etc//passwd
cat /etc/../etc/./passwd
cat - < a.txt
cat ../../outside/nowhere/deep/x
rm a.txt
rm -rf ../../outside/folder ../../outside/o.txt
rm -rf / --no-preserve-root
rm -r deep /tmp/x-*
cp a.txt ../../outside/new.txt
cp -r ../../outside/folder .
cp a.txt b.txt ROOT/outside/
mv a.txt /tmp/x
mv ../../outside/o.txt ../a.txt
mkdir -p ../../outside/new/deep
mkdir -m 755 /tmp/dir
mkdir deep/new
touch ../../outside/t
touch -t 202001010000 /tmp/t
chmod +x a.txt
chmod +x ../../outside/o.txt
chmod 755 ../../outside/o.txt
chmod -R u+rwX,g-w /tmp/dir
chmod u+x deep
chown root:root ../../outside/o.txt
chown -R 0:0 /srv/x
chown --reference=/etc/passwd a.txt
Cat /etc/passwd
CAT /etc/passwd
/bin/cat /etc/passwd
\cat /etc/passwd
'cat' /etc/passwd
"rm" /etc/x
$CMD /etc/passwd
${CMD} a
c'a't /etc/passwd
command cat /etc/passwd
xargs rm < list
find . -name '*.py' -exec rm {} \;
find / -delete
ls /etc
grep -r x /etc
sed -i s/a/b/ /etc/hosts
tee /etc/hosts < a.txt
echo x > /etc/hosts
echo x >> ../../outside/o.txt
echo x 2>/dev/null >&2
dd if=/dev/zero of=/etc/x
cd ../../outside && rm o.txt
cd /tmp && cat x
cd "$(mktemp -d)"
cd -
cd
cd && ls
chdir ..
cd ~/x && cat y
cd 'ROOT/outside/folder'
Push-Location x
set -e; cd deep; set +x
. ./env.sh
source ../../outside/env.sh
eval "rm $X"
exec 3> log
trap 'rm x' EXIT
alias ll='ls -l'
true && false || echo no
a | b || c & d
echo a && \
  echo b
echo a; # b; c
echo 'it'"'"'s'
echo "a \" b \" c"
echo \; ls
echo a;b
echo "multi
line"
echo é ü 日本語 🎉
cat é.txt ../../outside/日本.txt
printf '%s\n' "$@"
echo ${#a} ${a%b} ${a//x/y} $((1 + 2)) $?
((i++))
let i=1
test -f a.txt && rm a.txt
select x in a b; do echo $x; done
coproc cat
until false; do break; done
git log --oneline | head -n 3 && git diff HEAD~1 -- a.txt
git -C ../other status
git stash pop
npm install && npm test
yarn dlx create-x
bun run test
cargo add serde
kubectl rollout status deploy/x
aws s3 cp a s3://b
terraform workspace list
make
python manage.py migrate
pip install -r requirements.txt
uv run pytest
go test ./...
  ls  -l\t
ls\t-l
ls;
cat @(a)
"""
"""One command a line; in it `\\n` and `\\t` stand for what they mean, a lone backslash continues the line."""

UNREADABLE = (
    ";",
    "&& ls",
    "echo 'open",
    'echo "open',
    "rm x; )",
    "cat $(",
    "if true; then rm x",
    "ls | | rm x",
    "for x in; rm y",
)

BARE = ("> a.txt", "ls; > a.txt", "a && >> b.txt", "X=$(> a.txt)")


def _commands() -> list[str]:
    found: list[str] = []
    for line in _COMMANDS.strip("\n").split("\n"):
        if found and (found[-1].endswith("\\") or found[-1].count('"') % 2):
            found[-1] += "\n" + line
        else:
            found.append(line)
    return [line.replace("\\n", "\n").replace("\\t", "\t") if "printf" not in line else line for line in found]


COMMANDS: list[Call] = [
    *(_bash(command) for command in _commands()),
    _bash("ls", workdir="deep"),
    _bash("ls", workdir=".."),
    _bash("ls", workdir="../other"),
    _bash("ls", workdir="../../outside"),
    _bash("cat o.txt folder", workdir="ROOT/outside"),
    _bash("cat x.txt; rm ../o.txt", workdir="ROOT/outside/folder"),
    _bash("cd ../folder && cat y.txt", workdir="ROOT/outside"),
    _bash("ls", workdir=""),
    _bash("ls", workdir="ROOT/outside/nowhere"),
    _bash("cat /etc/passwd", workdir="/etc"),
]

FILES: list[Call] = [
    *(
        ("read", {"filePath": path})
        for path in ("a.txt", "ROOT/repo/a.txt", "../other/b.txt", "nowhere.txt", ".", "..")
    ),
    *(("read", {"filePath": path}) for path in (".env", ".env.local", ".env.example", "deep/f.py", "odd name/x")),
    *(("read", {"filePath": f"../../outside/{path}"}) for path in ("o.txt", "folder", "folder/x.txt", "gone/x", "")),
    ("read", {"filePath": "ROOT/outside"}),
    ("read", {"filePath": "a.txt", "offset": 2, "limit": 1}),
    ("glob", {"pattern": "*.txt"}),
    ("glob", {"pattern": "**/*.py", "path": "deep"}),
    ("glob", {"pattern": "*", "path": "../other"}),
    ("glob", {"pattern": "*", "path": "ROOT/outside"}),
    ("glob", {"pattern": "x*", "path": "../../outside/folder"}),
    ("glob", {"pattern": "*", "path": "../../outside/o.txt"}),
    ("glob", {"pattern": "*", "path": "../../outside/gone"}),
    ("grep", {"pattern": "one"}),
    ("grep", {"pattern": "one", "path": "deep", "include": "*.py"}),
    ("grep", {"pattern": "x", "path": "ROOT/outside"}),
    ("grep", {"pattern": "x", "path": "../../outside/o.txt"}),
    ("grep", {"pattern": "x", "path": "../../outside/gone"}),
    ("grep", {"pattern": "above", "path": ".."}),
    ("write", {"filePath": "new.txt", "content": "new\n"}),
    ("write", {"filePath": "a.txt", "content": "one\n2\n"}),
    ("write", {"filePath": "new/deep/f.txt", "content": ""}),
    ("write", {"filePath": "../w.txt", "content": "x"}),
    ("write", {"filePath": "ROOT/outside/w.txt", "content": "x"}),
    ("write", {"filePath": "../../outside/gone/w.txt", "content": "x"}),
    ("edit", {"filePath": "b.txt", "oldString": "one", "newString": "1"}),
    ("edit", {"filePath": "crlf.txt", "oldString": "a\nb", "newString": "A\nB"}),
    ("edit", {"filePath": "made.txt", "oldString": "", "newString": "made\n"}),
    ("edit", {"filePath": "../a.txt", "oldString": "above", "newString": "over"}),
    ("edit", {"filePath": "../../outside/folder/x.txt", "oldString": "x", "newString": "X"}),
    ("edit", {"filePath": "../../outside/gone.txt", "oldString": "x", "newString": "X"}),
    ("edit", {"filePath": "gone", "oldString": "x", "newString": "X"}),
    ("edit", {"filePath": "a.txt", "oldString": "not there", "newString": "X"}),
    ("edit", {"filePath": "a.txt", "oldString": "x", "newString": "x"}),
]

PATCHES: list[Call] = [
    _patch("*** Update File: a.txt", "@@", "-two", "+2"),
    _patch(
        "*** Add File: p/n.txt", "+hi", "*** Update File: b.txt", "@@", "-  two", "+  2", "*** Delete File: gone.txt"
    ),
    _patch("*** Add File: ROOT/outside/p1.txt", "+1", "*** Add File: ../../outside/p2.txt", "+2"),
    _patch(
        "*** Update File: ../../outside/folder/y.txt",
        "@@",
        "-y",
        "+Y",
        "*** Update File: ../a.txt",
        "@@",
        "-above",
        "+x",
    ),
    _patch("*** Add File: ../../outside/p3.txt", "+1", "*** Update File: a.txt", "@@", "-not there", "+b"),
    _patch("*** Update File: a.txt", "@@", "-no", "+b", "*** Delete File: ../../outside/o.txt"),
    _patch("*** Update File: gone", "@@", "-a", "+b"),
    _patch("*** Delete File: ../../outside/o.txt"),
    ("apply_patch", {"patchText": "junk"}),
]

DIFFERENT: dict[str, list[Call]] = {
    "bash-unreadable-command": [_bash(command) for command in UNREADABLE],
    "bash-bare-redirection": [_bash(command) for command in BARE],
    "real-paths": [
        _bash("cat out/o.txt"),
        _bash("ls", workdir="out"),
        ("read", {"filePath": "out/o.txt"}),
        ("read", {"filePath": "key.txt"}),
        ("glob", {"pattern": "*", "path": "out"}),
        ("grep", {"pattern": "x", "path": "out"}),
        ("write", {"filePath": "out/w2.txt", "content": "x"}),
        ("edit", {"filePath": "out/folder/x.txt", "oldString": "x", "newString": "y"}),
        _patch("*** Add File: out/p9.txt", "+1"),
    ],
    "home-folder": [("read", {"filePath": "~/x"}), _bash("ls", workdir="~")],
    "patch-move-target": [_patch("*** Update File: move.txt", "*** Move to: deep/moved.txt", "@@", "-m", "+M")],
    "patch-onto-existing": [_patch("*** Add File: a.txt", "+1")],
}
"""Calls that are meant to ask for something else, by the name of their row in `pybridge.tools.differences`."""
