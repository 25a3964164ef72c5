# The locked packages of finetune-bench, for engines that run jobs in containers. From the repository's root: `make image`, or
#   docker build --build-arg BASE=python:3.11-slim@sha256:<digest> -t finetune-bench .
# A tag is whatever its publisher says today: give the digest that `docker buildx imagetools inspect python:3.11-slim` shows.
ARG BASE=python:3.11-slim
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
