"""How clients prove who they are to a broker and know it is the right one: `Security`, for each of the three clients.

Settings come from the environment or the constructor. A password is never text that prints: see `Secret`. Spark gets it
through a private file that Kafka's own client reads, so that no option, plan or configuration of Spark ever holds it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.broker.redaction import keep_logins_out_of_the_log
from workbench.errors import BrokerError

__all__ = ["SECURITY_VARIABLE", "Secret", "Security"]

SECURITY_VARIABLE = "WORKBENCH_SECURITY"
_VARIABLES = {
    "mechanism": "WORKBENCH_SASL_MECHANISM",
    "username": "WORKBENCH_USERNAME",
    "password": "WORKBENCH_PASSWORD",
    "password_file": "WORKBENCH_PASSWORD_FILE",
    "ca_file": "WORKBENCH_CA_FILE",
    "client_file": "WORKBENCH_CLIENT_FILE",
}
_PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


class Secret(str):
    """Text that is used and never shown: it prints as stars and cannot be pickled.

    >>> print(Secret("hunter2"), [Secret("hunter2")], f"{Secret('hunter2')}")
    *** [***] ***
    >>> Secret("hunter2").reveal()
    'hunter2'
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Secret:
        """Take a text, or the text of another."""
        return super().__new__(cls, text.reveal() if isinstance(text, Secret) else text)

    def reveal(self) -> str:
        """Give it as ordinary text."""
        return self.encode().decode()

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> tuple[type, tuple[str]]:
        if not self:
            return Secret, ("",)
        raise BrokerError("a password is not pickled. Fix: make the Connection where it is used, by from_env()")


_NO_PASSWORD = Secret("")


