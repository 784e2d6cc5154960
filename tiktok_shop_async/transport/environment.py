"""Proxies and certificates from arguments and from the environment, and their checks.

The checks run when a client is created, so they read no certificates and import nothing slow.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.request import getproxies

import httpx

from .._internal.argument_checks import check_bool, invalid
from ..errors import InvalidArgumentError

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_PROXY_HINT = "Write it as http://host:port, https://host:port or socks5://host:port."
_TRUST_ENV_HINT = "Or pass trust_env=False to ignore proxies and certificates of the environment."


class ProxyConnectError(httpx.ConnectError):
    """The proxy itself cannot be reached."""

    @classmethod
    def of(cls, proxy: httpx.URL, error: Exception) -> ProxyConnectError:
        """Return the error that names the proxy, without its password."""
        return cls(f"the proxy {proxy.scheme}://{proxy.netloc.decode()} cannot be reached: {error}")


def is_about_certificates(error: BaseException | None) -> bool:
    """Return whether an error was caused by an untrusted certificate."""
    for _ in range(8):
        if error is None or isinstance(error, ssl.SSLCertVerificationError):
            break
        error = error.__cause__ or error.__context__
    return error is not None


def parse_proxy(proxy: object) -> httpx.Proxy | None:
    """Return the proxy of an argument; reject it without quoting it, as it may have a password."""
    if proxy is None:
        return None
    if isinstance(proxy, httpx.Proxy):
        _check_scheme(proxy.url.scheme, "proxy", "proxy", _PROXY_HINT)
        return proxy
    if not isinstance(proxy, (str, httpx.URL)):
        raise invalid("proxy", "a URL as text, an httpx.Proxy or None", proxy, _PROXY_HINT)
    return _parse_url(str(proxy), "proxy", "proxy", _PROXY_HINT)


def environment_proxies() -> dict[str, httpx.Proxy]:
    """Return the environment's proxies by scheme; ``all`` is for schemes without their own."""
    addresses = getproxies()
    schemes = ["http", "https"]
    if not all(addresses.get(scheme) for scheme in schemes):
        schemes.append("all")  # otherwise it is unused, and may be invalid
    proxies = {}
    for scheme in schemes:
        address = addresses.get(scheme)
        if address:
            source = f"the environment variable {_variable_of(scheme)}"
            full = address if "://" in address else f"http://{address}"
            hint = f"{_PROXY_HINT} {_TRUST_ENV_HINT}"
            proxies[scheme] = _parse_url(full, source, "trust_env", hint)
    return proxies


def check_network_settings(verify: object, trust_env: object) -> None:
    """Reject values of ``verify`` and ``trust_env`` that have the wrong type."""
    check_bool(trust_env, "trust_env")
    if not isinstance(verify, (bool, ssl.SSLContext)):
        hint = None
        if isinstance(verify, (str, os.PathLike)):
            hint = "Pass ssl.create_default_context(cafile=…) to use your own certificates."
        raise invalid("verify", "True, False or an ssl.SSLContext", verify, hint)


def check_certificate_files(verify: ssl.SSLContext | bool, trust_env: bool) -> None:
    """Reject an environment that names missing certificate files; do not read the files."""
    if verify is not True:
        return
    for variable, problem in _missing_files(os.environ, trust_env):
        raise InvalidArgumentError(
            f"the environment variable {variable} names {problem}.",
            argument="verify",
            hint="Correct or unset it, or pass verify=ssl.create_default_context(cafile=…).",
        )


def _missing_files(environment: Mapping[str, str], trust_env: bool) -> list[tuple[str, str]]:
    """Return the variables that name missing files, each with the problem.

    They are the variables that httpx and ssl read.
    """
    missing = []
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if trust_env and file and not Path(file).is_file():
        missing.append(("SSL_CERT_FILE", f"{file!r}, which is not a file"))
    elif trust_env and not file and folder and not _are_folders(folder):
        missing.append(("SSL_CERT_DIR", f"{folder!r}, which is not a directory"))
    log = environment.get("SSLKEYLOGFILE")
    if log and not Path(log).parent.is_dir():
        missing.append(("SSLKEYLOGFILE", f"{log!r}, whose directory does not exist"))
    return missing


def _are_folders(paths: str) -> bool:
    return all(Path(path).is_dir() for path in paths.split(os.pathsep) if path)


def new_ssl_context(verify: bool, trust_env: bool) -> ssl.SSLContext:
    """Return a new SSL context; errors about certificates name the variables to check."""
    try:
        return httpx.create_ssl_context(verify=verify, trust_env=trust_env)
    except OSError as error:  # including ssl.SSLError, for a file without a certificate
        reason = f"{type(error).__name__}: {error.strerror or error}"
    variables = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
    to_check = " and ".join(name for name in variables if os.environ.get(name))
    raise InvalidArgumentError(
        f"the certificates cannot be loaded ({reason}){to_check and f'; check {to_check}'}.",
        argument="verify",
        hint="Or pass verify=ssl.create_default_context(cafile=…).",
    )


def _parse_url(address: str, source: str, argument: str, hint: str) -> httpx.Proxy:
    try:
        url = httpx.URL(address)
        scheme, is_usable = url.scheme, bool(url.host) and 0 < (url.port or 80) < 65536
    except (httpx.InvalidURL, ValueError, IndexError):  # the last two for names that IDNA rejects
        scheme, is_usable = "", False
    if scheme:
        _check_scheme(scheme, source, argument, hint)
    if not is_usable:
        del address  # it may have a password, and tracebacks can show local variables
        raise InvalidArgumentError(
            f"{source} is not the URL of a proxy.", argument=argument, hint=hint
        )
    return httpx.Proxy(address)


def _check_scheme(scheme: str, source: str, argument: str, hint: str) -> None:
    if scheme not in _PROXY_SCHEMES:
        raise InvalidArgumentError(
            f"{source} begins with {scheme}://, which is not supported.",
            argument=argument,
            hint=hint,
        )
    if scheme.startswith("socks") and not _is_installed("socksio"):
        raise InvalidArgumentError(
            f"{source} is a SOCKS proxy, which requires the package socksio.",
            argument=argument,
            hint=f"Install it: pip install 'httpx[socks]'. {hint}",
        )


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec  # slow to import and rarely needed

    return find_spec(package) is not None


def _variable_of(scheme: str) -> str:
    lower = f"{scheme}_proxy"
    return next((name for name in (lower, lower.upper()) if os.environ.get(name)), lower.upper())
