"""The HTTP servers of ``bench fhir``, each in a process of its own.

python fhir_servers.py store PORT FOLDER     our embedded store, as ``prelim serve`` serves it
python fhir_servers.py bare PORT             starlette and uvicorn: reads a body, says 201
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from interfaces.fhir_store_app import build_store
from interfaces.http_server import HttpServer

if TYPE_CHECKING:
    from starlette.requests import Request


async def read_body(request: Request) -> Response:
    """Answer when the body is there."""
    await request.body()
    return Response(status_code=201)


async def serve_store(port: int, folder: Path) -> None:
    """Serve the embedded store until the process is ended."""
    made_at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    store = build_store(folder / "store.sqlite", now=lambda: made_at)
    await HttpServer(store, host="127.0.0.1", port=port).start()
    await asyncio.Event().wait()


def main() -> None:
    """Read the command line."""
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "store":
        asyncio.run(serve_store(port, Path(sys.argv[3])))
    else:
        app = Starlette(routes=[Route("/{path:path}", read_body, methods=["POST"])])
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
