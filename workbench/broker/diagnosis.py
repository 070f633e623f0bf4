"""Why a broker cannot be used, and the fix, in a few words each. Looks only; raises nothing.

Kafka's clients tell a wrong certificate or password from a missing broker in their log at best, and try again until
time is over. So the socket, the TLS handshake and the login are tried here, one after the other, and then the addresses
under which the broker tells its clients to come back.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from workbench.broker import login

if TYPE_CHECKING:
    from workbench.broker.security import Security

__all__ = ["listens", "refused", "unreachable"]

_SECONDS = 4.0
_ALERT_S = 0.5
_ADVERTISED_S = 2.0
# OpenSSL's numbers for what is wrong with a certificate.
_EXPIRED, _NOT_YET = 10, 9
_OTHER_NAME = (62, 64)


def unreachable(addresses: Sequence[str], security: Security, seconds: float) -> tuple[str, str] | None:
    """What is wrong with each address, and the fix where there is one; None once one of them takes us."""
    reasons, fix = [], ""
    for address in addresses:
        found = _look_at(address, security, seconds / len(addresses))
        if found is None:
            return None
        what, advice = found
        reasons.append(f"{address}: {what}")
        fix = fix or advice
    return "; ".join(reasons), fix


def refused(addresses: Sequence[str], security: Security) -> tuple[str, str] | None:
    """The same after a client gave up: what it may have been although the address is there."""
    if found := unreachable(addresses, security, _SECONDS):
        return found
    for address in addresses:
        if security.tls and security.client_file is None and _wants_a_certificate(address, security):
            what, fix = "it wants a certificate of the client", "set WORKBENCH_CLIENT_FILE to a PEM file with one"
            return f"{address}: {what}", fix
        if not security.tls and _speaks_tls(address):
            return f"{address}: it is encrypted", "set WORKBENCH_SECURITY to ssl, or to sasl_ssl where users log in"
    return None


def listens(address: str, seconds: float) -> bool:
    """Whether anything takes connections at `host:port`. It says nothing of what that is."""
    try:
        with _talk(address, seconds, None):
            return True
    except OSError:
        return False


def _look_at(address: str, security: Security, seconds: float) -> tuple[str, str] | None:
    host = _host(address)
    try:
        with _talk(address, seconds, security.tls_context() if security.tls else None) as talk:
            if security.sasl and (refusal := login.refusal(talk, host, security)):
                return refusal
            return _no_way_on(talk, seconds)
    except ssl.SSLCertVerificationError as error:
        return _wrong_certificate(error, host)
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE"):
            protocol = "sasl_plaintext" if security.sasl else "plaintext"
            return "it does not speak TLS", f"set WORKBENCH_SECURITY to {protocol}, or name a port that is encrypted"
        return f"TLS failed: {error.reason or error}", "see the broker's log"
    except (OSError, ValueError, struct.error) as error:  # the latter two: an answer that is not a broker's
        return (error.strerror if isinstance(error, OSError) else None) or str(error), ""


def _no_way_on(talk: socket.socket, seconds: float) -> tuple[str, str] | None:
    """Why this machine cannot go where the broker sends its clients. None also where it does not say."""
    talk.settimeout(min(seconds, _ADVERTISED_S))
    try:
        told = login.advertised(talk)
    except (OSError, ValueError, struct.error):
        return None  # no broker, or one that wants TLS: the client says so
    if not told:
        return "its cluster has no broker that is ready", "wait, or restart it"
    unknown = [host for host, port in told if not _resolves(host, port)]
    if unknown:
        what = "does not know that name"
    elif not any(listens(f"{host}:{port}", min(seconds, _ADVERTISED_S)) for host, port in told):
        what, unknown = "cannot connect there", [host for host, _ in told]
    else:
        return None
    host, port = next(each for each in told if each[0] in unknown)
    return (
        f"it answers, but sends its clients to {host}:{port}, and this machine {what}",
        "set advertised.listeners of the broker (Redpanda: advertised_kafka_api) to an address that this machine "
        f"reaches, or add {host} to /etc/hosts",
    )


def _resolves(host: str, port: int) -> bool:
    try:
        return bool(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def _wrong_certificate(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    if error.verify_code in (_EXPIRED, _NOT_YET):
        return f"its {error.verify_message}", "renew the broker's certificate, or set this machine's clock"
    if error.verify_code in _OTHER_NAME:
        return (
            f"its certificate is not for {host!r}",
            "name the broker in WORKBENCH_BROKERS as its certificate does, or have one made for that name",
        )
    return (
        f"its certificate is from an authority that is not trusted: {error.verify_message}",
        "set WORKBENCH_CA_FILE to the PEM file of the authority that made it",
    )


def _wants_a_certificate(address: str, security: Security) -> bool:
    """In TLS 1.3 a server says so only after the handshake."""
    try:
        with _talk(address, _ALERT_S, security.tls_context()) as talk:
            talk.recv(1)
    except ssl.SSLError as error:
        return "CERTIFICATE" in (error.reason or "").upper()
    except OSError:
        pass  # silence: it waits for us to speak, so it does not mind
    return False


def _speaks_tls(address: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is said to it
    try:
        with _talk(address, _ALERT_S, context):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "").upper()
    except OSError:
        return False


@contextlib.contextmanager
def _talk(address: str, seconds: float, context: ssl.SSLContext | None) -> Iterator[socket.socket]:
    """A connection to the address, encrypted where there is a context; no step of it takes longer than `seconds`."""
    host, port = _host(address), int(address.rpartition(":")[2])
    with socket.create_connection((host, port), timeout=seconds) as plain:
        if context is None:
            yield plain
        else:
            with context.wrap_socket(plain, server_hostname=host) as encrypted:
                yield encrypted


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")
