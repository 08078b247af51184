"""What is fetched for a project of Gradle's, and what is said where Gradle itself is missing."""

from __future__ import annotations

from agenthub_worker.environment.place import PLACE

GRADLE_FILES = ("settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts")
DISTRIBUTION_OF_GRADLE = "gradle/wrapper/gradle-wrapper.properties"

_INIT = (
    "allprojects { tasks.create('agenthubResolve') { doLast {"
    " (configurations + buildscript.configurations).findAll { it.canBeResolved }.each { it.resolve() } } } }"
)
_NONE = (
    "test -f gradlew || command -v gradle > /dev/null || { echo 'This is a project of Gradle, and neither is"
    " `gradle` on this machine nor `gradlew` in the repository: bring one of them, or give the goal a `setup`.'"
    " >&2; exit 1; }"
)
_DISTRIBUTION = f"$(sed -n 's/^distributionUrl=//p' {DISTRIBUTION_OF_GRADLE} | tr -d '\\\\')"
RESOLVE = f"""\
{_NONE}
resolve() {{ "$@" --no-daemon -q -I /tmp/agenthub.gradle agenthubResolve; }}
brought() {{ ls {PLACE}/gradle/wrapper/dists/*/*/*/bin/gradle 2> /dev/null; }}
printf "%s" "{_INIT}" > /tmp/agenthub.gradle && mkdir -p {PLACE}/bin || exit 1
if test ! -f gradlew; then
    resolve gradle || exit 1
elif ! resolve sh ./gradlew; then
    test -z "$(brought)" || exit 1
    echo "The wrapper of Gradle has failed. Its distribution is {_DISTRIBUTION}, which the worker must be able to\
 reach (AGENTHUB_SETUP_HOSTS), or \\`gradle\\` must be here." >&2
    command -v gradle > /dev/null || exit 1
    echo "It is here, and used instead." >&2
    resolve gradle || exit 1
fi
for found in $(brought); do
    ln -sf "$found" {PLACE}/bin/gradle
done"""
"""With the wrapper of the repository when there is one; what it brings is the `gradle` of later commands."""
