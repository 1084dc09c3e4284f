import ipaddress
from pathlib import Path

import pytest

from elcrec.cli.parameters import default_store
from elcrec.errors import SettingsError
from elcrec.serving.middleware.hosts import Hosts, check_names, host_of, proxy_networks


def refused(hosts: Hosts, host: str, method: str = "GET", **headers: str) -> int | None:
    named = [(b"host", host.encode())]
    more = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    refusal = hosts.refusal(method, named + more)
    return None if refusal is None else refusal[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LocalHost.", "[0:0:0:0:0:0:0:1]"])
def test_a_server_without_keys_answers_for_this_machine(host: str) -> None:
    assert refused(Hosts("127.0.0.1", (), keyless=True), host) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "2130706433"]
)
def test_a_server_without_keys_answers_for_no_other(host: str) -> None:
    assert refused(Hosts("127.0.0.1", (), keyless=True), host) == 421


@pytest.mark.parametrize("host", ["", "a b", "user@localhost", "local/host", "localhost:80:80", "[::1", "a\x00b"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    assert refused(Hosts("127.0.0.1", (), keyless=True), host) == 400


def test_a_request_names_one_host() -> None:
    hosts = Hosts("127.0.0.1", (), keyless=True)
    assert hosts.refusal("GET", []) == (400, "name the host in one Host header")
    twice = [(b"host", b"localhost"), (b"host", b"evil.example")]
    assert hosts.refusal("GET", twice) == (400, "name the host in one Host header")


def test_the_bound_name_and_allowed_names_are_answered_for() -> None:
    hosts = Hosts("shop.internal", ("Shop.Example", "10.0.0.7"), keyless=True)
    assert [refused(hosts, host) for host in ("shop.internal:80", "shop.example", "10.0.0.7", "other.example")] == [
        None,
        None,
        None,
        421,
    ]
    assert refused(Hosts("127.0.0.1", ("*",), keyless=True), "any.example") is None


def test_who_listens_everywhere_is_reached_by_any_address_but_no_name() -> None:
    for bound in ("0.0.0.0", "::"):
        hosts = Hosts(bound, (), keyless=True)
        assert [refused(hosts, host) for host in ("10.0.0.1:80", "[fd00::1]", "evil.example")] == [None, None, 421]


def test_with_keys_any_host_will_do_unless_some_are_named() -> None:
    assert refused(Hosts("0.0.0.0", (), keyless=False), "shop.example") is None
    named = Hosts("0.0.0.0", ("shop.example",), keyless=False)
    assert [refused(named, host) for host in ("shop.example", "evil.example")] == [None, 421]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_a_page_of_another_site_writes_nothing(method: str) -> None:
    hosts = Hosts("127.0.0.1", (), keyless=True, origins=("https://a.example",))
    assert refused(hosts, "localhost:8000", method, origin="https://evil.example") == 403
    assert refused(hosts, "localhost:8000", method, origin="null") == 403
    assert refused(hosts, "localhost:8000", method, origin="http://[") == 403
    assert refused(hosts, "localhost:8000", method, origin="https://evil.example", sec_fetch_site="cross-site") == 403
    assert refused(hosts, "localhost:8000", method) is None
    assert refused(hosts, "localhost:8000", method, origin="http://localhost:8000") is None
    assert refused(hosts, "localhost:8000", method, origin="https://a.example") is None
    assert refused(hosts, "localhost:8000", method, origin="https://b.example", sec_fetch_site="same-origin") is None


def test_a_page_of_another_site_may_read_only_where_it_is_named() -> None:
    hosts = Hosts("127.0.0.1", (), keyless=True, origins=("https://a.example",))
    assert hosts.shares_with(b"https://a.example")
    assert not hosts.shares_with(b"https://evil.example")
    assert not hosts.shares_with(b"")
    assert Hosts("127.0.0.1", (), keyless=True, origins=("*",)).shares_with(b"https://evil.example")


def test_names_and_addresses_are_compared_in_one_form() -> None:
    assert host_of(b"EXAMPLE.com.:443") == "example.com"
    assert host_of(b"[FD00:0::1]:80") == "fd00::1"
    assert host_of(b"\xff") == "\xff"


def test_proxies_are_addresses_or_networks() -> None:
    assert proxy_networks(["10.0.0.0/8", "::1"]) == ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::1/128"]
    for wrong in ("*", "proxy.example", ""):
        with pytest.raises(SettingsError, match="--trust-proxy"):
            proxy_networks([wrong])


def test_a_proxy_is_trusted_whatever_its_address_is_called() -> None:
    networks = [ipaddress.ip_network(network) for network in proxy_networks(["10.0.0.7"])]
    for address, trusted in (("10.0.0.7", True), ("::ffff:10.0.0.7", True), ("::ffff:10.0.0.8", False), ("::", False)):
        assert any(ipaddress.ip_address(address) in network for network in networks) == trusted


def test_names_that_no_request_would_match_are_refused() -> None:
    check_names(
        ["shop.example", "SHOP", "10.0.0.7", "::1", "*"],
        ["https://shop.example", "http://localhost:3000", "http://[::1]:8080", "capacitor://localhost", "null", "*"],
    )
    for host in ("https://shop.example", "shop.example:8000", "shop.example/", "*.shop.example", "a b", "", "bücher"):
        with pytest.raises(SettingsError, match=r"--allow-host .*: name the host alone"):
            check_names([host], [])
    for origin in ("shop.example", "https://shop.example/", "https://Shop.example", "https://shop.example:443", ""):
        with pytest.raises(SettingsError, match=r"--cors .*: name it as browsers do"):
            check_names([], [origin])
    for origin in ("https://a:x", "https://*.shop.example/x", "https://u@shop.example", "https://bücher.example"):
        with pytest.raises(SettingsError, match="--cors"):
            check_names([], [origin])


@pytest.mark.parametrize(
    ("run", "place"),
    [("runs/shop", "runs/shop"), ("runs/shop/", "runs/shop"), (".", "{here}"), ("..", "{above}"), ("/a/b/..", "/a")],
)
def test_events_lie_beside_the_run_not_in_it(run: str, place: str) -> None:
    here = Path.cwd()
    assert default_store(Path(run)) == place.format(here=here, above=here.parent) + ".events.sqlite"
