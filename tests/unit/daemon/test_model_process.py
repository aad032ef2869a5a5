"""How a worker's process is started."""

from __future__ import annotations

from daemon.model_process import worker_environment


def test_a_worker_gets_what_libraries_need_and_no_secret() -> None:
    given = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "2",
        "PRELIM_FHIR__AUTH__SECRET": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "HTTPS_PROXY": "http://user:x@proxy",
        "PYTHONPATH": "/elsewhere",
        "HF_HUB_OFFLINE": "0",
    }
    made = worker_environment(given)

    assert "x" not in made.values()
    assert (made["PATH"], made["CUDA_VISIBLE_DEVICES"], made["OMP_NUM_THREADS"]) == (
        "/bin",
        "0",
        "2",
    )
    assert made["PYTHONPATH"] != "/elsewhere"
    assert made["HF_HUB_OFFLINE"] == made["TRANSFORMERS_OFFLINE"] == "1"
    assert not any("PROXY" in name for name in made)
