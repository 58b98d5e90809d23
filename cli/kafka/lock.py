"""`python -m cli.kafka.lock` writes `jars.json`: run it after a change of version here and in `jars.py`.

It resolves the whole dependency graph, as Maven would, and downloads what it finds into the local repository.
"""

import json
from dataclasses import asdict

from jgo.maven import Artifact, MavenContext

from cli.kafka.jars import LOCK_FILE, VERSION, Jar, sha256_of

_ROOTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
# The console tools. What the rest of this artefact needs (Connect, Trogdor) would double the number of jars.
_ALONE = (f"org.apache.kafka:kafka-tools:{VERSION}",)


def _resolve(context: MavenContext) -> list[Artifact]:
    dependencies = [context.create_dependency(root) for root in _ROOTS]
    inputs, transitive = context.resolver.resolve(dependencies)
    needed = [dependency for dependency in transitive if dependency.scope in ("compile", "runtime")]
    alone = [context.create_dependency(root) for root in _ALONE]
    return [dependency.artifact for dependency in (*inputs, *alone, *needed)]


def _locked(artifact: Artifact) -> Jar:
    path = artifact.resolve()
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(coordinate, path.stat().st_size, sha256_of(path))


if __name__ == "__main__":
    lines = (json.dumps(asdict(_locked(artifact))) for artifact in _resolve(MavenContext()))
    LOCK_FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n")
