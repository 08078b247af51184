"""What is fetched for a project of Gradle's, and what is said where Gradle itself is missing."""

from __future__ import annotations

from agenthub_worker.environment.place import PLACE

GRADLE_FILES = ("settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts")

_INIT = (
    "allprojects { tasks.create('agenthubResolve') { doLast {"
    " (configurations + buildscript.configurations).findAll { it.canBeResolved }.each { it.resolve() } } } }"
)
_NONE = (
    "test -f gradlew || command -v gradle > /dev/null || { echo 'This is a project of Gradle, and neither is"
    " `gradle` on this machine nor `gradlew` in the repository: bring one of them, or give the goal a `setup`.'"
    " >&2; exit 1; }"
)
_DISTRIBUTION = "$(sed -n 's/^distributionUrl=//p' gradle/wrapper/gradle-wrapper.properties | tr -d '\\\\')"
_NOT_BROUGHT = (
    f'{{ test ! -f gradlew || echo "The wrapper of Gradle has failed. Its distribution is {_DISTRIBUTION}, which'
    ' the worker must be able to reach (AGENTHUB_SETUP_HOSTS), or \\`gradle\\` must be here." >&2; exit 1; }'
)
RESOLVE = (
    f"{_NONE}\n"
    f'printf "%s" "{_INIT}" > /tmp/agenthub.gradle && mkdir -p {PLACE}/bin &&'
    " { test ! -f gradlew || run='sh ./gradlew'; ${run:-gradle} --no-daemon -q -I /tmp/agenthub.gradle"
    f" agenthubResolve || {_NOT_BROUGHT}; }} && for found in {PLACE}/gradle/wrapper/dists/*/*/*/bin/gradle; do"
    f' test ! -f "$found" || ln -sf "$found" {PLACE}/bin/gradle; done'
)
"""With the wrapper of the repository when there is one; what it brings is the `gradle` of later commands."""
