"""Frames for the fuzzer: real-shaped messages, and what bad senders and bad lines make of them.

Each frame follows from a seed and its number alone, so that one that broke something can be made
again. Only synthetic patients.
"""

from __future__ import annotations

import base64
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ID = b"@ID@"
CHARSETS = {
    "": "ascii",
    "UNICODE UTF-8": "utf-8",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "ISO IR14": "shift_jis",
    "~ISO IR87": "iso2022_jp",
}
TEXTS = {
    "": ("FINDINGS: There is a 9 mm nodule in the right upper lobe. No effusion.", "Nodule."),
    "UNICODE UTF-8": ("BEFUND: Kein Erguss. Verdickung 3 mm, größer.", "BEURTEILUNG: Normal."),
    "8859/1": ("RÉSULTATS : Épanchement à gauche.", "CONCLUSION : Épanchement."),
    "8859/2": ("REZULTAT: Nodul în lobul superior drept.", "CONCLUZII: Nodul."),
    "8859/5": ("Описание: узел 9 мм.", "Заключение: узел."),
    "GB 18030-2000": ("检查所见:右肺上叶结节 9 mm,帄峔。", "诊断意见:结节。"),
    "BIG-5": ("檢查所見:右上肺葉結節,許功蓋。", "診斷:結節。"),
    "KS X 1001": ("소견: 우상엽 결절.", "결론: 결절."),
    "ISO IR14": ("所見:右肺上葉に結節 9 mm、ソ能表。", "診断:結節。"),
    "~ISO IR87": ("所見:右肺上葉に結節。", "診断:結節。"),
}
JUNK = (
    b"\\.br\\", b"\\E\\x09\\E\\", b"\\XC3A9\\", b"\\XABC\\", b"\\C2842\\", b"\\M243D\\",
    b"5\\10 mm", b"\\H\\", b"\\.sp3\\", b"\\.ti+99999999999\\", b"\\Zab\\", b"~~~~",
    b"^^^^&&&&", b'""', b"\x00",
    b"\x1b$B", b"\x1b(B", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\x8f\xa2", b"\r\r", b"\n",
    b"\r\nMSH",
    b"99999999999999999999", b"-1", b"20269999999999", b"NaN", b"\rDSC|x\r", b"\rADD|x\r", b"\rPID",
    b"\rOBR|", b"\rMSH|^~\\&|", b"FINDINGS:", b"IMPRESSION:", b"\\X0D\\", b"\\X1C0D\\", b"|" * 40,
)  # fmt: skip
HEADER_JUNK = {
    2: (b"^~\\", b"^~\\&#", b"^^^^", b"", b"|~\\&", b"^~\\&" * 30, b"\\~^&"),
    9: (
        b"", b"ORU", b"ORU^R01^ORU_R01", b"ACK", b"ACK^R01", b"ADT^A08", b"MDM^T02", b"XXX^Y01",
        b"ORU^ZZZ",
    ),
    10: (b"", b" ", b"x" * 300, b"\xff\xfe", b"a&b^c~d", b"a\x1c", b"\t", b"A" * 199),
    11: (b"", b"P^T", b"X", b"D", b"p"),
    12: (b"", b"2.1", b"2.3.1", b"2.8.2", b"2.9", b"3", b"2.5.1^USA", b"2." * 40),
    13: (b"1", b"-1", b"x"),
    14: (b"1", b"CONT", b" "),
    15: (b"AL", b"NE", b"ER", b"SU", b"XX"),
    16: (b"AL", b"NE", b"ER", b"SU", b"XX"),
    18: (
        *(name.encode() for name in CHARSETS), b"UTF-16", b"nonsense", b"UNICODE UTF-8~8859/1",
        b"utf8",
    ),
}  # fmt: skip
MARKS = b'|^~\\&#@!$;:,\r\n\x0b\x1c\x00 \xffaZ0"'
SEPARATORS = (b"|", b"^", b"~", b"\\", b"&")
REPEATED = (b"A", b"nodule ", b"~", b"^", b"\\.br\\", b"\rOBX|1|TX|&GDT||x", b"|", b"\\")
FRAMING = (b"\x0b", b"\x1c", b"\x1c\r", b"\r\x1c", b"\x1c\x0b")
TRUNCATED_MAX = 40
HUGE_BYTES = (2_000, 20_000, 200_000)


