"""Whether a statement of a report is known to be normal, and what it says is wrong.

Unsure in one direction only: what is not known to be normal counts as abnormal. "Cannot exclude" is
no negation. The rules know English; any other language is abnormal throughout.
"""

from __future__ import annotations

import re

_UNSURE = re.compile(
    r"\b(?:cannot|can not|could not|can't|not) (?:be )?(?:\w+ly )?(?:exclude|rule out|ruled out)"
    r"|\b(?:difficult|hard|impossible|unable) to (?:\w+ly )?(?:exclude|rule out)"
    r"|\b(?:not|no longer) (?:\w+ly |quite )?(?:clear|intact|maintained|midline|normal|patent"
    r"|preserved|satisfactory|sharp|smooth|symmetric\w*|unremarkable|within)\b"
    r"|(?<!\bno )(?<!\bnothing )(?<!\bnothing to )\b(?:may|might|could|possib\w+|probab\w+"
    r"|suspicio\w+|concern\w*|questionable|suggest\w*|likely|worrisome|indeterminate|borderline"
    r"|upper limits?|equivocal|versus|consistent with|compatible with)\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|however|although|though|except|apart from|aside from|other than|save for)\b|[;:]"
    r"|(?:,|\band\b)(?=\s*(?:there (?:is|are)|an?)\s)|,(?=\s*(?:\d|otherwise\b))"
    # "No pneumothorax, small effusion" is no list: a list has its "or" or "and".
    r"|,(?=\s*(?:chronic|large|left|mild|minimal|moderate|new|right|severe|small|stable|subtle"
    r"|tiny|trace|unchanged)\b(?!.{0,300}\b(?:and|n?or)\b))",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    # "No change of the nodule" does not deny the nodule.
    r"\bno (?:evidence of )?(?:(?:definite|interval|relevant|significant|substantial) )*"
    r"(?:change|decrease|improvement|increase|progression|resolution) (?:of|to)\b"
    r"|\b(?:no|without(?! (?:\w+ )?contrast)|nor|neither|negative for|(?:free|clear) of|absence of"
    r"|nothing (?:to (?:indicate|suggest)|indicates|suggests)\b"
    r"(?! (?:that|(?:\w+ )?(?:change|healing|improvement|resolution))\b)"
    r"|rather than|denies)\b(?:(?!\b(?:with|in|unchanged|stable|known)\b).)*"
    r"|\b(?:not|no longer) (?:significantly |abnormally )?"
    r"(?:dilated|displaced|distended|enlarged|inflamed|obstructed|thickened)\b",
    re.IGNORECASE,
)
_NOT_SEEN = re.compile(
    r"\b(?:(?:is|are|was|were)(?: also)? (?:not|no longer)|(?:has|have) (?:not|no longer) been)"
    r" (?:\w+ ){0,2}?(?:appreciated|demonstrated|depicted|detected|evident|found|identified"
    r"|observed|present|seen|shown|visible|visuali[sz]ed)\b(?! to\b)"
    r"|\b(?:has|have) not (?:appeared|developed|occurred)\b(?=\s*(?:$|[.,;]|(?:at|in|since)\b))"
    r"|\b(?:is|are|was|were|can be|has been|have been) (?:excluded|ruled out)\b"
    r"(?! (?:as|by|from|on(?: th\w+)? images?|only)\b)"
    r"|\b(?:is|are) absent\b|\b(?:has|have) resolved\b",
    re.IGNORECASE,
)
_ONLY_OF_DISEASE = re.compile(
    r"(?:absent|depicted|developed|excluded|found|observed|shown|visible)$", re.IGNORECASE
)
# "... that was not seen before" and "the source of ... is not found" deny nothing.
_STILL_THERE = re.compile(
    r"\b(?:that|which|who)\s*$|\b(?:indicat|suggest)\w* that\b"
    r"|\b(?:apex|border|cause|edge|end|extent|healing|margin|origin|resolution|source|tip|union)"
    r" of\b",
    re.IGNORECASE,
)
# Where the subject of "... is not seen" begins at the latest; "... are not seen" may have two.
_SUBJECT_START = re.compile(r"[,;:]|\b(?:is|are|was|were|there|with|and)\b", re.IGNORECASE)
_NORMAL_WORDS = r"""
age[-\s]appropriate anatomic clear contours?\s(?:is|are)\s(?:stable|unchanged) homogeneous(?:ly)?
in\s(?:expected|good|satisfactory)\sposition intact maintained midline negative non[-\s]?dilated
non[-\s]?obstruct\w* normal\w* patent preserved resolved satisfactory sharp smooth
symmetric\w* unremarkable well within\snormal\slimits
"""
_NORMAL = re.compile(rf"\b(?:{'|'.join(_NORMAL_WORDS.split())})\b", re.IGNORECASE)
# Each is the start of a word.
_ABNORMAL_WORDS = r"""
abnormal abscess absent adenopath air[-\s]fluid airspace aneurysm angulat arthr[io] ascites
asymmetr atelecta bronchiect bronchitis bulg bulla calcif calculi calculus carcinom cardiomeg
catheter clip collection compression congest consolidat cyst decreas deform degenerat depress
dilat disloc displac dissect distort diverticul ectasia ectatic edema effusion elevat embol
emphysema enhancing enlarge erosion extru fatty fibro filling\sdefect fluid foreign\sbod fractur
free\s(?:\w+\s)?(?:air|fluid|gas) gallstone granulom ground[-\s]glass ha?ematoma ha?emorrhag
hardware hepatomeg hernia hydroneph hyperatten hyperdens hyperinflat hypoatten hypodens increas
infarct infiltrat inflam irregular ischa?emi lacerat \w+itis\b \w*lithiasis lesion loss lymphaden
lytic malalign malignan mass metast narrowing new nodul obstruct occlu oedema opaci(?!f) osteophyt
pacemaker perforat pneumomedias pneumonia pneumothora post[-\s]?(?:op|surg) prominen prosthes
protru retract revers rupture scar sclero scolio shift splenomeg spondyl status\spost steato
stenos sternotomy stone straighten strand sublux surgical swelling tear thick(?!ness) thromb
tortuo tube tumou?r worsen blunt
"""
# A cavity is a finding but where anatomy has one.
_CAVITIES = """
abdominal cranial endometrial medullary nasal oral pelvic peritoneal pleural thoracic tympanic
"""
_CAVITY = "".join(rf"(?<!{place}\s)" for place in _CAVITIES.split()) + "cavit"
_ABNORMAL = re.compile(rf"\b(?:{'|'.join(_ABNORMAL_WORDS.split())}|{_CAVITY})\w*", re.IGNORECASE)
# What tells how the study was made, or against what it was read, is no finding.
_STUDY = re.compile(
    r"^(?:technique|comparison|indication|history|exam\w*|procedure|contrast)\s*:", re.IGNORECASE
)
_VIEWS = re.compile(
    r"^(?:(?:frontal|lateral|ap|pa|portable|single|two|three|\d+)\b[^.]*\bviews?\b"
    r"|(?:the )?(?:prior|previous|image|study|exam\w*)\b[^.]*\b(?:comparison|adequate|quality)\b"
    r"|image quality\b"
    r"|(?:comparison|compared) (?:is made )?(?:to|with)\b[^,]*$"
    r"|(?:axial|helical|multi\w+) [^.]*\b(?:images|obtained|performed|acquired)\b)",
    re.IGNORECASE,
)
# Words that say that something is wrong or has changed, not what.
_VAGUE = (
    "abnormal",
    "absent",
    "compression",
    "decreas",
    "increas",
    "irregular",
    "loss",
    "new",
    "prominen",
    "revers",
    "straighten",
    "worsen",
)
# Words that radiologists use for each other when they sum up.
_SAME = {
    "airspace": "opacity",
    "arthr": "degeneration",
    "calcif": "stone",
    "calcul": "stone",
    "carcinom": "mass",
    "cavit": "mass",
    "cholelith": "stone",
    "consolid": "opacity",
    "degenerat": "degeneration",
    "embol": "embolism",
    "filling": "embolism",
    "gallstone": "stone",
    "ground": "opacity",
    "infiltrat": "opacity",
    "lesion": "mass",
    "malignan": "mass",
    "mass": "mass",
    "metast": "mass",
    "narrowing": "stenosis",
    "nephrolith": "stone",
    "nodul": "mass",
    "opaci": "opacity",
    "osteophyt": "degeneration",
    "pneumonia": "opacity",
    "spondyl": "degeneration",
    "stenos": "stenosis",
    "stone": "stone",
    "tumor": "mass",
    "tumour": "mass",
    "urolith": "stone",
}
_HEADING = re.compile(
    r"^\s*(?:[-*•]\s*|\d{1,2}[.)]\s+)?"
    r"(?:(?![^:]*\b(?:is|are|was|were|has|have|shows?)\b)[A-Za-z][A-Za-z ,/&-]{1,40}:\s*)?"
)
_WORD = re.compile(r"[^\W\d_]{2,}|\d")


