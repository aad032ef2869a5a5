"""The messages that are measured with: synthetic radiology reports of three sizes.

``@ID@`` stands for what makes a message one of its own: MSH-10, the patient and the order.
"""

from __future__ import annotations

ID = "@ID@"
_SENTENCES = (
    "There is a 12 mm solid nodule in the right upper lobe with spiculated margins.",
    "No pleural effusion or pneumothorax is seen on either side.",
    "The heart is normal in size, and there is no pericardial effusion.",
    "The trachea and the main bronchi are patent without wall thickening.",
    "No enlarged mediastinal, hilar or axillary lymph nodes are present.",
    "The visualised upper abdomen shows a 9 mm cyst in the left kidney.",
    "No destructive lesion of the ribs, the sternum or the thoracic spine.",
)
_HEAD = (
    f"MSH|^~\\&|BENCHRIS|BENCHHOSP|PRELIM|BENCHHOSP|20261121080000||ORU^R01^ORU_R01|{ID}|P|2.5.1\r"
    f"PID|1||PAT{ID}^^^BENCH^MR||SYNTHETIC^PATIENT||19700101|F\r"
    "PV1|1|O|RAD^ROOM 1^1^BENCHHOSP\r"
    f"ORC|RE|ORD{ID}^CPOE|FIL{ID}^BENCHRIS\r"
    f"OBR|1|ORD{ID}^CPOE|FIL{ID}^BENCHRIS|CTCHEST^CT CHEST WITH CONTRAST^L|||20261121070000"
    "|||||||||||A17||||20261121073000||CT|P\r"
)
SMALL_LINES, LARGE_LINES, HUGE_LINES = 9, 60, 1450
SIZES = {"1.5 KB": SMALL_LINES, "8.4 KB, 60 OBX": LARGE_LINES, "200 KB": HUGE_LINES}


def make_message(lines: int) -> str:
    """Return a report of ``lines`` OBX, with its ``@ID@`` still in it."""
    observations = (
        f"OBX|{n}|TX|59776-5^Procedure findings^LN|1|{_SENTENCES[n % len(_SENTENCES)]}"
        "||||||P|||20261121073000\r"
        for n in range(1, lines + 1)
    )
    return _HEAD + "".join(observations)
