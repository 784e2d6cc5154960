"""The choice of a proxy by environment variables, by the same rules as httpx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

import httpx

from ..errors import InvalidArgumentError


class ProxyRules:
    """The environment's proxies, and the hosts that ``NO_PROXY`` excludes.

    The most specific rule that matches a URL applies: a rule with a port before one without, then
    the longest host, then a rule with a scheme before one without.
    """

    def __init__(self, proxies: Mapping[str, httpx.Proxy], no_proxy: str) -> None:
        """Create the rules.

        Args:
            proxies: By scheme: ``http``, ``https``, ``all``.
            no_proxy: ``host``, ``host:port`` or ``scheme://host``, separated by commas.
        """
        rules: dict[str, httpx.Proxy | None] = {f"{key}://": each for key, each in proxies.items()}
        entries = [entry.strip() for entry in no_proxy.split(",")]
        if "*" in entries:
            rules.clear()
        elif rules:  # without a proxy, nothing needs to be excluded
            rules.update((_pattern_of(entry), None) for entry in entries if entry)
        found = [(_Pattern(pattern), proxy) for pattern, proxy in rules.items()]
        self._rules = sorted(found, key=lambda rule: rule[0].priority)

    def proxy_for(self, url: httpx.URL) -> httpx.Proxy | None:
        """Return the proxy for ``url``; None for a direct connection."""
        for pattern, proxy in self._rules:
            if pattern.matches(url):
                return proxy
        return None


class _Pattern:
    def __init__(self, pattern: str) -> None:
        try:
            url = httpx.URL(pattern)
        except (httpx.InvalidURL, ValueError, IndexError) as error:
            raise InvalidArgumentError(
                f"NO_PROXY has an entry that is not a host: {pattern.removeprefix('all://')!r}.",
                argument="trust_env",
                hint="Entries are host, .domain, host:port or http://host, separated by commas.",
            ) from error
        self._scheme = "" if url.scheme == "all" else url.scheme
        host = "" if url.host == "*" else url.host
        self._port = url.port
        if host.startswith("*."):
            self._host = re.compile(r".+\." + re.escape(host[2:]))
        elif host.startswith("*"):
            self._host = re.compile(r"(.+\.)?" + re.escape(host[1:]))
        else:
            self._host = re.compile(re.escape(host) if host else ".*")
        self.priority = (self._port is None, -len(host), -len(self._scheme))

    def matches(self, url: httpx.URL) -> bool:
        return (
            self._scheme in ("", url.scheme)
            and self._port in (None, url.port)
            and self._host.fullmatch(url.host) is not None
        )


def _pattern_of(entry: str) -> str:
    """Return the URL pattern of an entry of ``NO_PROXY``."""
    if "://" in entry:
        return entry
    address = entry.partition("/")[0]  # httpx ignores the prefix length of a network
    if _is_address(IPv6Address, address):
        return f"all://[{address}]"
    if entry.startswith("["):
        return f"all://{entry}"
    if _is_address(IPv4Address, address) or entry.lower() == "localhost":
        return f"all://{entry}"
    return f"all://*{entry}"


def _is_address(kind: type[IPv4Address] | type[IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
