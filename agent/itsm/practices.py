"""Which ITIL 4 practice and which COBIT 2019 objective each kind of record belongs to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """A practice and an objective, by the names that ITIL 4 and COBIT 2019 give them."""

    itil: str
    cobit: str

    def __str__(self) -> str:
        return f"ITIL: {self.itil}. COBIT: {self.cobit}."


INCIDENTS = Practice(itil="incident management", cobit="DSS02 Managed Service Requests and Incidents")
DESK = Practice(itil="service desk", cobit="DSS02 Managed Service Requests and Incidents")
PROBLEMS = Practice(itil="problem management", cobit="DSS03 Managed Problems")
CHANGES = Practice(itil="change enablement", cobit="BAI06 Managed IT Changes")
LEVELS = Practice(itil="service level management", cobit="APO09 Managed Service Agreements")
AVAILABILITY = Practice(itil="availability management", cobit="BAI04 Managed Availability and Capacity")
CAPACITY = Practice(itil="capacity and performance management", cobit="BAI04 Managed Availability and Capacity")
EVENTS = Practice(itil="monitoring and event management", cobit="DSS01 Managed Operations")
KNOWLEDGE = Practice(itil="knowledge management", cobit="BAI08 Managed Knowledge")
IMPROVEMENT = Practice(itil="continual improvement", cobit="MEA01 Managed Performance and Conformance Monitoring")
MEASUREMENT = Practice(itil="measurement and reporting", cobit="MEA01 Managed Performance and Conformance Monitoring")
TRAINING = Practice(itil="workforce and talent management", cobit="APO07 Managed Human Resources")
VALUE = Practice(itil="service financial management", cobit="APO06 Managed Budget and Costs")
CONTINUITY = Practice(itil="service continuity management", cobit="DSS04 Managed Continuity")
SECURITY = Practice(itil="information security management", cobit="DSS05 Managed Security Services")
OVERSIGHT = Practice(itil="risk management", cobit="MEA02 Managed System of Internal Control")
