# The service alone: no torch, no training, no export, no pip. `make image` builds it, `make image-check` runs it.
#
# The base is pinned by tag. To pin it by digest, so that not even a rebuilt tag slips in:
#     make image PYTHON_IMAGE=docker.io/library/python@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.11.13-slim-bookworm

# 1. The dependencies, from their tested pins, in an environment of their own.
FROM ${PYTHON_IMAGE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Optional extras of the distribution, for example --build-arg EXTRAS=otel.
ARG EXTRAS=""
WORKDIR /src
COPY pyproject.toml constraints.txt image/requirements.py ./
# A mirror or a private certificate authority come as secrets and stay out of every layer.
ARG PIP_CERT
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv --without-pip /opt/patsum \
    && python3 requirements.py pyproject.toml "${EXTRAS}" > requirements.txt \
    && python3 -m pip --python /opt/patsum/bin/python install --no-compile --only-binary :all: \
        -c constraints.txt -r requirements.txt \
    && find /opt/patsum/lib -type d -name tests -prune -exec rm -r {} +

# 2. patsum itself, from a context that holds `service` only (.dockerignore), beside its dependencies:
#    it becomes a layer of its own, so that an upgrade moves it alone (docs/operations.md, "The image").
FROM dependencies AS build
COPY README.md LICENSE ./
COPY service service
ARG PIP_CERT
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle,target=/etc/ssl/certs/ca-certificates.crt \
    PIP_CONSTRAINT=/src/constraints.txt python3 -m pip --python /opt/patsum/bin/python install \
        --no-compile --no-deps --prefix /app . \
    && for root in /opt/patsum /app; do \
        PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash "$root"/lib; done

# 3. What a process needs. uid 65532 is what distroless and Kubernetes' restricted profile know as nonroot.
FROM ${PYTHON_IMAGE} AS runtime
# What the base brings and no service needs: installers, and programs that run with another's rights.
RUN find / -xdev -path '*python*' \( -name pip -o -name 'pip-*' -o -name 'pip3*' -o -name ensurepip -o -name python-wheels \
        -o -name setuptools -o -name 'setuptools-*' -o -name pkg_resources -o -name _distutils_hack \
        -o -name distutils-precedence.pth -o -name wheel -o -name 'wheel-*' \) -prune -exec rm -r {} + \
    && rm -f /usr/bin/pip* /usr/bin/wheel /usr/local/bin/pip* /usr/local/bin/wheel \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
ENV PATH=/opt/patsum/bin:$PATH \
    HOME=/nonexistent \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    PATSUM_HOST=0.0.0.0
COPY --from=build /opt/patsum /opt/patsum
COPY --from=build /app /opt/patsum
# The official Python image ships its standard library without bytecode, and a read-only root could never cache it:
# what the service imports is compiled here, once, instead of at every start.
RUN PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE= python3 -c "import service.cli, service.api.app"
USER 65532:65532
WORKDIR /
EXPOSE 8000 9000
# Kubernetes has probes of its own and ignores this; /livez needs no key and no model.
HEALTHCHECK --interval=30s --timeout=3s --start-period=15s --retries=3 CMD ["python3", "-c", \
    "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PATSUM_PORT') or 8000), timeout=2); c.request('GET', '/livez'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["patsum"]
CMD ["serve"]

# 4. The proof: as the user that it runs as, the image answers and holds nothing of the offline side.
FROM runtime AS check
COPY image/contents.py /tmp/contents.py
RUN python3 /tmp/contents.py > /tmp/contents.json

# 5. The image. It takes the report of the check, so that no builder may leave the check out.
FROM runtime
ARG VERSION="unknown"
ARG REVISION="unknown"
ARG CREATED="unknown"
ARG SOURCE=""
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="patsum" \
    org.opencontainers.image.description="Extractive summaries on plain CPUs, with their reasons" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.source="${SOURCE}" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${PYTHON_IMAGE}"
COPY --from=check /tmp/contents.json /opt/patsum/contents.json
