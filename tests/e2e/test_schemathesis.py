"""Schemathesis over the OpenAPI document of a running service, as a person and as a service.

No answer may be a server error, undocumented, or shaped otherwise than the document says.
"""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.e2e.conftest import Served

_SECONDS = 20
_QUERY = "/v1/balances/query"
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
_CONFIG = """[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 431]
"""
_PERSON = (
    # These would end the session that everything else is asked with.
    *("--exclude-path", "/v1/auth/logout"),
    *("--exclude-path", "/v1/me/sessions/{id}"),
    *("--exclude-path", _QUERY),
)


async def _run(served: Served, token: str, *options: str, folder: Path) -> tuple[int, str]:
    (folder / "schemathesis.toml").write_text(_CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("st")), "run"),
        f"http://localhost:{served.port}/openapi.json",
        *("--checks", ",".join(_CHECKS), "--phases", "examples,coverage,fuzzing"),
        *("--header", f"Authorization: Bearer {token}"),
        *("--max-examples", "20", "--request-timeout", "15", "--no-color"),
        *("--generation-database", "none", "--warnings", "off", "--continue-on-failure"),
        *options,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 100)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


async def test_as_a_person(served: Served, tmp_path: Path) -> None:
    status, text = await _run(
        served, served.payer.token, *_PERSON, "--max-time", str(_SECONDS), folder=tmp_path
    )
    if status:
        pytest.fail(text, pytrace=False)


async def test_as_a_service(served: Served, tmp_path: Path) -> None:
    words = ("admin", "token", "--name", "prober", "--scope", "balances:read")
    status, text = await served.installation.command(*words)
    assert status == 0, text
    token = text.strip().splitlines()[-1]
    status, text = await _run(
        served, token, "--include-path", _QUERY, "--max-time", "8", folder=tmp_path
    )
    if status:
        pytest.fail(text, pytrace=False)