@dataclass(frozen=True, slots=True)
class Security:
    """Encryption and login, the same for every client.

    Parameters
    ----------
    protocol
        "plaintext", "ssl", "sasl_plaintext" or "sasl_ssl".
    mechanism, username, password
        For the two with SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    ca_file
        PEM file of the authorities to trust, for the two with TLS; None: those of the system (for Spark, of Java).
    client_file
        PEM file with the client's certificate and its unencrypted private key, where the broker asks for one.

    Raises
    ------
    BrokerError
        Settings that cannot be.

    Examples
    --------
    >>> Security("sasl_ssl", "PLAIN", "ann", "hunter2")
    Security(protocol='sasl_ssl', mechanism='PLAIN', username='ann', password=***, ca_file=None, client_file=None)
    >>> Security("sasl_ssl", "PLAIN", "ann")
    Traceback (most recent call last):
    workbench.errors.BrokerError: sasl_ssl needs a password. Fix: set WORKBENCH_PASSWORD_FILE or WORKBENCH_PASSWORD
    """

    protocol: str = "plaintext"
    mechanism: str = ""
    username: str = ""
    password: Secret = _NO_PASSWORD  # plain text becomes one
    ca_file: Path | None = None
    client_file: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "password", Secret(self.password))
        if self.protocol not in _PROTOCOLS:
            raise BrokerError(f"{SECURITY_VARIABLE} is {self.protocol!r}; expected {', '.join(_PROTOCOLS)}")
        self._check_login()
        for name in ("ca_file", "client_file"):
            path = getattr(self, name)
            if path is None:
                continue
            if not self.tls:
                raise BrokerError(
                    f"{_VARIABLES[name]} is set, but {self.protocol} does not encrypt. Fix: set {SECURITY_VARIABLE} "
                    "to ssl or sasl_ssl"
                )
            object.__setattr__(self, name, Path(path).expanduser().absolute())
        self._check_files()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Security:
        """What the variables say; nothing set is plaintext, and so is WORKBENCH_SECURITY=plaintext whatever else is."""
        given = {name: environ[variable] for name, variable in _VARIABLES.items() if environ.get(variable)}
        protocol = environ.get(SECURITY_VARIABLE, "").strip().lower()
        if not protocol and given:
            raise BrokerError(
                f"{_VARIABLES[next(iter(given))]} is set and {SECURITY_VARIABLE} is not. Fix: set it to one of "
                f"{', '.join(_PROTOCOLS[1:])}"
            )
        if protocol in ("", "plaintext"):
            return cls()
        if "password_file" in given:
            if "password" in given:
                raise BrokerError("WORKBENCH_PASSWORD and WORKBENCH_PASSWORD_FILE are both set. Fix: unset one")
            given["password"] = _read("password_file", Path(given.pop("password_file"))).removesuffix("\n")
        files = {name: Path(given.pop(name)) for name in ("ca_file", "client_file") if name in given}
        given["mechanism"] = given.get("mechanism", "").strip().upper()
        return cls(protocol, **given, **files)  # type: ignore[arg-type]  # the rest of `given` is text

    @property
    def tls(self) -> bool:
        """Whether the traffic is encrypted."""
        return self.protocol.endswith("ssl")

    @property
    def sasl(self) -> bool:
        """Whether a user logs in."""
        return self.protocol.startswith("sasl")

    def tls_context(self) -> ssl.SSLContext:
        """The context by which the broker's certificate is judged, and ours is shown."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.client_file is not None:
            context.load_cert_chain(self.client_file)
        return context

    def kafka_python(self) -> dict[str, Any]:
        """Keyword arguments for a kafka-python client; none for plaintext."""
        options: dict[str, Any] = {} if self.protocol == "plaintext" else {"security_protocol": self.protocol.upper()}
        if self.sasl:
            keep_logins_out_of_the_log()
            login = {"sasl_plain_username": self.username, "sasl_plain_password": self.password}
            options |= {"sasl_mechanism": self.mechanism, **login}
        if self.ca_file is not None:
            options["ssl_cafile"] = str(self.ca_file)
        if self.client_file is not None:
            options["ssl_certfile"] = str(self.client_file)
        return options

    def librdkafka(self) -> dict[str, str]:
        """Settings of confluent-kafka, kcat and other clients on librdkafka. The password is among them, as text."""
        options = {} if self.protocol == "plaintext" else {"security.protocol": self.protocol}
        if self.sasl:
            login = {"sasl.username": self.username, "sasl.password": self.password.reveal()}
            options |= {"sasl.mechanism": self.mechanism, **login}
        if self.ca_file is not None:
            options["ssl.ca.location"] = str(self.ca_file)
        if self.client_file is not None:
            options |= dict.fromkeys(("ssl.certificate.location", "ssl.key.location"), str(self.client_file))
        return options

    def spark(self) -> dict[str, str]:
        """Options for Spark's Kafka source and sink. The login is not among them: they name a file that holds it."""
        options = {} if self.protocol == "plaintext" else {"security.protocol": self.protocol.upper()}
        if self.sasl:
            provider = "org.apache.kafka.common.config.provider.FileConfigProvider"
            login = f"${{file:{_login_file(self._jaas())}:login}}"
            options |= {"sasl.mechanism": self.mechanism, "sasl.jaas.config": login}
            options |= {"config.providers": "file", "config.providers.file.class": provider}
        if self.ca_file is not None:
            options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.ca_file)}
        if self.client_file is not None:
            options |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(self.client_file)}
        return {f"kafka.{name}": value for name, value in options.items()}

    def _jaas(self) -> Secret:
        user, password = (text.replace("\\", r"\\").replace('"', r"\"") for text in (self.username, self.password))
        return Secret(f'{_LOGIN_MODULES[self.mechanism]} required username="{user}" password="{password}";')

    def _check_login(self) -> None:
        if not self.sasl:
            if self.mechanism or self.username or self.password:
                raise BrokerError(
                    f"a login is given, but {self.protocol} has none. Fix: set {SECURITY_VARIABLE} to sasl_ssl"
                )
            return
        if self.mechanism not in _LOGIN_MODULES:
            raise BrokerError(f"{_VARIABLES['mechanism']} is {self.mechanism!r}; expected {', '.join(_LOGIN_MODULES)}")
        if not self.username:
            raise BrokerError(f"{self.protocol} needs a user. Fix: set {_VARIABLES['username']}")
        if not self.password:
            fix = f"set {_VARIABLES['password_file']} or {_VARIABLES['password']}"
            raise BrokerError(f"{self.protocol} needs a password. Fix: {fix}")
        for name, text in (("user", self.username), ("password", self.password)):
            if not text.isprintable():
                raise BrokerError(f"the {name} has a line break or another control character. Fix: take it out")

    def _check_files(self) -> None:
        if self.ca_file is not None:
            _read("ca_file", self.ca_file)
        if self.client_file is not None:
            text = _read("client_file", self.client_file)
            if "-----BEGIN PRIVATE KEY-----" not in text:  # the one form that all three clients read
                raise BrokerError(
                    f"{_VARIABLES['client_file']}: {self.client_file} holds no unencrypted PKCS #8 key. Fix: append "
                    "what `openssl pkcs8 -topk8 -nocrypt -in KEY` prints"
                )
        try:
            if self.tls:
                self.tls_context()
        except OSError as error:
            files = " or ".join(str(path) for path in (self.ca_file, self.client_file) if path is not None)
            raise BrokerError(f"{files} cannot be used for TLS ({error}). Fix: give certificates in PEM") from error


def _read(name: str, path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BrokerError(f"{_VARIABLES[name]}: {path} cannot be read ({reason}). Fix: name a file that can") from error


@functools.cache
def _login_file(jaas: Secret) -> str:
    """A file of Java properties whose `login` is the text given, for Kafka's client in a JVM that we started.

    On Linux it is in memory and gone with this process, however that ends: a notebook's kernel may be killed. Elsewhere
    it is in a folder for this user only, and deleted when the process ends by itself.
    """
    text = "login=" + jaas.replace("\\", r"\\") + "\n"
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("workbench-login")
        os.write(memory, text.encode())
        return f"/proc/{os.getpid()}/fd/{memory}"
    folder = tempfile.mkdtemp(prefix="workbench-login-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "login.properties"
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
    return str(path)
