"""An invented feed that does everything its own way, and whose ways can be learned.

The accession number stands in OBR-19 and in the text, OBR-18 has the exam's number, OBX-3 has codes
of its own, headings and status words are ones that no shipped table knows.
"""

from __future__ import annotations

EXAMS = (
    ("4711", "CT Thorax mit KM"),
    ("4712", "Oberbauchsonographie"),
    ("4713", "MRT Knie links"),
    ("4799", "Leistung"),
)
NAMES = ("CANARY", "KANARIEN", "VOGELSANG")


def feed_message(
    number: int, *, application: str = "ANNARIS", facility: str = "ST-ANNA", text: str | None = None
) -> bytes:
    """Return the message of one invented patient; ``number`` >= 0 makes it its own."""
    code, name = EXAMS[number % len(EXAMS)]
    exam = f"{code}^{name}^ANNA"
    accession, patient = f"A{900000 + number}", f"P{5000 + number}"
    family = NAMES[number % len(NAMES)]
    body = text or (
        f"ANFORDERUNG: {accession}~{family}:~BEFUNDBERICHT FINDINGS: Die Lunge ist frei und ohne"
        " Infiltrat. Kein Erguss, keine Stauung."
    )
    rows = [
        f"MSH|^~\\&|{application}|{facility}|X|Y|20260102030405||ORU^R01|M{number}|P|2.5",
        f"PID|1||{patient}^^^ANNA^MR||{family}^Test",
        f"OBR|1|||{exam}|||20260102|||||||||^DOKTORIN^Eva||{code}|{accession}||||||PRELIM-DIKTIERT",
        f"OBX|1|TX|BER^Bericht||{body}||||||PRELIM-DIKTIERT",
        "OBX|2|TX|HIN^Hinweis||x||||||PRELIM-DIKTIERT",
    ]
    return "\r".join(rows).encode() + b"\r"


def feed(count: int = 12) -> list[bytes]:
    """Return messages of as many patients."""
    return [feed_message(number) for number in range(count)]
