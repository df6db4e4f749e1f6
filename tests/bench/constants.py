"""What scripts/size-site reckons with, taken from a run's figures: docs/figures.json.

A run of some parts renews what those parts measured and leaves the rest as it was."""

import json

# Name in the file: the figure that it is the median of.
NAMES = {
    "embedded": {
        "watch_cpu_s_per_million": "ingest.plain.100.10000.watch",
        "watch_tls_cpu_s_per_million": "ingest.TLS.100.10000.watch",
        "filter_cpu_s_per_million": "ingest.plain.100.10000.filter",
        "filter_single_cpu_s_per_million": "waiting.1.cpu",
        "wire_bytes_per_event": "waiting.100.wire",
        "log_bytes_per_event": "waiting.100.disk",
        "memory_mib": "ingest.plain.100.10000.memory",
        "log_jobs_per_s": "jobs.log.rate",
        "log_job_cpu_ms": "jobs.log.cpu",
        "exec_jobs_per_s": "jobs.exec.rate",
        "exec_job_cpu_ms": "jobs.exec.cpu",
        "web_jobs_per_s": "jobs.webhook.rate",
        "web_job_cpu_ms": "jobs.webhook.cpu",
        "cluster_jobs_per_s": "jobs.permissions.rate",
        "cluster_job_cpu_ms": "jobs.permissions.cpu",
        "history_bytes_per_job": "jobs.permissions.disk",
    },
    "redis": {
        "watch_cpu_s_per_million": "roles.100.watch",
        "filter_cpu_s_per_million": "roles.100.filter",
        "server_cpu_s_per_million": "roles.100.server",
        "memory_bytes_per_event": "roles.100.memory",
        "network_bytes_per_event": "roles.100.network",
        "memory_bytes_per_job": "roles.jobs.permissions.memory",
        "log_job_cpu_ms": "roles.jobs.log.cpu",
        "log_job_server_ms": "roles.jobs.log.server",
        "cluster_job_cpu_ms": "roles.jobs.permissions.cpu",
        "cluster_job_server_ms": "roles.jobs.permissions.server",
    },
}


def write(path, figures, machine):
    known = json.loads(path.read_text()) if path.exists() else {}
    for store, names in NAMES.items():
        for name, figure in names.items():
            median = figures.median(figure)
            if median is not None:
                known.setdefault(store, {})[name] = float(f"{median:.4g}")
    known["machine"] = {key: machine[key] for key in ("cpu", "cores", "memory_mib", "system", "kernel")}
    known["measured"] = machine["date"]
    known["load"] = machine["load_before"]
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")

