"""Start the FHIR server that others wrote (sekmet-fhir) as a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.samples.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@retry(
    retry=retry_if_exception_type((urllib.error.URLError, ConnectionError, TimeoutError)),
    stop=stop_after_delay(120),
    wait=wait_fixed(0.1),
)
def wait_until_ready(url: str) -> None:
    """Return once the server answers, with whatever status."""
    try:
        with urllib.request.urlopen(f"{url}/metadata", timeout=5):  # noqa: S310 - ours, on loopback
            return
    except urllib.error.HTTPError:
        return


@contextlib.contextmanager
def running_sekmet(folder: Path, **settings: Any) -> Iterator[str]:  # noqa: ANN401 - YAML
    """Run a server and yield its FHIR base.

    Args:
        folder: For its data and its log.
        settings: Of its settings.yaml, beside the address.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}/fhir"
    own = {"base_url": url, "host": "127.0.0.1", "port": port, **settings}
    (folder / "settings.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("sekmet")), "serve"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(url)
            yield url
        finally:
            server.terminate()
            server.wait(30)
