"""paramedic's own metrics as samples, so that rules can watch paramedic itself."""

from agent.telemetry.metrics import REGISTRY
from collectors.sample import Labels, Sample, Source

SOURCE = Source("self")
_labels: dict[tuple[tuple[str, str], ...], Labels] = {}
"""Sorted label pairs by the pairs as prometheus_client gives them; as few as there are children."""


def samples() -> list[Sample]:
    """Return every sample of the registry but times of creation."""
    return [
        Sample(sample.name, sample.value, _sorted(tuple(sample.labels.items())))
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]


def _sorted(pairs: tuple[tuple[str, str], ...]) -> Labels:
    known = _labels.get(pairs)
    if known is None:
        known = _labels[pairs] = tuple(sorted(pairs))
    return known