def _message(
    version: str, charset: str, middle: str, *, head: str = "", kind: str = "R01"
) -> bytes:
    tail = f"||||||{charset}" if charset else ""
    text = (
        f"{head}MSH|^~\\&|FUZZRIS|FUZZHOSP|PRELIM|FUZZHOSP|20261121080000||ORU^R01|{ID.decode()}|P"
        f"|{version}{tail}\rPID|1||P{ID.decode()}^^^FUZZ^MR||MUSTER^ALMA||19700101|F\r{middle}"
    )
    return text.encode(CHARSETS[charset])


def _order(number: int = 1) -> str:
    return (
        f"OBR|{number}|O1^CPOE|F{ID.decode()}{number}^RIS|CTCHEST^CT CHEST W CONTRAST^L"
        "|||20261121070000|||||||||||A17||||20261121073000||CT|P||||||^Cough\r"
    )


def _lines(texts: tuple[str, ...], kind: str = "TX", code: str = "&GDT") -> str:
    return "".join(f"OBX|{n}|{kind}|{code}|1|{text}||||||P\r" for n, text in enumerate(texts, 1))


def _templates() -> list[bytes]:
    document = base64.b64encode(b"%PDF-1.7 not really" * 20).decode()
    whole = "~".join(("EXAMINATION: CT CHEST", "", *TEXTS[""], "Electronically signed by: X"))
    plain = _order() + _lines(TEXTS[""])
    values = _lines(("x^y^z&w",), "RP") + _lines(("7.5",), "NM", "718-7")
    linked = _order(1) + _order(2) + _lines(TEXTS[""]) + _lines(("Nodule.",), "ST", "&IMP")
    return [
        *(_message("2.5.1", name, _order() + _lines(texts)) for name, texts in TEXTS.items()),
        _message("2.7", "", plain.replace("OBX", "DG1|1||X\rOBX", 1) + "ZDS|1.2.3^E^A^DICOM\r"),
        _message("2.4", "", _order() + _lines((whole,), "TX", "71020")),
        _message("2.3", "", _order() + _lines((r"a\.br\b\.sp2\c \T\ d",), "FT", "59776-5^F^LN")),
        _message("2.5.1", "", _order() + _lines((f"^application^pdf^Base64^{document}",), "ED")),
        _message("2.5.1", "", _order() + values),
        _message("2.6", "", linked),
        _message("2.5.1", "", _order() + _lines(tuple(f"Line {n}." for n in range(60)))),
        _message("2.5", "", plain, head="FHS|^~\\&|A\rBHS|^~\\&|A\r"),
        _message("2.8.2", "", "EVN||20261121\r").replace(b"ORU^R01", b"ADT^A08"),
        _message("2.4", "", "MSA|AA|X\r").replace(b"ORU^R01", b"ACK"),
        _message("2.5.1", "", plain).replace(b"|P|2.5.1", b"|P|2.5.1|||AL|AL"),
        _message("2.5.1", "", plain).replace(b"|P|2.5.1", b"|P|2.5.1|7||NE|ER"),
        _message("2.5.1", "", plain).replace(b"|", b"#").replace(b"^", b"@"),
    ]


TEMPLATES = _templates()


