"""How many words of a command line say what it does: the part a user allows "always".

`git status -s` is known by two words, `npm run build` by three, `ls -la` by one. The numbers are those OpenCode uses,
so that an "always" given there or here means the same.
"""

from __future__ import annotations

from collections.abc import Sequence

_ONE = """
cat cd chmod chown cp echo env export grep kill killall ln ls mkdir mv ps pwd rm rmdir sleep source tail touch unset
which
"""
_TWO = """
bazel brew bun cargo cdk cf cmake composer consul crictl deno docker eksctl firebase flyctl git go gradle helm heroku
hugo ip kind kubectl kustomize make mc minikube mongosh mysql mvn ng npm nvm nx openssl pip pipenv pnpm poetry podman
psql pulumi pyenv python rake rbenv redis-cli rustup serverless skaffold sls sst swift systemctl terraform tmux turbo
ufw vault vercel volta wp yarn
"""
_THREE = "aws az doctl gcloud gh sfdx"
# Commands of two words whose listed subcommands take a further one.
_SUBCOMMANDS = {
    "bun": "run x",
    "cargo": "add run",
    "consul": "kv",
    "deno": "task",
    "docker": "builder compose container image network volume",
    "eksctl": "create",
    "git": "config remote stash",
    "ip": "addr link netns route",
    "kind": "create",
    "kubectl": "kustomize rollout",
    "mc": "admin",
    "npm": "exec init run view",
    "openssl": "req x509",
    "pnpm": "dlx exec run",
    "podman": "container image",
    "pulumi": "stack",
    "terraform": "workspace",
    "vault": "auth kv",
    "yarn": "dlx run",
}

ARITY: dict[tuple[str, ...], int] = {
    **{(name,): 1 for name in _ONE.split()},
    **{(name,): 2 for name in _TWO.split()},
    **{(name,): 3 for name in _THREE.split()},
    **{(name, sub): 3 for name, subs in _SUBCOMMANDS.items() for sub in subs.split()},
}
"""Words that say what a command does, by the words it begins with."""


def known_by(words: Sequence[str]) -> list[str]:
    """The words of a command that say what it does; one where nothing is known of it."""
    for size in range(min(len(words), 2), 0, -1):
        arity = ARITY.get(tuple(words[:size]))
        if arity is not None:
            return list(words[:arity])
    return list(words[:1])
