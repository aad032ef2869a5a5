"""python-hl7's MLLP server, answering each message with its own acknowledgment; stores nothing.

python python_hl7_server.py PORT
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import IncompleteReadError

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except (IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await start_hl7_server(
        serve, "127.0.0.1", int(sys.argv[1]), encoding="utf-8", limit=16 * 1024 * 1024
    )
    await server.serve_forever()


asyncio.run(main())