def is_abnormal(sentence: str) -> bool:
    """Whether a sentence of findings states something that is not known to be normal."""
    line = " ".join(sentence.split())
    statement = _HEADING.sub("", line)
    if not _WORD.search(statement) or _is_about_the_study(line):
        return False
    if _UNSURE.search(statement):
        return True
    return any(_is_part_abnormal(part) for part in _TURN.split(statement))


def asserted(sentence: str) -> str:
    """The sentence without what it denies and without its heading, in one line.

    Args:
        sentence: One statement of a report; its parts are judged one by one.

    Returns:
        What is left, with " ; " between the parts; empty when all is denied.
    """
    statement = _HEADING.sub("", " ".join(sentence.split()))
    parts = (_NEGATED.sub(" ", _without_unseen(part)) for part in _TURN.split(statement))
    return " ; ".join(part.strip() for part in parts if _WORD.search(part))


def problems(statement: str) -> frozenset[str]:
    """Name what a statement says is wrong, one word for all that mean the same.

    Args:
        statement: A sentence or a part of one; what it denies counts too.
    """
    words = (found.group().lower() for found in _ABNORMAL.finditer(statement))
    return frozenset(_problem(word) for word in words if not word.startswith(_VAGUE))


def _problem(word: str) -> str:
    for start, meaning in _SAME.items():
        if word.startswith(start):
            return meaning
    return word[:6]


