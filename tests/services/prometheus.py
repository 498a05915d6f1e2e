"""Prometheus and Alertmanager on loopback ports, with the configuration a test writes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.services.service import Server, Service, answers, free_port, need, private_directory, started

SILENT_ROUTE = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
"""An Alertmanager that keeps what it is told and notifies nobody."""


@contextmanager
def running_prometheus(config: str, *, files: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run Prometheus with this configuration; `files` (rule files, by name) lie beside it."""
    program = need("prometheus", "prometheus")
    with private_directory("prometheus") as directory:
        port = free_port()
        for name, text in (files or {}).items():
            (directory / name).write_text(text)
        (directory / "prometheus.yml").write_text(config)
        url = f"http://127.0.0.1:{port}"
        argv = (
            program,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
        )
        service = Service(argv=argv, directory=directory, ready=lambda: answers(f"{url}/-/ready"))
        with started(service):
            yield Server(url=url, port=port, service=service)


@contextmanager
def running_alertmanager(config: str = SILENT_ROUTE) -> Iterator[Server]:
    """Run a lone Alertmanager with this configuration."""
    program = need("prometheus-alertmanager", "prometheus-alertmanager")
    with private_directory("alertmanager") as directory:
        port = free_port()
        (directory / "alertmanager.yml").write_text(config)
        url = f"http://127.0.0.1:{port}"
        argv = (
            program,
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        )
        service = Service(argv=argv, directory=directory, ready=lambda: answers(f"{url}/-/ready"))
        with started(service):
            yield Server(url=url, port=port, service=service)
