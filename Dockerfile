# The locked packages of finetune-bench, for engines that run jobs in containers. From the repository's root: `make image`. The base is
# named by the digest of its content, so an engine refuses another; `docker buildx imagetools inspect python:3.11-slim` shows a newer one:
#   make image BASE=python:3.11-slim@sha256:<digest>
ARG BASE=python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/finetune-bench
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
# The workflow itself comes with Snakemake: a shared folder, or the archive that it sends along.
RUN useradd --create-home --uid 1000 ftbench
USER ftbench
ENV PYTHONUNBUFFERED=1
CMD ["snakemake", "--help"]
