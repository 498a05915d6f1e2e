"""Every metric about paramedic itself. One table, so that names and labels stay consistent.

Nothing here takes labels from the outside world: label values are names from the configuration or members of enums.
"""

from prometheus_client.metrics import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry

REGISTRY = CollectorRegistry(auto_describe=False)

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str) -> Histogram:
    return Histogram(name, text, labels, registry=REGISTRY, buckets=_LATENCY)


BUILD_INFO = _gauge("paramedic_build_info", "Version of paramedic and Python; always 1.", "version", "python")
START_TIME = _gauge("paramedic_start_time_seconds", "When the daemon started, in seconds since the epoch.")
LOG_LOST = _counter("paramedic_log_lines_lost_total", "Lines of the log that could not be written.")
READY = _gauge("paramedic_ready", "1 once every collector has been run.")

# collecting
COLLECTOR_RUNS = _counter("paramedic_collector_runs_total", "Runs of a collector.", "collector", "result")
COLLECTOR_ERRORS = _counter("paramedic_collector_errors_total", "Failed runs by class of error.", "collector", "error")
COLLECTOR_MISSED = _counter(
    "paramedic_collector_missed_runs_total", "Runs that were due and did not start.", "collector"
)
COLLECTOR_OVERLAP = _counter(
    "paramedic_collector_overlapping_runs_total", "Runs left out because the one before had not ended.", "collector"
)
COLLECTOR_ABANDONED = _gauge("paramedic_collector_abandoned_threads", "Threads given up after their time-out.")
COLLECTOR_DURATION = _gauge("paramedic_collector_duration_seconds", "How long the last run took.", "collector")
WATCH_EVENTS = _counter("paramedic_watch_events_total", "Events heard from an event source.", "watch")
WATCH_RECONNECTS = _counter("paramedic_watch_reconnects_total", "Times an event source was opened again.", "watch")
JOB_EVENTS = _counter(
    "paramedic_scheduler_events_total", "Scheduled runs that were missed, left out or raised.", "task", "event"
)
CLOCK_STEPS = _counter("paramedic_clock_steps_total", "Steps of the wall clock by more than two seconds.")
STANDSTILLS = _counter("paramedic_standstills_total", "Times when the process stood still for more than five seconds.")

# engine
QUEUE_LENGTH = _gauge("paramedic_queue_length", "Items waiting for the engine.", "kind")
QUEUE_DROPPED = _counter("paramedic_queue_dropped_total", "Items refused because the queue was full.", "kind")
QUEUE_COALESCED = _counter("paramedic_queue_coalesced_total", "Readings that newer ones took the place of.", "kind")
BATCH_SECONDS = _histogram("paramedic_engine_batch_seconds", "Time from taking a batch to its commit.")
SERIES = _gauge("paramedic_series", "Series in the store.")
SAMPLES_REFUSED = _gauge("paramedic_samples_refused", "Samples left out because the store holds its most series.")
DETECTION_SECONDS = _histogram(
    "paramedic_detection_seconds", "Time from a pushed event to the commit of what it led to."
)
QUARANTINED = _gauge("paramedic_quarantined_rows", "Rows of the state that could not be read and were set aside.")
UNWRITTEN = _gauge("paramedic_unwritten_records", "Records that wait because the disk takes nothing.")
CLAIM_MISMATCHES = _counter("paramedic_outbox_claim_mismatches_total", "Answers for outbox rows of somebody else.")

# rules
RULE_GROUP_SECONDS = _gauge("paramedic_rule_group_duration_seconds", "How long the last evaluation took.", "rule_group")
RULE_GROUP_LAST_SECONDS = _gauge(
    "prometheus_rule_group_last_duration_seconds", "The same, for what knows it by Prometheus' name.", "rule_group"
)
RULE_EVALUATIONS = _counter("paramedic_rule_evaluations_total", "Evaluations of rules.", "rule_group")
RULE_FAILURES = _counter("paramedic_rule_evaluation_failures_total", "Evaluations that failed.", "rule_group")
RULE_LIMITED = _gauge("paramedic_rule_limit_exceeded", "1 while a rule yields more than its limit.", "rule")
ALERTS = _gauge("paramedic_alerts", "Alerts by state.", "state")
POSTED = _gauge("paramedic_posted_alerts", "Alerts of other programs that are held.")
POSTED_DROPPED = _counter("paramedic_posted_alerts_dropped_total", "New ones left out because too many are held.")

