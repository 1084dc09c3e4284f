"""Which host a request must name, and whose pages it may come from, where no key protects the server.

A page of any site can point its own name at this machine (DNS rebinding) and then read the responses; its requests
name the site's host. It can send forms here, too; those name the site's origin.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from elcrec.errors import SettingsError
from elcrec.serving.middleware.keys import header

LOCAL = ("localhost", "127.0.0.1", "::1")
WILDCARDS = ("0.0.0.0", "::")
ANY = "*"
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\x00-\x20\x7f:/@\[\]]+))(?::[0-9]*)?")
_NAME = re.compile(r"[^\x00-\x20\x7f:/@\[\]*]+")
Headers = list[tuple[bytes, bytes]]
Refusal = tuple[int, str]


class Hosts:
    """The hosts that a server answers for, and the origins whose pages may use it."""

    def __init__(self, bound: str, allowed: Iterable[str], keyless: bool, origins: Iterable[str] = ()) -> None:
        """Those of this machine and those allowed; with keys, any, unless some are allowed.

        Args:
            bound: The address it listens on; all addresses: any numeric address names it.
            allowed: More names; ``*``: any.
            keyless: Whether no key is needed.
            origins: Other sites whose pages may send requests; ``*``: any.
        """
        self._names = {_plain(name) for name in (*LOCAL, bound, *allowed)}
        self._by_address = bound in WILDCARDS
        self._any = ANY in self._names or not (keyless or tuple(allowed))
        self._keyless = keyless
        self._origins = frozenset(origins)

    def refusal(self, method: str, headers: Headers) -> Refusal | None:
        """Why a request is refused: a status and a sentence; None for one that may pass."""
        named = [value for name, value in headers if name == b"host"]
        host = host_of(named[0]) if len(named) == 1 else None
        if host is None:
            return 400, "name the host in one Host header"
        if not self._answers_for(host):
            return 421, f"this server does not answer for host {host[:80]!r}: start it with --allow-host {host[:80]}"
        if self._keyless and method not in ("GET", "HEAD", "OPTIONS") and not self._may_write(host, headers):
            return 403, "a page of another site may not write here: start the server with --cors ORIGIN"
        return None

    def shares_with(self, origin: bytes) -> bool:
        """Whether pages of an origin may read what is answered."""
        return bool(origin) and (ANY in self._origins or origin.decode("latin-1") in self._origins)

    def _answers_for(self, host: str) -> bool:
        return self._any or host in self._names or (self._by_address and _is_address(host))

    def _may_write(self, host: str, headers: Headers) -> bool:
        origin = header(headers, b"origin")
        if not origin or self.shares_with(origin):
            return True
        # Browsers say themselves whether page and server are one site, whatever a proxy made of the host.
        if header(headers, b"sec-fetch-site") == b"same-origin":
            return True
        try:
            return _plain(urlsplit(origin.decode("latin-1")).hostname or "") == host
        except ValueError:
            return False


def host_of(authority: bytes) -> str | None:
    """The name or address in a Host header, without the port; None where it is malformed."""
    found = _AUTHORITY.fullmatch(authority.decode("latin-1").strip())
    return None if found is None else _plain(found[1] or found[2])


def proxy_networks(proxies: Iterable[str]) -> list[str]:
    """Addresses and networks of proxies, checked.

    Raises:
        SettingsError: One is neither.
    """
    networks = []
    for proxy in proxies:
        try:
            network = ipaddress.ip_network(proxy, strict=False)
        except ValueError as error:
            raise SettingsError(f"--trust-proxy {proxy}: name an address or a network, as in 10.0.0.0/8") from error
        networks.append(str(network))
        if network.version == 4:  # so it is called where the server listens on ::
            networks.append(f"::ffff:{network.network_address}/{96 + network.prefixlen}")
    return networks


def check_names(hosts: Iterable[str], origins: Iterable[str]) -> None:
    """See that requests can name them: another spelling would never match.

    Args:
        hosts: As ``allowed`` of :class:`Hosts`.
        origins: As ``origins`` of :class:`Hosts`.

    Raises:
        SettingsError: One is no name or address alone, or no origin as browsers send it.
    """
    for name in hosts:
        if name != ANY and not _is_address(name) and not (name.isascii() and _NAME.fullmatch(name)):
            raise SettingsError(f"--allow-host {name}: name the host alone, as in shop.example")
    for origin in origins:
        if origin not in (ANY, "null") and origin != _as_sent(origin):
            raise SettingsError(f"--cors {origin}: name it as browsers do, as in https://shop.example, without a path")


def _as_sent(origin: str) -> str | None:
    """The form of an origin in requests: lower case, without a path or the port that its kind has anyway."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if not (origin.isascii() and parts.scheme and parts.hostname):
        return None
    named = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = port is None or (parts.scheme, port) in (("http", 80), ("https", 443))
    return f"{parts.scheme}://{named}" + ("" if usual else f":{port}")


def _plain(name: str) -> str:
    name = name.strip().lower().rstrip(".").removeprefix("[").removesuffix("]")
    return str(ipaddress.ip_address(name)) if _is_address(name) else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
