# The image of Dubito. Its root file system may be read-only: only the state is written.
FROM python:3.13-slim AS build

WORKDIR /build
RUN python -m venv /opt/dubito
COPY requirements/image.txt requirements/image.txt
RUN /opt/dubito/bin/pip install --no-cache-dir --require-hashes --requirement requirements/image.txt
# The base image has no C compiler: one from PyPI, of this stage alone.
RUN python -m venv /opt/compiler
COPY requirements/compiler.txt requirements/compiler.txt
RUN /opt/compiler/bin/pip install --no-cache-dir --require-hashes --requirement requirements/compiler.txt
COPY pyproject.toml README.md LICENSE ./
COPY dubito dubito
COPY app app
# The library first: the service has its version. Its kernels are for any processor of the kind.
RUN CC="/opt/compiler/bin/python -m ziglang cc -mcpu=baseline" \
    /opt/dubito/bin/pip install --no-cache-dir --no-deps --no-build-isolation .
RUN /opt/dubito/bin/python -c "from dubito.engine.backends.native.library import KERNEL, compiled; compiled(KERNEL)"
RUN /opt/dubito/bin/python -c "from dubito.loans.formulas.scoring import scoring_library; scoring_library()"
RUN /opt/dubito/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./app
COPY LICENSE /srv/dubito/
COPY models /srv/dubito/models
# In a checkout files may be their owner's alone; in the image everybody may read them.
RUN chmod --recursive a+rX,go-w /opt/dubito /srv/dubito


FROM python:3.13-slim

COPY --from=build /opt/dubito /opt/dubito
COPY --from=build /srv/dubito /srv/dubito
# An orchestrator may choose any user; the group is then 0.
RUN install --directory --owner=10001 --group=0 --mode=0770 /srv/dubito/var
WORKDIR /srv/dubito

# TensorFlow does not start without a folder for temporary files; /dev/shm is written even where
# everything else is read-only, and SQLite gets one that has room. Keras would make one of its own.
ENV PATH=/opt/dubito/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    SQLITE_TMPDIR=/srv/dubito/var \
    KERAS_HOME=/opt/dubito/keras \
    DUBITO_HOST=0.0.0.0 \
    DUBITO_PORT=8000 \
    DUBITO_MODELS=/srv/dubito/models \
    DUBITO_STATE=/srv/dubito/var

VOLUME /srv/dubito/var
USER 10001:0
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['DUBITO_PORT']}/health/ready\", timeout=4)"]

ENTRYPOINT ["dubito"]
CMD ["serve"]
