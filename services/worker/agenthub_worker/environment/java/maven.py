"""What is fetched for a project of Maven's: by the Maven that its wrapper names, else by the machine's own."""

from __future__ import annotations

from agenthub_worker.environment.place import PLACE

MAVEN_SETTINGS = f"$(test ! -f {PLACE}/m2/settings.xml || echo -s {PLACE}/m2/settings.xml)"
DISTRIBUTION_OF_MAVEN = ".mvn/wrapper/maven-wrapper.properties"
# A wrapper of today leaves what it brings one folder higher than those that are jars.
MAVEN_HOME = f"{PLACE}/maven"
_DISTRIBUTION = f"$(sed -n 's/^distributionUrl *= *//p' {DISTRIBUTION_OF_MAVEN} | tr -d '\\\\\\r')"
MAVEN_BROUGHT = f"""\
brought() {{ ls {MAVEN_HOME}/wrapper/dists/*/*/bin/mvn {MAVEN_HOME}/wrapper/dists/*/*/*/bin/mvn 2> /dev/null; }}
mkdir -p {PLACE}/bin
test ! -f mvnw || sh ./mvnw --version
for found in $(brought); do
    ln -sf "$found" {PLACE}/bin/mvn
done
if test -f mvnw && test -z "$(brought)"; then
    echo "The wrapper of Maven has failed. Its distribution is {_DISTRIBUTION}, which the worker must be able to\
 reach (AGENTHUB_SETUP_HOSTS), or \\`mvn\\` must be here." >&2
    ! command -v mvn > /dev/null || echo "It is here, and used instead." >&2
elif ! command -v mvn > /dev/null; then
    echo 'This is a project of Maven, and neither is `mvn` on this machine nor `mvnw` in the repository: bring one\
 of them, or give the goal a `setup`.' >&2
fi
command -v mvn > /dev/null"""
"""What the wrapper brings is the `mvn` of later commands."""

# What runs the tests is fetched by Maven when it runs them, and not before. Where modules need each other nothing
# is found until they are built, for which Maven fetches what they need.
MAVEN = f"mvn -B -q {MAVEN_SETTINGS} -Dmaven.repo.local={PLACE}/m2/repository"
MAVEN_BUILD = f"{MAVEN} -fn -Dmaven.test.failure.ignore=true test"