def _is_about_the_study(sentence: str) -> bool:
    if _STUDY.search(sentence):
        return True
    return _VIEWS.search(sentence) is not None and _ABNORMAL.search(sentence) is None


def _is_part_abnormal(part: str) -> bool:
    rest = _NEGATED.sub(" ", _without_unseen(part))
    if _ABNORMAL.search(rest):
        return True
    is_stated = rest != part or _NORMAL.search(rest) is not None
    return _WORD.search(rest) is not None and not is_stated


def _without_unseen(part: str) -> str:
    """Blank each "... is not seen" with its subject."""
    kept, begin = "", 0
    for unseen in _NOT_SEEN.finditer(part):
        before = part[begin : unseen.start()]
        is_plural = unseen.group().lower().startswith(("are", "were"))
        starts = [
            start.end()
            for start in _SUBJECT_START.finditer(before)
            if not (is_plural and start.group().lower() == "and")
        ]
        subject_start = max(starts, default=0)
        if _STILL_THERE.search(before, subject_start):
            continue
        if _ONLY_OF_DISEASE.search(unseen.group()) and not _ABNORMAL.search(before, subject_start):
            continue  # an organ that is absent is abnormal, or out of the image; a disease is not
        kept += f"{before[:subject_start]} "
        begin = unseen.end()
    return kept + part[begin:]
