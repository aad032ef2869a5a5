"""A messagefoundry configuration: reports in over MLLP, each routed and written to a file.

Written against its documented authoring functions; the bench puts in the port and the folder.
"""

import os

from messagefoundry import MLLP, File, Send, handler, inbound, outbound, router

inbound("IB_BENCH_ORU", MLLP(port=int(os.environ["BENCH_PORT"])), router="bench_router")
outbound(
    "FILE-OUT_BENCH_ORU",
    File(directory=os.environ["BENCH_FOLDER"], filename="{MSH-10}.hl7"),
)


@router("bench_router")
def route(message):  # noqa: ANN001, ANN201 - the peer's own signature
    return ["bench_archive"] if message["MSH-9.1"] == "ORU" else []


@handler("bench_archive")
def archive(message):  # noqa: ANN001, ANN201 - the peer's own signature
    return Send("FILE-OUT_BENCH_ORU", message)
