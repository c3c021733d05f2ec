"""pycose, a COSE library by others, verifies our messages, and we verify its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from tests.offline import samples
from tests.offline.make_vectors import messages

from tikiwallet.offline.wire.cose import Kind
from tikiwallet.offline.wire.keys import PublicKey
from tikiwallet.offline.wire.messages import read

# It needs a cbor2 that the product cannot use: scripts/oracles.
_PYTHON: Final = Path(sys.prefix) / "oracles" / "bin" / "python"
_PROGRAM: Final = """
import json, sys
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.algorithms import Es256
from pycose.headers import Algorithm, KID
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.messages import CoseMessage, Sign1Message

def key_of(task):
    public = bytes.fromhex(task["public"])
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public).public_numbers()
    x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
    return EC2Key(crv=P256, x=x, y=y, d=bytes.fromhex(task["private"]))

def verify(task):
    message = CoseMessage.decode(bytes.fromhex(task["message"]))
    message.key = key_of(task)
    message.external_aad = bytes.fromhex(task["domain"])
    return {"holds": message.verify_signature(), "payload": message.payload.hex()}

def sign(task):
    header = {Algorithm: Es256} | ({KID: bytes.fromhex(task["kid"])} if task["kid"] else {})
    message = Sign1Message(phdr=header, payload=bytes.fromhex(task["payload"]))
    message.key = key_of(task)
    message.external_aad = bytes.fromhex(task["domain"])
    return {"message": message.encode().hex()}

tasks = json.load(sys.stdin)
print(json.dumps([{"verify": verify, "sign": sign}[task["do"]](task) for task in tasks]))
"""
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OURS: Final = messages()

pytestmark = pytest.mark.skipif(
    not _PYTHON.exists(), reason="pycose is not installed: scripts/oracles"
)


def pycose(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What it answers to each."""
    program = [str(_PYTHON), "-c", _PROGRAM]
    done = subprocess.run(
        program, input=json.dumps(tasks), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(answers) == len(tasks)
    return answers


def _task(do: str, signer: str, kind: Kind, **more: str) -> dict[str, Any]:
    key = samples.KEYS[signer]
    keys = {"public": key.public.hex(), "private": key.to_bytes().hex()}
    return {"do": do, "domain": kind.domain.hex(), **keys, **more}


def test_it_verifies_ours() -> None:
    answers = pycose(
        [
            _task("verify", signer, message.KIND, message=message.raw.hex())
            for _, signer, message in OURS
        ]
    )
    for (_, signer, message), answer in zip(OURS, answers, strict=True):
        assert answer["holds"]
        assert message.unsealed(samples.KEYS[signer].public).payload.hex() == answer["payload"]


def test_what_does_not_hold_does_not_hold_for_it_either() -> None:
    paid = samples.pay()
    spoilt = paid.raw[:-1] + bytes([paid.raw[-1] ^ 1])
    answers = pycose(
        [
            _task("verify", "payer", Kind.PAY, message=spoilt.hex()),
            _task("verify", "payee", Kind.PAY, message=paid.raw.hex()),
            _task("verify", "payer", Kind.CLOSE, message=paid.raw.hex()),
            _task("verify", "payer", Kind.PAY, message=paid.raw.hex()),
        ]
    )
    assert [answer["holds"] for answer in answers] == [False, False, False, True]


def test_we_verify_its_own() -> None:
    tasks = []
    for _, signer, message in OURS:
        payload = message.unsealed(samples.KEYS[signer].public).payload.hex()
        tasks.append(_task("sign", signer, message.KIND, payload=payload, kid=message.kid.hex()))
    for (_, signer, ours), answer in zip(OURS, pycose(tasks), strict=True):
        raw = bytes.fromhex(answer["message"])
        theirs = read(raw)
        assert theirs == ours
        assert theirs.hash == ours.hash
        assert theirs.raw[:-64] == ours.raw[:-64]
        key = PublicKey(samples.KEYS[signer].public)
        assert theirs.is_signed_by(key) == (_with_low_s(raw) == raw)
        assert read(_with_low_s(raw)).is_signed_by(key)


def _with_low_s(raw: bytes) -> bytes:
    """As our signers write it, which COSE leaves open."""
    s = int.from_bytes(raw[-32:], "big")
    return raw[:-32] + min(s, _ORDER - s).to_bytes(32, "big")
