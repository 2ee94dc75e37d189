# The image of Dubito. Its root file system may be read-only: only the state is written.
FROM python:3.13-slim AS build

WORKDIR /build
RUN python -m venv /opt/dubito
COPY requirements/serve.txt requirements/serve.txt
RUN /opt/dubito/bin/pip install --no-cache-dir --require-hashes -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN /opt/dubito/bin/pip install --no-cache-dir --no-deps --no-build-isolation .


FROM python:3.13-slim

RUN useradd --system --uid 10001 --no-create-home dubito \
    && install --directory --owner=dubito --mode=0700 /srv/dubito/var

COPY --from=build /opt/dubito /opt/dubito
WORKDIR /srv/dubito
COPY LICENSE ./
COPY models models

ENV PATH=/opt/dubito/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DUBITO_HOST=0.0.0.0 \
    DUBITO_PORT=8000 \
    DUBITO_MODELS=/srv/dubito/models \
    DUBITO_STATE=/srv/dubito/var

VOLUME /srv/dubito/var
USER 10001
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['DUBITO_PORT']}/health/ready\", timeout=4)"]

ENTRYPOINT ["dubito"]
CMD ["serve"]
