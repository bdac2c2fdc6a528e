"""HTTPS on this machine: a certificate that what runs in the environment trusts, and nobody else.

Helpers of custom resources speak HTTPS to the response URL, whatever it begins with.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from personalize_emulator.http_server import HttpServer

_DAYS = 30


@dataclass(frozen=True)
class _Certificate:
    """Files: the certificate, its key, and the certificate after those that programs trust anyway."""

    own: Path
    key: Path
    bundle: Path

    def environ(self) -> dict[str, str]:
        """The variables with which Python and Node.js trust it."""
        bundle = str(self.bundle)
        return {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle, "NODE_EXTRA_CA_CERTS": str(self.own)}

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.own, self.key)
        return context


def make_certificate(folder: Path) -> _Certificate:
    """A new certificate for 127.0.0.1 and localhost; its key is readable by its owner alone."""
    folder.mkdir(parents=True, exist_ok=True)
    made = _Certificate(folder / "own.pem", folder / "key.pem", folder / "bundle.pem")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localaws")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    made.key.touch(0o600)
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    made.own.write_bytes(text)
    made.bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + text)
    return made


class HttpsServer(HttpServer):
    """The same server with TLS; each connection shakes hands in its own thread."""

    def __init__(self, *arguments: Any, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        super().__init__(*arguments, **options)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address
