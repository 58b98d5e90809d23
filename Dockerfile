# One image for every role: `docker run hopline ingress`, `worker`, `sink`, `topics create`.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY plugins plugins
COPY transport transport
COPY ingress ingress
COPY streams streams
COPY sinks sinks
COPY cli cli
RUN python -m venv /opt/hopline && /opt/hopline/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 hopline && install -d -o hopline /var/lib/hopline \
    /var/lib/hopline/storage /var/lib/hopline/spool
COPY --from=build /opt/hopline /opt/hopline
ENV PATH=/opt/hopline/bin:$PATH HOPLINE_DATA_DIR=/var/lib/hopline PYTHONUNBUFFERED=1
USER 10001
VOLUME /var/lib/hopline
EXPOSE 8080
ENTRYPOINT ["hopline"]
