"""What a reply of a FHIR server to us means: a resource, a reason to ask again, or a no for good.

Of a reply's text only issue codes of FHIR's closed list are repeated: the rest may quote a
patient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interfaces.errors import PostRefusedError, PostRetryError
from mappings.fhir_json import find_object
from mappings.fhir_wire import Fate, issue_codes, judge_status, parse_retry_after_s

if TYPE_CHECKING:
    from interfaces.fhir_http import Reply

OK, CREATED, NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 200, 201, 404, 409, 412
MINIMAL = {"Prefer": "return=minimal"}


def accepted(reply: Reply, where: str) -> Reply:
    """Return an answer that is a yes.

    Args:
        reply: The answer.
        where: The type of what was asked for.

    Raises:
        PostRetryError: A passing trouble, with the server's Retry-After.
        PostRefusedError: Any other no, with its issue codes.
    """
    fate = judge_status(reply.status)
    if fate is Fate.DONE:
        return reply
    if fate is Fate.REFUSED:
        codes = ",".join(issue_codes(find_object(reply.body)))
        raise PostRefusedError(f"http_{reply.status}", f"{where}: {codes}" if codes else where)
    retry_after_s = parse_retry_after_s(reply.retry_after, reply.date)
    reason = "unauthorised" if fate is Fate.UNAUTHORISED else f"http_{reply.status}"
    raise PostRetryError(reason, where, retry_after_s)


def resource_of(reply: Reply, where: str, kind: str) -> dict[str, object]:
    """Return the resource of an answer that is a yes.

    Raises:
        PostRetryError: A no that passes; or another thing than was asked for (a gateway's page,
            say): the server itself may be back later.
        PostRefusedError: A no for good.
    """
    document = find_object(accepted(reply, where).body)
    if document is None or document.get("resourceType") != kind:
        raise PostRetryError("reply_unreadable", where)
    return document
