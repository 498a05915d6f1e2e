"""The configuration: one frozen dataclass a table of the TOML file. The example file is generated from these."""

# ruff: noqa: RUF009
# `option` returns a field.

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.config import amounts
from agent.config.acting import ActionOptions, ApprovalOptions, GuardOptions, RemediationOptions
from agent.config.capacity_options import CapacityOptions
from agent.config.mqtt_options import MqttOptions
from agent.config.oncall_options import (
    ChainOptions,
    DigestOptions,
    PersonOptions,
    RotaOptions,
    RouteOptions,
    TeamOptions,
)
from agent.config.option import Seconds, option, required
from agent.config.people_options import ChannelOptions
from agent.config.quiet_options import FreezeOptions, InhibitionOptions
from agent.config.report_options import ReportOptions, ReviewOptions
from agent.config.service_options import CalendarOptions, PriorityOptions, ProblemOptions, ServiceOptions
from agent.config.values import (
    check_labels,
    check_listen,
    check_name,
    check_optional_url,
    check_sha256,
    check_url,
)
from rules import matchers


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOptions:
    """What is kept, and where."""

    directory: Path | None = option(
        None,
        "Where the state lives; default: $STATE_DIRECTORY, else the user's state folder.",
        example="/var/lib/paramedic",
    )
    history: Seconds = option(Seconds(3600.0), "How long host series are kept at least.")
    keep_incidents: Seconds = option(Seconds(400 * 86400.0), "How long closed incidents are kept.")
    keep_output: Seconds = option(Seconds(30 * 86400.0), "How long the output of actions is kept.")
    disk: str = option(
        "512MiB",
        "How much room the record takes at most: what is over goes first, the oldest before all; open incidents stay.",
        check=amounts.check_size,
    )
    series: int = option(500_000, "Series that are held at most; samples of more are left out, and one alert says so.")
    series_per_collector: int = option(300_000, "Of these, for one collector (all scrapes, all MQTT topics).")
    series_per_source: int = option(100_000, "Of these, for one target of it (a scrape's URL, a topic).")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = option("info", "The least important lines that are shown.")
    format: Literal["logfmt", "json"] = option("logfmt", "How a line looks.")


