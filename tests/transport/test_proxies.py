"""Real proxies and certificates between a session and the platform."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from yarl import URL

from tests.transport.houses import Authority, Way, free_port, microsocks, secured, tinyproxy
from twelvetasks import (
    AuthenticationError,
    InvalidArgumentError,
    RetryPolicy,
    TaskSession,
    TransportError,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.transport.arguments import checked_ssl
from twelvetasks.transport.proxies import choose_proxy, hidden_proxy

PASSWORD = "s3cret-of-the-house"
LOGIN = f"anna:{PASSWORD}"
BASIC = f"BasicAuth anna {PASSWORD}"
QUICK = RetryPolicy(attempts=3, wait_initial=0.01, wait_jitter=0)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    async with tinyproxy(tmp_path, BASIC) as proxy:
        yield proxy


@pytest.fixture
async def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def address(platform: FakePlatform, authority: Authority) -> AsyncIterator[URL]:
    """The platform's address behind TLS."""
    async with secured(platform.base_url, authority) as base_url:
        yield base_url


async def listed(platform: FakePlatform, base_url: URL, **options: Any) -> int:
    async with TaskSession(platform.api_key, base_url=base_url, retry=QUICK, **options) as session:
        return len(await session.tasks())


async def refused(platform: FakePlatform, base_url: str | URL, **options: Any) -> TransportError:
    async with TaskSession(platform.api_key, base_url=base_url, retry=QUICK, **options) as session:
        with pytest.raises(TransportError) as caught:
            await session.tasks().count()
    assert PASSWORD not in f"{caught.value}{caught.value!r}{session!r}"
    assert not caught.value.reached
    return caught.value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_https_goes_through_a_tunnel_of_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch,
    platform: FakePlatform,
    address: URL,
    authority: Authority,
    way: Way,
    name: str,
) -> None:
    monkeypatch.setenv(name, way.address(login=LOGIN))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await listed(platform, address) == 230
    assert way.passed("CONNECT") >= 1
    assert way.passed("GET") == 0


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
async def test_http_goes_through_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, platform: FakePlatform, way: Way, name: str
) -> None:
    monkeypatch.setenv(name, way.address(login=LOGIN))
    assert await listed(platform, platform.base_url) == 230
    assert way.passed("GET") == len(platform.requests)


@pytest.mark.parametrize("exempt", ["*", "127.0.0.1", "a.example, 127.0.0.0/8", ":{port}"])
async def test_a_host_that_no_proxy_names_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, platform: FakePlatform, way: Way, exempt: str
) -> None:
    exempt = f"127.0.0.1:{platform.base_url.port}" if "port" in exempt else exempt
    monkeypatch.setenv("HTTP_PROXY", way.address(login=LOGIN))
    monkeypatch.setenv("NO_PROXY", exempt)
    assert await listed(platform, platform.base_url) == 230
    assert way.passed("GET") == 0


async def test_a_proxy_elsewhere_is_not_for_servers_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, platform: FakePlatform
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.invalid:3128")
    assert await listed(platform, platform.base_url) == 230
    with pytest.raises(InvalidArgumentError, match="in the clear"):
        await listed(platform, platform.base_url, proxy="http://proxy.example.invalid:3128")


async def test_a_missing_password_is_final_at_once_and_named(
    platform: FakePlatform, address: URL, way: Way
) -> None:
    for base_url, method in ((address, "CONNECT"), (platform.base_url, "GET")):
        error = await refused(platform, base_url, proxy=way.address())
        assert "the proxy answered 407" in error.reason
        assert f"127.0.0.1:{way.port}" in error.reason
        assert "user and password" in error.advice
        assert way.passed(method) == 1
    assert platform.requests == []


async def test_so_is_a_wrong_password(platform: FakePlatform, address: URL, way: Way) -> None:
    wrong = way.address(login=f"bob:{PASSWORD}")
    error = await refused(platform, address, proxy=wrong)
    assert "the proxy answered 401" in error.reason
    assert "user and password" in error.advice
    assert way.passed("CONNECT") == 1
    # tinyproxy's 401 to a request in the clear could be the platform's.
    with pytest.raises(AuthenticationError, match="proxy refuses its user and password"):
        await listed(platform, platform.base_url, proxy=wrong)
    assert platform.requests == []


