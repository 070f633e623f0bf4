"""A broker with TLS and logins for the tests: the embedded one, with further ports that are secured or wrongly so."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
from ports import free_port

from workbench.broker.clients import admin_client
from workbench.broker.connection import Connection
from workbench.broker.embedded import EmbeddedBroker

USER = "ann"
# Every character that a quoted, an escaped or an expanded text could trip over.
PASSWORD = 'canary-7Qf "\\n${x:y}=#!é, p4ss'
CANARY = "canary-7Qf"  # what of it survives every way to write it
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
DAY = timedelta(days=1)


class Authority:
    """Makes certificates; `path` is its own, in PEM."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self._name, self._key.public_key(), datetime.now(UTC) + DAY)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._own = own.sign(self._key, hashes.SHA256())
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self._own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *hosts: str, until: datetime | None = None) -> Path:
        """A PEM file with a new key and its certificate for these hosts, valid up to a time."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), until or datetime.now(UTC) + DAY)
        names = [_general_name(host) for host in hosts or (name,)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        path = self._folder / f"{name}.pem"
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, *form)
            + certificate.public_bytes(serialization.Encoding.PEM)
            + self._own.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(until - 30 * DAY).not_valid_after(until)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass(frozen=True)
class Port:
    """A listener: its protocol, its certificate, and whether the client must show one."""

    name: str
    protocol: str
    certificate: Path | None = None
    client: str = "none"
    number: int = 0


class SecuredBroker(EmbeddedBroker):
    """Beside the plain port, by which it is set up, ports that are right (login, tls, mutual, open) or wrong
    (expired, elsewhere). `at(name)` is the address of one."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, port=0)
        home.mkdir(parents=True)
        self.authority, self.stranger = Authority(home, "authority"), Authority(home, "stranger")
        good = self.authority.issue("broker", "127.0.0.1", "localhost")
        expired = self.authority.issue("expired", "127.0.0.1", until=datetime.now(UTC) - DAY)
        elsewhere = self.authority.issue("elsewhere", "broker.example")
        self.client_file = self.authority.issue("client")
        ports = [
            Port("login", "SASL_SSL", good),
            Port("tls", "SSL", good),
            Port("mutual", "SSL", good, client="required"),
            Port("open", "SASL_PLAINTEXT"),
            Port("expired", "SASL_SSL", expired),
            Port("elsewhere", "SASL_SSL", elsewhere),
        ]
        self._ports = {p.name: Port(p.name, p.protocol, p.certificate, p.client, free_port()) for p in ports}

    def at(self, name: str) -> str:
        return f"127.0.0.1:{self._ports[name].number}"

    def environment(self, folder: Path, mechanism: str = "SCRAM-SHA-256", password: str = PASSWORD) -> dict[str, str]:
        """The variables for the right login, with the password in a file as an editor leaves it."""
        (folder / "password").write_text(password + "\n", "utf-8")
        return {
            "WORKBENCH_BROKERS": self.at("login"),
            "WORKBENCH_SECURITY": "sasl_ssl",
            "WORKBENCH_SASL_MECHANISM": mechanism,
            "WORKBENCH_USERNAME": USER,
            "WORKBENCH_PASSWORD_FILE": str(folder / "password"),
            "WORKBENCH_CA_FILE": str(self.authority.path),
        }

    def up(self) -> Connection:
        connection = super().up()
        with admin_client(connection) as admin:
            ways = (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
            for way in ways:
                answer = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, way, PASSWORD)])
                assert answer == {USER: None}
        return connection

    def _properties(self, port: int, controller: int) -> str:
        listeners = [f"{p.name.upper()}://127.0.0.1:{p.number}" for p in self._ports.values()]
        own = f"PLAINTEXT://127.0.0.1:{port}"
        kinds = [f"{p.name.upper()}:{p.protocol}" for p in self._ports.values()]
        lines = [
            "listeners=" + ",".join([own, f"CONTROLLER://127.0.0.1:{controller}", *listeners]),
            "advertised.listeners=" + ",".join([own, *listeners]),
            "listener.security.protocol.map=" + ",".join(["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", *kinds]),
            "inter.broker.listener.name=PLAINTEXT",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.authority.path}",
        ]
        for p in self._ports.values():
            if p.protocol.startswith("SASL"):
                lines += _logins(f"listener.name.{p.name}")
            if p.certificate is not None:
                of = f"listener.name.{p.name}.ssl"
                lines += [f"{of}.keystore.type=PEM", f"{of}.keystore.location={p.certificate}"]
                lines += [f"{of}.client.auth={p.client}"]
        return super()._properties(port, controller) + "\n".join(lines) + "\n"


def _logins(listener: str) -> list[str]:
    password = PASSWORD.replace("\\", r"\\").replace('"', r"\"")  # for JAAS
    password = "".join(
        c if c.isascii() else f"\\u{ord(c):04x}" for c in password.replace("\\", r"\\")
    )  # for properties
    package = "org.apache.kafka.common.security"
    plain = f'{package}.plain.PlainLoginModule required user_{USER}="{password}";'
    scram = f"{package}.scram.ScramLoginModule required;"
    return [
        f"{listener}.sasl.enabled.mechanisms={','.join(MECHANISMS)}",
        f"{listener}.plain.sasl.jaas.config={plain}",
        f"{listener}.scram-sha-256.sasl.jaas.config={scram}",
        f"{listener}.scram-sha-512.sasl.jaas.config={scram}",
    ]
