"""Invented reports in scripts whose encodings have second bytes that look like separators."""

from __future__ import annotations

from typing import NamedTuple


class Sample(NamedTuple):
    """A report in one character set; ``declared`` is MSH-18, ``codec`` what writes it."""

    declared: str
    codec: str
    family: str
    exam: str
    findings: str

    def render(self) -> bytes:
        """Return the message, as its sender encodes it."""
        rows = [
            f"MSH|^~\\&|RIS|HOSP|||20260201090000||ORU^R01|{self.codec}|P|2.5||||||{self.declared}",
            f"PID|1||T1^^^TST^MR||{self.family}^TEST",
            f"OBR|1|PL1|{self.codec}-1|CTCH^{self.exam}^L||||||||||||||ACC1||||||CT|P",
            f"OBX|1|TX|59776-5^{self.exam}^LN||{self.findings}||||||P",
            "OBX|2|TX|59776-5^Findings^LN||End of text.||||||P",
        ]
        return "".join(f"{row}\r" for row in rows).encode(self.codec)


SAMPLES = (
    Sample("GB 18030-2000", "gb18030", "億乗", "胸部區", "双肺清晰乗僞億亊無異常。"),
    Sample("BIG-5", "cp950", "許功", "胸四外", "肺功能正常四周回流外觀乞無異常。"),
    Sample("BIG-5", "big5hkscs", "許功", "胸四外", "肺功能正常嘅咗四周回流外觀。"),
    Sample("ISO IR14", "cp932", "予十", "表型", "予定の十字型掃引円形影なし表面正常。"),
    Sample("ISO IR87", "iso2022_jp", "五入", "右側", "右側の肺學五入亨に異常なし京俐。"),
    Sample("ASCII~ISO IR87", "iso2022_jp", "五入", "右側", "右側の肺學五入亨に異常なし京俐。"),
    Sample("KS X 1001", "euc_kr", "홍길", "흉부", "폐야는 깨끗하다. 흉수는 없다."),
    Sample("KS X 1001", "cp949", "똠방", "흉부", "폐야는 깨끗하다. 똠방각하는 없다."),
)
SEPARATOR_BYTES = frozenset(b"\\^|~")


def has_hidden_separator(sample: Sample) -> bool:
    """Say whether some letter of a sample has a separator for its second byte."""
    as_read_byte_by_byte = sample.render().decode("latin-1")
    expected = sample.render().decode(sample.codec)
    return any(
        as_read_byte_by_byte.count(chr(mark)) > expected.count(chr(mark))
        for mark in SEPARATOR_BYTES
    )