async def test_a_tunnel_that_the_proxy_refuses_is_final_at_once(
    platform: FakePlatform, address: URL, tmp_path: Path
) -> None:
    async with tinyproxy(tmp_path, "ConnectPort 443") as proxy:
        error = await refused(platform, address, proxy=proxy.address())
        assert "the proxy answered 403" in error.reason
        assert "127.0.0.1" in error.reason
        assert proxy.passed("CONNECT") == 1


async def test_a_host_that_the_proxy_cannot_find_is_named(platform: FakePlatform, way: Way) -> None:
    error = await refused(
        platform, "https://api.example.invalid/v1.3", proxy=way.address(login=LOGIN)
    )
    assert "the proxy answered 5" in error.reason
    assert "api.example.invalid" in error.reason
    assert way.passed("CONNECT") == QUICK.attempts


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_cannot_be_found_is_named(
    platform: FakePlatform, address: URL, scheme: str
) -> None:
    proxy = f"{scheme}://{LOGIN}@proxy.example.invalid:3128"
    error = await refused(platform, address, proxy=proxy)
    assert "the proxy proxy.example.invalid:3128 cannot be reached" in error.reason
    assert "Check that the proxy runs" in error.advice


@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5"])
async def test_a_proxy_that_is_away_is_named(
    platform: FakePlatform, address: URL, scheme: str
) -> None:
    place = f"127.0.0.1:{free_port()}"
    for base_url in (address, platform.base_url):
        error = await refused(platform, base_url, proxy=f"{scheme}://{LOGIN}@{place}")
        assert f"the proxy {place} cannot be reached" in error.reason
        assert "Check that the proxy runs" in error.advice
        assert "base_url" not in error.advice


async def test_so_is_one_of_a_callers_session(platform: FakePlatform, address: URL) -> None:
    place = f"127.0.0.1:{free_port()}"
    async with aiohttp.ClientSession(proxy=f"http://{LOGIN}@{place}") as client:
        error = await refused(platform, address, client_session=client)
    assert f"the proxy {place} cannot be reached" in error.reason


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_needs_no_more_than_its_address(
    monkeypatch: pytest.MonkeyPatch, platform: FakePlatform, tmp_path: Path, scheme: str
) -> None:
    async with microsocks(tmp_path, user="anna", password=PASSWORD) as proxy:
        login = proxy.address(scheme, LOGIN)
        assert await listed(platform, platform.base_url, proxy=login) == 230
        monkeypatch.setenv("ALL_PROXY", login)
        assert await listed(platform, platform.base_url) == 230
        error = await refused(platform, platform.base_url, proxy=proxy.address(scheme, "anna:no"))
        assert "authentication" in error.reason
        assert "user and password" in error.advice


async def test_socks_errors_of_a_callers_connector_are_typed(
    platform: FakePlatform, tmp_path: Path
) -> None:
    aiohttp_socks = pytest.importorskip("aiohttp_socks")
    async with microsocks(tmp_path, user="anna", password=PASSWORD) as proxy:
        away = f"socks5://127.0.0.1:{free_port()}"
        for url in (away, proxy.address("socks5", f"bob:{PASSWORD}"), proxy.address("socks5")):
            connector = aiohttp_socks.ProxyConnector.from_url(url)
            async with aiohttp.ClientSession(connector=connector) as client:
                await refused(platform, platform.base_url, client_session=client)


async def test_a_private_authority_is_trusted_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, platform: FakePlatform, address: URL, authority: Authority
) -> None:
    error = await refused(platform, address)
    assert "certificate is not trusted" in error.reason
    assert "SSL_CERT_FILE" in error.advice
    own = ssl.create_default_context(cafile=str(authority.file))
    assert await listed(platform, address, ssl=own) == 230
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await listed(platform, address) == 230


