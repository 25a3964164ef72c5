# The locked packages of finetune-bench, for engines that run jobs in containers. From the repository's root:
#   docker build -t ghcr.io/finetune-bench/finetune-bench:0.1.0 .
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/finetune-bench
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
# The workflow itself comes with Snakemake: a shared folder, or the archive that it sends along.
ENV PYTHONUNBUFFERED=1
CMD ["snakemake", "--help"]