# incidents
INCIDENTS = _gauge("paramedic_incidents", "Incidents that are not closed, by state and priority.", "state", "priority")
INCIDENTS_OPENED = _counter("paramedic_incidents_opened_total", "Incidents opened.", "priority")
PROMISES = _counter(
    "paramedic_promise_calls_total", "Response and resolution times at risk or broken.", "service", "kind", "call"
)
PAGES = _counter("paramedic_pages_total", "Levels told because nobody had acknowledged.", "chain", "level")
PROBLEMS_OPENED = _counter("paramedic_problems_opened_total", "Problems opened.", "service")
PROBLEMS = _gauge("paramedic_problems", "Problems that are not closed, by state.", "state")
CHANGES = _counter("paramedic_changes_total", "Changes closed, by type and how they ended.", "type", "result")
CHANGES_OPEN = _gauge("paramedic_changes_open", "Changes that wait, or are being carried out.", "type")
CHANGES_UNREVIEWED = _gauge("paramedic_changes_unreviewed", "Emergency changes that nobody has reviewed.")
CAPACITY_FULL = _gauge(
    "paramedic_capacity_full_timestamp_seconds",
    "When a resource will be full, where that can be told.",
    "resource",
    "subject",
)
CAPACITY_FIT = _gauge("paramedic_capacity_fit", "How well its trend fits, 0 to 1.", "resource", "subject")
CAPACITY_USED = _gauge("paramedic_capacity_used_ratio", "Share of it that is used.", "resource", "subject")
INCIDENTS_RESOLVED = _counter("paramedic_incidents_resolved_total", "Incidents resolved, by how.", "resolution")
INCIDENTS_ENDED = _counter(
    "paramedic_incidents_ended_total",
    "Incidents that are over for good, by rule and how they ended: once the time to re-open them is over.",
    "rule",
    "result",
)
INCIDENT_SECONDS = _counter(
    "paramedic_incident_seconds_total", "Time that incidents which are over took, by phase.", "service", "phase"
)
INCIDENT_DOWN = _counter(
    "paramedic_service_down_seconds_total", "Time that incidents which are over had their service down.", "service"
)
INCIDENT_RESPONSES = _counter(
    "paramedic_incident_respond_seconds_total", "Time until somebody or something did a thing about them.", "service"
)
INCIDENTS_RESPONDED = _counter(
    "paramedic_incidents_responded_total", "Incidents over about which somebody or something did a thing.", "service"
)
INCIDENTS_RECURRED = _counter(
    "paramedic_incidents_recurred_total", "Incidents over that had been re-opened.", "service"
)
PROMISES_ENDED = _counter(
    "paramedic_promises_ended_total",
    "Promises about incidents that are over, kept or broken.",
    "service",
    "kind",
    "result",
)
LABOUR_SAVED = _counter("paramedic_labour_saved_seconds_total", "People's time saved by repairs, as declared.")
OUTAGE_AVOIDED = _counter("paramedic_outage_avoided_seconds_total", "Outage avoided by repairs, as declared.")
BUDGET_USED = _gauge(
    "paramedic_error_budget_used_ratio", "Part of the failures allowed to a service that has happened.", "service"
)
AVAILABILITY = _gauge(
    "paramedic_availability_ratio", "Availability of a service over its objective's window.", "service"
)
OLDEST_TICKET = _gauge("paramedic_ticket_oldest_seconds", "Age of the oldest ticket whose incident is not over.")
OLDEST_INCIDENT = _gauge("paramedic_incident_oldest_seconds", "Age of the oldest incident that needs work.")
DECISIONS = _counter("paramedic_decisions_total", "Decisions by their reason.", "reason")
ATTEMPTS = _counter("paramedic_remediation_attempts_total", "Attempts by outcome.", "remediation", "outcome")
VERIFICATIONS = _counter(
    "paramedic_remediation_verifications_total", "Verified attempts by result.", "remediation", "result"
)
REFUSALS = _counter("paramedic_remediation_refusals_total", "Refused attempts by guard.", "remediation", "guard")
PROPOSALS = _counter(
    "paramedic_remediation_proposals_total",
    "Proposals by what the record proves about them: correct, wrong or unproven.",
    "remediation",
    "proof",
)
WOULD_RUN = _counter("paramedic_remediation_would_run_total", "Attempts that observe mode held back.", "remediation")
SUPPRESSED = _gauge("paramedic_incidents_suppressed", "Incidents that need work and are muted.")
SILENCES = _gauge("paramedic_silences", "Silences by state.", "state")
BREAKER_STATE = _gauge(
    "paramedic_breaker_state",
    "Circuit breaker of a remediation or action kind: 0 closed, 1 half-open, 2 open.",
    "scope",
    "name",
)
VERIFIED_SUCCESS = _gauge(
    "paramedic_verified_success_ratio", "Share of the last ten verified attempts that helped.", "scope", "name"
)
DEMOTED = _gauge(
    "paramedic_remediation_demoted", "1 while a remediation needs approval for its poor results.", "remediation"
)
STOPPED = _gauge("paramedic_stopped", "1 while the global stop is on.")

# web
HTTP_REFUSED = _counter("paramedic_http_refused_total", "Connections and requests turned away, by why.", "reason")

# outbox
OUTBOX = _gauge("paramedic_outbox_rows", "Effects owed, by kind and state.", "kind", "state")
OUTBOX_OLDEST = _gauge("paramedic_outbox_oldest_seconds", "Age of the oldest effect that is still owed.")
DELIVERY_FAILING = _gauge(
    "paramedic_delivery_failing", "1 while what a target is owed fails and is tried again.", "target"
)
EFFECTS = _counter("paramedic_effects_total", "Effects performed, by target and result.", "target", "result")

# outside
MQTT_CONNECTED = _gauge("paramedic_mqtt_connected", "1 while connected to the broker.")
MQTT_INPUT_CONNECTED = _gauge(
    "paramedic_mqtt_input_connected", "1 while connected to the broker with every subscription granted.", "broker"
)
MQTT_MESSAGES = _counter("paramedic_mqtt_messages_total", "Messages received, by result.", "subscription", "result")
MQTT_TOPICS = _gauge("paramedic_mqtt_topics", "Topics that were heard.", "subscription")
MQTT_SILENT = _gauge("paramedic_mqtt_silent_topics", "Topics without the message that was expected.", "subscription")
ALERTMANAGER_PUSHES = _counter("paramedic_alertmanager_pushes_total", "Pushes to an Alertmanager.", "target", "result")
RELOAD_OK = _gauge("paramedic_config_last_reload_successful", "1 if the last reload was taken over.")
RELOAD_TIME = _gauge("paramedic_config_last_reload_success_timestamp_seconds", "When a reload was last taken over.")
STATE_BYTES = _gauge("paramedic_state_bytes", "Size of the state database.")
STATE_LIMIT = _gauge("paramedic_state_limit_bytes", "How much of it may be in use before the oldest is forgotten.")
STATE_USED = _gauge("paramedic_state_used_bytes", "How much of it is in use; the rest is free for what comes.")
