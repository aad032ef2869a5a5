"""The segments of a message, sorted to its OBR groups by position.

An OBX belongs to the nearest OBR before it: grammars that group by structure lose it after a DG1,
PRT, SPM or Z segment. One before the first OBR speaks of the patient (a height, a weight), unless
the group has none of its own; so does one after the last OBR and another PID of the same patient. A
PID speaks for the OBR after it, until the next PID: one message may hold several patients. An ORC
speaks for the one OBR after it.

Standard: HL7 v2 ORU_R01; IHE Radiology ZDS (Study Instance UID).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from mappings.domain import Identifier
from mappings.errors import UnreadableContentError
from mappings.hl7_message import Rows

if TYPE_CHECKING:
    from mappings.hl7_message import Message, Segment
    from mappings.sites import Site

_NAME = itemgetter(slice(3))
GROUPS_MAX = 1_000
"""OBR of one message: more are no report, and would fill the journal with empty ones."""
_REPORT_SUFFIX = "GDT"
"""OBX-3 of text that is the report: general descriptive text."""
_RECORD_NUMBER_TYPES = frozenset({"MR", "MRN", "PI", "PT"})


@dataclass(slots=True)
class Group:
    """The segments of one OBR.

    ``number`` counts the OBR of the message from 0; ``order`` is the ORC that came with it,
    ``early`` the OBX of its patient that stand under no OBR, between PID and OBR most often,
    ``notes`` the NTE-3 of a site whose notes are no report text.
    """

    number: int
    request: Segment
    order: Segment | None
    patient: Identifier | None = field(repr=False)
    early: Rows
    observations: Rows
    study_instance_uid: str | None = field(default=None, repr=False)
    notes: list[str] = field(default_factory=list, repr=False)

    @property
    def narrated(self) -> Rows:
        """The OBX that speak for the group."""
        return self.observations or self.early

    def components(self, name: str) -> list[str]:
        """Return the components of a field such as ``ORC-3``; none when it is absent or empty."""
        is_request, number = _place(name)
        segment = self.request if is_request else self.order
        return [] if segment is None else segment.components(number)

    def read(self, name: str) -> Identifier | None:
        """Return a field such as ``ORC-3`` as an identifier; None when it is absent or empty."""
        return read_identifier(self.components(name))


@lru_cache(maxsize=256)
def _place(name: str) -> tuple[bool, int]:
    return name.startswith("OBR"), int(name[4:])


def cut_groups(message: Message, site: Site) -> tuple[Identifier | None, list[Group]]:
    """Sort the segments of a message.

    Args:
        message: Decoded and cut.
        site: How its patients are numbered.

    Returns:
        The last patient, and the groups in order.

    Raises:
        UnreadableContentError: More than ``GROUPS_MAX`` OBR.
    """
    cutter = _Cutter(message, site)
    steps = _STEPS_WITH_NOTES if site.notes_are_text else _STEPS
    for name, run in groupby(message.lines, key=_NAME):
        if name == "OBX":
            cutter.rows.lines += run
        elif name in steps:
            for line in run:
                steps[name](cutter, message.split(line))
    if cutter.groups and cutter.groups[-1].patient == cutter.patient is not None:
        cutter.groups[-1].early.lines += cutter.early.lines
    return cutter.patient, cutter.groups


def read_identifier(parts: list[str]) -> Identifier | None:
    """Read an entity identifier (EI): value and who assigned it."""
    if not parts or not parts[0]:
        return None
    return Identifier(parts[0], (parts[1] or None) if len(parts) > 1 else None)


class _Cutter:
    """What is known at one place of the message."""

    def __init__(self, message: Message, site: Site) -> None:
        self._message = message
        self._site = site
        self.patient: Identifier | None = None
        self.group: Group | None = None
        self.groups: list[Group] = []
        self.early = Rows(message)
        self._order: Segment | None = None
        self._study_instance_uid: str | None = None

    @property
    def rows(self) -> Rows:
        """Where an OBX goes now."""
        return self.early if self.group is None else self.group.observations

    def take_patient(self, segment: Segment) -> None:
        """PID: what follows is somebody else's, unless it is said to be the same patient's."""
        before, self.patient = self.patient, _read_patient(segment, self._site)
        self.group = None
        if before is None or before != self.patient:
            self.early = Rows(self._message)
        self._order = self._study_instance_uid = None

    def take_order(self, segment: Segment) -> None:
        """ORC: speaks for the next OBR."""
        self._order = segment

    def take_request(self, segment: Segment) -> None:
        """OBR: a group begins."""
        number = len(self.groups)
        if number == GROUPS_MAX:
            raise UnreadableContentError("too_many_groups", f"OBR[{GROUPS_MAX + 1}]")
        rows = Rows(self._message)
        self.group = Group(number, segment, self._order, self.patient, self.early, rows)
        self.group.study_instance_uid = self._study_instance_uid
        self.groups.append(self.group)
        self.early = Rows(self._message)
        self._order = self._study_instance_uid = None

    def take_note(self, segment: Segment) -> None:
        """NTE: goes on with the OBX before it; right after the OBR it is the report's own text."""
        if self.group is None:
            return
        rows, separators = self.group.observations, self._message.separators
        code, status = f"{separators.subcomponent}{_REPORT_SUFFIX}", ""
        if rows:
            code, status = rows[-1].raw(3), rows[-1].raw(11)
        fields = ["OBX", "", "TX", code, "", segment.raw(3), *[""] * 5, status]
        rows.lines.append(separators.field.join(fields))

    def keep_note(self, segment: Segment) -> None:
        """NTE where notes are no report text: kept beside it, an impression may stand there."""
        if self.group is not None:
            self.group.notes.append(segment.raw(3))

    def take_study(self, segment: Segment) -> None:
        """ZDS: of the OBR before it; of the next one when it stands before all, or after an ORC."""
        study_instance_uid = segment.component(1) or None
        if self.group is None or self._order is not None:
            self._study_instance_uid = study_instance_uid
        else:
            self.group.study_instance_uid = study_instance_uid


_STEPS = {
    "PID": _Cutter.take_patient,
    "ORC": _Cutter.take_order,
    "OBR": _Cutter.take_request,
    "ZDS": _Cutter.take_study,
    "NTE": _Cutter.keep_note,
}
_STEPS_WITH_NOTES = {**_STEPS, "NTE": _Cutter.take_note}


def _read_patient(segment: Segment, site: Site) -> Identifier | None:
    """Choose of the first field that holds any: of the site's authority, else a record number."""
    message = segment.message
    subcomponent = message.separators.subcomponent
    for name in site.patient_fields:
        found: list[tuple[int, Identifier]] = []
        for one in segment.repetitions(int(name[4:])):
            value, _, _, assigner, kind, *_ = [*message.components(one), *[""] * 5]
            authority = assigner.split(subcomponent)[0] or None
            rank = 2 - (kind.upper() in _RECORD_NUMBER_TYPES)
            if authority == site.patient_authority is not None:
                rank = 0
            if value:
                found.append((rank, Identifier(value, authority)))
        if found:
            return min(found, key=itemgetter(0))[1]
    return None