async def test_sessions_share_what_a_file_of_certificates_says_until_it_changes(
    monkeypatch: pytest.MonkeyPatch,
    platform: FakePlatform,
    address: URL,
    authority: Authority,
    tmp_path: Path,
) -> None:
    file = tmp_path / "trusted.pem"
    file.write_bytes(authority.file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert await listed(platform, address) == 230
    assert checked_ssl(None, None) is checked_ssl(None, None)
    trustme.CA().cert_pem.write_to_path(file)
    error = await refused(platform, address)
    assert "certificate is not trusted" in error.reason
    file.write_bytes(authority.file.read_bytes())
    assert await listed(platform, address) == 230
    file.unlink()
    with pytest.raises(InvalidArgumentError, match="SSL_CERT_FILE="):
        TaskSession("tlk")


async def test_a_callers_session_may_have_all_of_that(
    platform: FakePlatform, address: URL, authority: Authority, way: Way
) -> None:
    own = ssl.create_default_context(cafile=str(authority.file))
    connector = aiohttp.TCPConnector(ssl=own)
    async with aiohttp.ClientSession(proxy=way.address(login=LOGIN), connector=connector) as client:
        assert await listed(platform, address, client_session=client) == 230
        async with TaskSession(
            platform.api_key, base_url=address, client_session=client
        ) as session:
            before = way.passed("CONNECT")
            task = await session.create(index_id="1", video_url="https://videos.example/1.mp4")
            assert platform.tasks()[0]["_id"] == task.id
    # A creation never goes over a connection that was kept alive.
    assert way.passed("CONNECT") == before + 1


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificates_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(InvalidArgumentError, match="SSL_CERT_FILE="):
        TaskSession("tlk")


async def test_what_is_no_context_or_checks_nothing_is_refused() -> None:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    for given in (True, False, "authority.pem", unchecked):
        with pytest.raises(InvalidArgumentError, match="ssl="):
            TaskSession("tlk", ssl=given)  # type: ignore[arg-type]
    async with aiohttp.ClientSession() as client:
        for name, value in (("ssl", ssl.create_default_context()), ("proxy", "http://h:1")):
            with pytest.raises(InvalidArgumentError, match=f"{name}=.*client_session"):
                TaskSession("tlk", client_session=client, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("value", [f"ftp://{LOGIN}@h:1", "http://", f"http://{LOGIN}@h:99999"])
def test_a_variable_that_names_no_proxy_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidArgumentError, match=f"{name}=") as caught:
        TaskSession("tlk")
    assert PASSWORD not in f"{caught.value}{caught.value.value}"


def test_a_password_is_in_no_traceback_with_locals() -> None:
    for given in (f"ftp://{LOGIN}@h:1", f"http://{LOGIN}@h:99999", f"http://{LOGIN}@h:1"):
        with pytest.raises(InvalidArgumentError) as caught:
            TaskSession("tlk", proxy=given, timeout=0 if given.endswith("@h:1") else 60)
        trace = caught.value.__traceback__
        assert trace is not None
        while trace := trace.tb_next:
            assert PASSWORD not in repr(trace.tb_frame.f_locals)


async def test_http_of_another_machine_is_an_explicit_choice(platform: FakePlatform) -> None:
    with pytest.raises(InvalidArgumentError, match=r"in the clear.*insecure_http=True"):
        TaskSession("tlk", base_url="http://sidecar.example:8080/v1.3")
    with pytest.raises(InvalidArgumentError, match="insecure_http="):
        TaskSession("tlk", insecure_http="yes")  # type: ignore[arg-type]
    # Linux takes this address for its own machine, but it does not say so.
    base_url = platform.base_url.with_host("0.0.0.0")
    with pytest.raises(InvalidArgumentError, match="base_url="):
        TaskSession("tlk", base_url=base_url)
    assert await listed(platform, base_url, insecure_http=True) == 230


def test_a_proxy_that_looks_like_another_is_shown_in_its_ascii_form() -> None:
    given = hidden_proxy("http://\u0435x\u0430mple.invalid:3128")
    proxy = choose_proxy(given, URL("https://platform.invalid"), insecure_http=False)
    assert proxy is not None
    assert proxy.place == "xn--xmple-4ve7a.invalid:3128"
