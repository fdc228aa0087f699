"""How a provider proves who it is."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

from ownkey.talk.errors import BadConfiguration, NetworkError

# Where the systems keep the certificates that they trust, beside what OpenSSL was built with.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL, CentOS
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, the BSDs
)

# OpenSSL's x509_vfy.h
_WHY = {
    10: "it has expired",
    9: "it is not valid yet",
    18: "it is signed by itself",
    19: "it is not signed by an authority that this machine trusts",
    20: "it is not signed by an authority that this machine trusts",
    62: "it is for another name",
    64: "it is for another address",
}


def make_context() -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and name checked against the system's authorities.

    `ssl.create_default_context` would write the session keys into the file that SSLKEYLOGFILE names, and OpenSSL's
    default paths would be taken from SSL_CERT_FILE; neither is looked at here.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if sys.platform == "win32":
        context.load_default_certs()
        return context
    built_in = ssl.get_default_verify_paths()
    found = next((path for path in (built_in.openssl_cafile, *_BUNDLES) if Path(path).is_file()), None)
    folder = built_in.openssl_capath if os.path.isdir(built_in.openssl_capath) else None
    if found or folder:
        context.load_verify_locations(found, folder)
    return context


def checked(context: ssl.SSLContext) -> ssl.SSLContext:
    """Raises BadConfiguration where `context` does not check all that `make_context` checks, or tells its keys.

    One that leaves the oldest version of TLS to OpenSSL, as Python's own default does on Debian, gets 1.2.
    """
    if context.minimum_version == ssl.TLSVersion.MINIMUM_SUPPORTED:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    strict = context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
    if not strict or context.minimum_version < ssl.TLSVersion.TLSv1_2 or context.keylog_filename:
        raise BadConfiguration(
            "A TLS context for providers checks certificate and name, speaks TLS 1.2 or later and logs no keys.",
            "Load your authority's certificate into it instead of switching the check off.",
        )
    return context


def no_handshake(host: str, error: OSError) -> NetworkError:
    """What to say of a handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _WHY.get(error.verify_code, "it is not valid")
        hint = "Check the base URL. Where a company's own authority signs it, let this machine trust that authority."
        return NetworkError(f"The TLS certificate of {host} was refused: {why}. Nothing was sent.", hint)
    return NetworkError(f"TLS with {host} failed. Nothing was sent.", "Check that the base URL's port speaks TLS 1.2+.")
