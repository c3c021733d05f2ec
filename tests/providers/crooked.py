"""An OpenID Connect provider over HTTP that can be told to do wrong.

It signs with keys of its own and checks what a good provider checks (PKCE, the client's secret, one
use of a code); `claims`, `header` and `answer` change what it hands out.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

CLIENT, SECRET = "wallet", "a secret: 100%"
SUBJECT = "subject-1"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@dataclass
class Crooked:
    """What the provider knows, and how it misbehaves; a claim that is None is left out."""

    port: int = 0
    key: Any = field(default_factory=new_key)
    alg: str = "RS256"
    kid: str | None = "key-1"
    published: list[dict[str, Any]] | None = None  # in place of its own key
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, bytes] = field(default_factory=dict)  # answers of paths, as they are
    status: int = 200
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def approve(self, location: str, subject: str = SUBJECT) -> dict[str, str]:
        """A person signs in and agrees: what the browser brings back to us."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["response_type"] == "code"
        assert asked["scope"] == "openid"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "sub": subject}
        return {"code": code, "state": asked["state"]}

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **self.metadata,
        }

    def keys(self) -> dict[str, Any]:
        if self.published is not None:
            return {"keys": self.published}
        return {"keys": [self.public_key(self.key, self.alg, self.kid)]}

    @staticmethod
    def public_key(key: Any, alg: str, kid: str | None) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(alg)
        written: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
        return {**written, "use": "sig", "alg": alg, **({} if kid is None else {"kid": kid})}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if authorization.startswith("Basic "):
            id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            client = (unquote(id), unquote(secret))
        else:
            client = (form.get("client_id", ""), form.get("client_secret", ""))
        if not self.knows(*client):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": asked["sub"],
            "aud": asked["client_id"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {} if self.kid is None else {"kid": self.kid}
        signed = jwt.encode(claims, self.key, self.alg, headers=headers)
        return 200, {"id_token": signed, "access_token": "x", "token_type": "Bearer"}

    def knows(self, id: str, secret: str) -> bool:
        return (id, secret) == (CLIENT, SECRET)


@dataclass
class SignedSecrets(Crooked):
    """A provider like Apple's: secrets are tokens that are signed with a registered key."""

    client_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def knows(self, id: str, secret: str) -> bool:
        try:
            claims = jwt.decode(
                secret,
                self.client_key.public_key(),
                algorithms=["ES256"],
                audience=self.issuer,
                issuer="team-1",
                subject=id,
                options={"require": ["exp", "iat", "sub"]},
            )
        except jwt.PyJWTError:
            return False
        kid = jwt.get_unverified_header(secret)["kid"]
        return bool(kid == "client-key-1" and claims["exp"] - claims["iat"] <= 15_777_000)


@contextmanager
def serving(provider: Crooked) -> Iterator[Crooked]:
    """`provider` on a port of loopback, the one that it has or a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            found = provider.keys() if path == "/jwks" else provider.discovery()
            self.answer(path, provider.status, found)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            found = provider.token(dict(parse_qsl(body)), self.headers.get("authorization", ""))
            self.answer("/token", *found)

        def answer(self, path: str, status: int, found: object) -> None:
            provider.asked.append(path)
            body = provider.broken.get(path, json.dumps(found).encode())
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", provider.port), Handler)
    provider.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