def _flip(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _mark(rng: Random, data: bytes) -> bytes:
    position = rng.randrange(len(data) + 1)
    return (
        data[:position]
        + MARKS[(n := rng.randrange(len(MARKS))) : n + 1]
        + data[position + rng.randrange(2) :]
    )


def _truncate(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _behead(rng: Random, data: bytes) -> bytes:
    return data[rng.randrange(TRUNCATED_MAX) :]


def _segments(rng: Random, data: bytes) -> bytes:
    rows = data.split(b"\r")
    here, there = rng.randrange(len(rows)), rng.randrange(len(rows))
    match rng.randrange(4):
        case 0:
            rows.insert(there, rows[here])
        case 1:
            del rows[here]
        case 2:
            rows[here], rows[there] = rows[there], rows[here]
        case _:
            rows[here:here] = rows[here : here + 1] * rng.choice((2, 20, 200))
    return b"\r".join(rows)


def _header(rng: Random, data: bytes) -> bytes:
    head, end, rest = data.partition(b"\r")
    fields = head.split(b"|")
    number = rng.choice(tuple(HEADER_JUNK))
    fields += [b""] * (number - len(fields))
    fields[number - 1] = rng.choice(HEADER_JUNK[number])
    return b"|".join(fields) + end + rest


def _field(rng: Random, data: bytes) -> bytes:
    fields = data.split(b"|")
    fields[rng.randrange(len(fields))] = rng.choice(JUNK)
    return b"|".join(fields)


def _insert(rng: Random, data: bytes) -> bytes:
    position = rng.randrange(len(data) + 1)
    return data[:position] + rng.choice(JUNK) + data[position:]


def _huge(rng: Random, data: bytes) -> bytes:
    """Rarely, and seldom the largest: most of the time must go to what is likely."""
    if rng.randrange(16):
        return _insert(rng, data)
    size = HUGE_BYTES[min(int(rng.expovariate(1.5)), 2)]
    piece = rng.choice(
        (b"A", b"nodule ", b"~", b"^", b"\\.br\\", b"\rOBX|1|TX|&GDT||x", b"|", b"\\")
    )
    position = rng.randrange(len(data) + 1)
    return data[:position] + piece * (size // len(piece)) + data[position:]


def _separators(rng: Random, data: bytes) -> bytes:
    return data.replace(
        rng.choice((b"|", b"^", b"~", b"\\", b"&")),
        rng.choice((b"#", b"|", b"^", b"a", b"\xe4", b"\t")),
    )


def _line_ends(rng: Random, data: bytes) -> bytes:
    return data.replace(b"\r", rng.choice((b"\n", b"\r\n", b"\r\r", b"\n\r", b"\x00\r", b" ")))


def _splice(rng: Random, data: bytes) -> bytes:
    other = rng.choice(TEMPLATES)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other)) :]


def _framing(rng: Random, data: bytes) -> bytes:
    position = rng.randrange(len(data) + 1)
    return (
        data[:position]
        + rng.choice((b"\x0b", b"\x1c", b"\x1c\r", b"\r\x1c", b"\x1c\x0b"))
        + data[position:]
    )


def _noise(rng: Random, _data: bytes) -> bytes:
    return rng.randbytes(rng.randrange(200))


MUTATIONS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip, _flip, _mark, _mark, _truncate, _behead, _segments, _segments, _header, _header, _header,
    _field, _field, _insert, _insert, _huge, _separators, _line_ends, _splice, _framing, _noise,
)  # fmt: skip


def make_payload(seed: int, number: int) -> tuple[bytes, Random]:
    """Return message ``number`` of a run, and the dice for what is done with it next."""
    rng = Random(seed << 40 | number)  # noqa: S311 - repeatable, not secret
    payload = rng.choice(TEMPLATES).replace(ID, b"N%d" % number)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        payload = rng.choice(MUTATIONS)(rng, payload)
    return payload, rng


def make_frame(seed: int, number: int) -> bytes:
    """Return message ``number`` as it comes over a line: mostly framed, mostly rightly."""
    payload, rng = make_payload(seed, number)
    match rng.randrange(40):
        case 0:
            return b"\x0b" + payload
        case 1:
            return b"\x0b" + payload + b"\x1c"
        case 2:
            return payload + b"\x1c\r"
        case 3:
            return b"\x0b\x0b" + payload + b"\x1c\r\x1c\r"
        case 4:
            return rng.randbytes(rng.randrange(30)) + b"\x0b" + payload + b"\x1c\r\x00\r\n"
    return b"\x0b" + payload + b"\x1c\r"


def cut(rng: Random, stream: bytes) -> list[bytes]:
    """Cut a stream as a network does."""
    pieces, position = [], 0
    while position < len(stream):
        size = rng.choice((1, 7, 100, 1460, 8192, 65536))
        pieces.append(stream[position : position + size])
        position += size
    return pieces