WebScope = Literal["read", "ingest", "operate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOptions:
    """A bearer token of the API. read: look; ingest: post alerts; operate: everything that orders something."""

    name: str = required("Its owner, as the audit shows it.", check=check_name)
    scopes: tuple[WebScope, ...] = required("What it opens: read, ingest, operate.", filled=True)
    secret_file: Path | None = option(None, "File holding the token.")
    sha256: str = option("", "Or the SHA-256 of the token, in hexadecimal.", check=check_sha256)

    def __post_init__(self) -> None:
        if (self.secret_file is None) == (not self.sha256):
            raise ValueError("needs either secret_file or sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """API, page and metrics. Reading on loopback is open; whatever changes something needs a token."""

    listen: str = option("127.0.0.1:8911", 'Address of API and metrics; "" for none.', check=check_listen)
    metrics_listen: str = option(
        "", "A second address that serves /metrics, /-/healthy and /-/ready only.", check=check_listen
    )
    token_file: Path | None = option(
        None, "File holding a bearer token with every scope.", example="/etc/paramedic/token"
    )
    tokens: tuple[TokenOptions, ...] = option(
        (),
        "More bearer tokens.",
        example=({"name": "prometheus", "scopes": ["ingest"], "secret_file": "/etc/paramedic/prometheus-token"},),
    )
    config_file: Path | None = option(
        None,
        "TLS, client certificates and users with passwords, as a web configuration of Prometheus' exporters.",
        example="/etc/paramedic/web.yml",
    )
    user_scopes: tuple[WebScope, ...] = option(("read",), "What users with a password may do.")
    certificate_scopes: tuple[WebScope, ...] = option((), "What clients with a certificate may do.")
    open_read: bool = option(True, "Let loopback read without a token.")
    open_ingest: bool = option(False, "Let loopback post alerts without a token.")
    requests_per_second: int = option(
        100,
        "Requests that another host's address or token may make, on average; 0 for no limit.",
        zero=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PathOptions:
    """Where collectors find the host: other places in a container."""

    procfs: Path = option(Path("/proc"), "Where procfs is mounted.")
    sysfs: Path = option(Path("/sys"), "Where sysfs is mounted.")
    rootfs: Path = option(Path("/"), "The root that mount points are below.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOptions:
    """What this host is called."""

    name: str = option("", "Name of this host in series, tickets and topics; default: the host name.")
    job: str = option("node", "The `job` label of this host's series.")
    external_labels: Mapping[str, str] = field(
        default_factory=dict,
        metadata={
            "help": "Labels for alerts that leave the host, and $externalLabels in templates.",
            "example": {"site": "berlin"},
            "check": check_labels,
        },
    )
    external_url: str = option(
        "",
        "The address under which people reach this daemon: $externalURL in templates, and the source of pushed alerts.",
        example="https://web1.example.org:8911",
        check=check_optional_url,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOptions:
    """What is judged: Prometheus rule files."""

    packs: tuple[str, ...] = option(
        ("disk", "host", "nagios", "paramedic", "probes", "process", "systemd"), "Our own packs to load."
    )
    files: tuple[str, ...] = option(
        (), "Prometheus rule files; patterns are allowed.", example=["/etc/paramedic/rules.d/*.yml"]
    )
    interval: Seconds = option(Seconds(15.0), "How often groups without an interval of their own are evaluated.")
    observe_new: Seconds = option(
        Seconds(0.0),
        "For so long a rule that was not here before starts no action: what would have been run is recorded.",
        zero=True,
        example="3d",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOptions:
    """Which alerts become incidents, and when these end."""

    match: tuple[str, ...] = option(
        ('severity=~"warning|error|critical|page"',), "Alerts that become incidents.", check=matchers.parse
    )
    settle: Seconds = option(Seconds(300.0), "Quiet time after boot or start: no action, no ticket.", zero=True)
    ignore_labels: tuple[str, ...] = option(("pid",), "Labels that do not make a different incident.")
    reopen_window: Seconds = option(Seconds(3600.0), "A recurrence within this re-opens the incident and its ticket.")
    no_data_after: Seconds = option(Seconds(900.0), "Missing data for this long escalates.")
    acknowledged_for: Seconds = option(
        Seconds(0.0), "How long an acknowledgement holds that names no end; 0s: until it is released.", zero=True
    )
    posted_alerts: int = option(
        200_000,
        "More alerts of other programs than this are not held at once, nor more than 2 KiB for each on average.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeOptions:
    """Articles: what is known about alerts, as Markdown files. The packs bring their own."""

    folders: tuple[Path, ...] = option(
        (),
        "Folders of NAME.md. A rule's annotation `article` is the NAME; else it is called like the alert"
        " (disk-space-low for DiskSpaceLow). They go before ours, the first folder before the next.",
        example=["/etc/paramedic/articles"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerOptions:
    """An Alertmanager that is told about firing and resolved alerts, muted ones too: it has silences of its own."""

    name: str = option("alertmanager", "Its name in metrics.", check=check_name)
    url: str = required("Base address.", example="http://127.0.0.1:9093", check=check_url)
    resend: Seconds = option(Seconds(60.0), "How often firing alerts are sent again.")
    timeout: Seconds = option(Seconds(10.0), "Time-out of a push.")
    token_file: Path | None = option(None, "File holding a bearer token.", example="/etc/paramedic/alertmanager-token")


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOptions:
    """A ticket system; with none, the embedded ticket book is used. Its adapter's options stand in the same table."""

    name: str = option("", "Its name in the outbox and metrics; default: the system's.")
    system: str = option("book", "Which adapter.")
    open: Literal["always", "on_escalation", "never"] = option("always", "When a ticket is opened.")
    drills: bool = option(False, "Open tickets for drills here too.")
    template: Path | None = option(
        None, "A file with a template of a ticket's first text.", example="/etc/paramedic/ticket.tmpl"
    )
    options: Any = field(default=None, metadata={"help": "The adapter's own options.", "rest": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorOptions:
    """A collector; its own options stand in the same table."""

    enabled: bool = option(True, "Whether it runs.")
    interval: Seconds = option(Seconds(15.0), "How often it runs.")
    timeout: Seconds = option(Seconds(5.0), "When a run is given up.")
    options: Any = field(default=None, metadata={"help": "The collector's own options.", "rest": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOptions:
    """Drills: a fault on purpose, in something of the daemon's own. They count in no figure, limit or promise."""

    enabled: bool = option(True, "Allow `paramedic drill --against` this daemon, which keeps what they came to.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. `collectors` holds every collector of the registry, defaults filled in, by name."""

    state: StateOptions = StateOptions()
    log: LogOptions = LogOptions()
    host: HostOptions = HostOptions()
    paths: PathOptions = PathOptions()
    web: WebOptions = WebOptions()
    collectors: dict[str, CollectorOptions] = field(default_factory=dict)
    rules: RuleOptions = RuleOptions()
    incidents: IncidentOptions = IncidentOptions()
    guards: GuardOptions = GuardOptions()
    actions: dict[str, ActionOptions] = field(default_factory=dict)
    approvals: ApprovalOptions = ApprovalOptions()
    remediations: tuple[RemediationOptions, ...] = ()
    calendars: tuple[CalendarOptions, ...] = ()
    services: tuple[ServiceOptions, ...] = ()
    priorities: PriorityOptions = PriorityOptions()
    problems: ProblemOptions = ProblemOptions()
    knowledge: KnowledgeOptions = KnowledgeOptions()
    capacity: CapacityOptions = CapacityOptions()
    freezes: tuple[FreezeOptions, ...] = ()
    inhibitions: tuple[InhibitionOptions, ...] = ()
    tickets: tuple[TicketOptions, ...] = ()
    channels: tuple[ChannelOptions, ...] = ()
    digests: tuple[DigestOptions, ...] = ()
    people: tuple[PersonOptions, ...] = ()
    teams: tuple[TeamOptions, ...] = ()
    rotas: tuple[RotaOptions, ...] = ()
    routes: tuple[RouteOptions, ...] = ()
    chains: tuple[ChainOptions, ...] = ()
    reports: tuple[ReportOptions, ...] = ()
    review: ReviewOptions = ReviewOptions()
    mqtt: MqttOptions = MqttOptions()
    alertmanagers: tuple[AlertmanagerOptions, ...] = ()
    drill: DrillOptions = DrillOptions()
