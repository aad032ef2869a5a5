"""Who asks: tokens, client certificates, and what a stranger hears."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from interfaces.errors import RequestRefusedError
from interfaces.http_auth import (
    CLIENT,
    Authority,
    Guarded,
    name_subject,
    read_token_digests,
)
from tests.unit.interfaces.fhir_servers import serving
from tests.unit.interfaces.http_requests import ask

if TYPE_CHECKING:
    from starlette.requests import Request

TOKEN = "a-token-of-the-ris"
DIGESTS = {
    "pacs": hashlib.sha256(b"another-token-there").hexdigest(),
    "ris": hashlib.sha256(TOKEN.encode()).hexdigest().upper(),
}
KNOWN = Authority(lambda: DIGESTS)


def guarded(authority: Authority) -> Guarded:
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"hello {request.scope[CLIENT]}")

    return Guarded(Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]), authority)


def test_a_known_token_is_its_client() -> None:
    assert KNOWN.identify(f"Bearer {TOKEN}", None) == "ris"
    assert KNOWN.identify(f"bearer  {TOKEN} ", "CN=other") == "ris"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "authentication_needed"),
        ("", "token_unknown"),
        ("Bearer", "token_unknown"),
        ("Bearer ", "token_unknown"),
        ("Bearer wrong", "token_unknown"),
        (f"Basic {TOKEN}", "token_unknown"),
        (f"Bearer {TOKEN}x", "token_unknown"),
        ("Bearer \udcff", "token_unknown"),
    ],
)
def test_nobody_and_nobody_known_are_unauthorised(authorization: str | None, reason: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        KNOWN.identify(authorization, None)

    assert (caught.value.status, caught.value.code, caught.value.reason) == (401, "login", reason)


@pytest.mark.parametrize(
    ("subjects", "is_let_in"),
    [
        ((), True),
        (("CN=ris.example",), True),
        (("O=Demo, CN=ris.example",), True),
        (("CN=pacs.example", "CN=ris.example"), True),
        (("CN=ris",), False),
        (("CN=ris.example,O=Other",), False),
        (("O=ris.example",), False),
    ],
)
def test_a_certificate_is_let_in_by_its_subject(
    subjects: tuple[str, ...],
    is_let_in: bool,  # noqa: FBT001 - a column of the table
) -> None:
    authority = Authority(subjects=subjects)

    if is_let_in:
        assert authority.identify(None, "CN=ris.example,O=Demo") == "CN=ris.example,O=Demo"
    else:
        with pytest.raises(RequestRefusedError) as caught:
            authority.identify(None, "CN=ris.example,O=Demo")
        assert caught.value.status == 403


def test_a_wrong_token_is_refused_even_where_all_is_open() -> None:
    assert Authority(is_open=True).identify(None, None) == ""
    with pytest.raises(RequestRefusedError):
        Authority(is_open=True).identify("Bearer x", None)


async def test_a_stranger_hears_an_outcome_with_the_way_in() -> None:
    async with serving(guarded(KNOWN)) as url:
        nobody = await ask(url, "POST", b"QUETZALCANARY")
        wrong = await ask(url, headers={"Authorization": "Bearer QUETZALCANARY"})
        ris = await ask(url, headers={"Authorization": f"Bearer {TOKEN}"})

    assert (ris.status, ris.text) == (200, "hello ris")
    assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="prelim"'
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="prelim", error="invalid_token"'
    for answer in (nobody, wrong):
        assert answer.status == 401
        assert answer.headers["Content-Type"] == "application/fhir+json"
        assert '"OperationOutcome"' in answer.text
        assert "QUETZALCANARY" not in answer.text + str(answer.headers)


def test_a_file_of_tokens_is_names_and_digests() -> None:
    digest = "0A" * 32

    read = read_token_digests(f"# ours\n\nris {digest}\npacs\t{digest.lower()} # theirs\n")

    assert read == {"ris": digest.lower(), "pacs": digest.lower()}


@pytest.mark.parametrize("line", ["ris", "ris " + "g" * 64, "ris " + "a" * 63, f"a b {'a' * 64}"])
def test_another_line_in_a_file_of_tokens_is_told_by_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2$"):
        read_token_digests(f"# x\n{line}\n")


def test_a_client_stands_once_in_a_file_of_tokens() -> None:
    with pytest.raises(ValueError, match=r"^line 2$"):
        read_token_digests(f"ris {'a' * 64}\nris {'b' * 64}\n")


def test_a_subject_is_named_its_last_name_first() -> None:
    names = ((("countryName", "DE"),), (("organizationName", "Demo"),), (("commonName", "ris"),))

    assert name_subject({"subject": names}) == "CN=ris,O=Demo,C=DE"
    assert name_subject({}) is None
    assert name_subject(None) is None
