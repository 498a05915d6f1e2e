"""Options of capacity: which resources are watched, what is planned with them, and when a change is proposed."""

# ruff: noqa: RUF009
# `option` returns a field.

from dataclasses import dataclass

from agent.config import amounts
from agent.config.option import Seconds, option, required
from agent.config.service_options import check_date
from agent.config.values import check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceOptions:
    """A resource: two PromQL expressions, asked once an hour. One of the usual ones is replaced by one of its name."""

    name: str = required("Its name.", example="filesystem", check=check_name)
    used: str = required("How much is used.", example="node_filesystem_size_bytes - node_filesystem_avail_bytes")
    limit: str = required("How much there is.", example="node_filesystem_size_bytes")
    labels: tuple[str, ...] = option((), "Labels that tell its subjects apart.", example=["mountpoint"])
    once: str = option("", "A label of which each value counts once: a device, wherever it is mounted.")
    unit: str = option("", 'What it is counted in: "bytes", "ratio", or nothing.')


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandOptions:
    """What is planned with a resource: forecasts count on it until its day, and then on what is measured."""

    resource: str = required("The resource's name.", example="filesystem")
    subject: str = option("", "Its subject, as `paramedic capacity` shows it; none: each of them.", example="/srv")
    on: str = required("The day on which it begins (UTC).", example="2026-12-24", check=check_date)
    step: str = option("0", "How much more is used at once.", example="200GB", check=amounts.parse)
    per_day: str = option("0", "How much more each day.", example="2GB", check=amounts.parse)
    note: str = option("", "What it is.", example="import of the old archive")


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityOptions:
    """When resources will be full: forecasts from hourly roll-ups, and a dated change with a ticket in time."""

    enabled: bool = option(True, "Keep hourly roll-ups and make forecasts.")
    interval: Seconds = option(
        Seconds(3600.0), "How often resources are looked at, an hour at most; changed by a restart.", most=3600
    )
    usual: bool = option(
        True, "Watch filesystems (room, inodes), memory, swap, CPU, open files, connections and our own state."
    )
    threshold: Seconds = option(Seconds(30 * 86400.0), "A change is proposed for what will be full sooner.")
    lead: Seconds = option(Seconds(7 * 86400.0), "How long before that the change should begin.")
    min_history: Seconds = option(Seconds(14 * 86400.0), "No forecast without so much history.")
    min_fit: float = option(0.6, "No forecast from a trend that explains less of the spread.")
    horizon: Seconds = option(Seconds(365 * 86400.0), "No forecast beyond this.")
    keep: Seconds = option(Seconds(400 * 86400.0), "How long roll-ups are kept at most.")
    resources: tuple[ResourceOptions, ...] = option((), "Resources of your own.")
    demands: tuple[DemandOptions, ...] = option((), "What is planned.")

    def __post_init__(self) -> None:
        if not 0.0 < self.min_fit < 1.0:
            raise ValueError(f"min_fit = {self.min_fit:g}: must be more than 0 and less than 1")
