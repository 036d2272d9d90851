# Two stages: what builds is not shipped. Installs from the lock file, with hashes.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /app
COPY requirements.lock .
RUN /app/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
COPY . .
RUN /app/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data fivegates \
    && install -d -o fivegates -g fivegates -m 0700 /data
COPY --from=build /app /app
USER fivegates
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 FIVEGATES_DATA=/data
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
# PUBLIC_URL and TWILIO_AUTH_TOKEN have to be set: without them the server refuses to listen beyond loopback.
CMD ["fivegates", "serve", "--host", "0.0.0.0", "--port", "8080"]
