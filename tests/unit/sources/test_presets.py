"""Each named format on lines as its server's documentation has them, and which format lines are taken for."""

from __future__ import annotations

import json

import pytest

from workbench.errors import ClickError
from workbench.sources.hosts import hosts
from workbench.sources.log_format import LogFormat
from workbench.sources.logs import log_rows
from workbench.sources.presets import NAMES, find, guess, nearest

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"

FORWARDED = (
    f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad?id=7 HTTP/2" 200 6 "-" "{FIREFOX}" "192.0.2.7, 10.1.1.1"'
)
# Name → line, and of its request: who, ts, method, url, user agent. The pages that have the lines, or the formats that
# they were written by, are named in workbench/sources/data/log-formats.toml.
LINES: dict[str, tuple[str, tuple[str, str, str | None, str, str | None]]] = {
    "common": (
        '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
        ("127.0.0.1", "2000-10-10T13:55:36-07:00", "GET", "/apache_pb.gif", None),
    ),
    "combined": (
        '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 '
        '"http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"',
        ("127.0.0.1", "2000-10-10T13:55:36-07:00", "GET", "/apache_pb.gif", "Mozilla/4.08 [en] (Win98; I ;Nav)"),
    ),
    "vhost-common": (
        'www.example.com 192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 2326',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", None),
    ),
    "vhost-combined": (
        f'www.example.com:443 192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "vhost-combined-no-port": (
        f'www.example.com 192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "forwarded-combined": (
        f'192.0.2.7, 10.0.0.1 10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-vhost": (
        f'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] www.example.com "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "short": (
        f'192.0.2.7 - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "shortest": (
        f'192.0.2.7 [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-forwarded-later": (
        f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 6 "-" "{FIREFOX}" "shop.example" "192.0.2.7"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "envoy": (
        '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "192.0.2.7, 10.0.35.28" '
        '"nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"',
        ("192.0.2.7", "2016-04-15T20:17:00.310Z", "POST", "/api/v1/locations", "nsq2http"),
    ),
    "istio": (
        '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "192.0.2.7" '
        '"curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" '
        "inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo default",
        ("192.0.2.7", "2020-11-25T21:26:18.409Z", "GET", "/status/418", "curl/7.73.0-DEV"),
    ),
    "s3": (
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 "
        "[06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be "
        '3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 200 - 113 - 7 - "-" '
        '"S3Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 '
        "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - Yes",
        ("192.0.2.3", "2019-02-06T00:00:38+00:00", "GET", "/amzn-s3-demo-bucket1?versioning", "S3Console/0.4"),
    ),
    "azure": (
        '{"resourceId":"/SUBSCRIPTIONS/x","operationName":"ApplicationGatewayAccess","timeStamp":"2017-04-26T19:27:38Z",'
        '"category":"ApplicationGatewayAccessLog","properties":{"clientIP":"191.96.249.97","clientPort":46886,'
        '"httpMethod":"GET","requestUri":"/phpmyadmin/scripts/setup.php","requestQuery":"id=7","userAgent":"-",'
        '"httpStatus":404}}',
        ("191.96.249.97", "2017-04-26T19:27:38Z", "GET", "/phpmyadmin/scripts/setup.php?id=7", None),
    ),
    "nginx-forwarded-last": (
        f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 6 "-" "{FIREFOX}" "a.example" "-" "192.0.2.7"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-forwarded-bare": (
        f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 6 "-" "{FIREFOX}" 192.0.2.7, 10.1.1.1',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-forwarded-brackets": (
        f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 6 "-" "{FIREFOX}" [192.0.2.7, 10.1.1.1]',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-forwarded-named": (
        f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 6 "-" "{FIREFOX}" rt=0.001 xff="192.0.2.7"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-forwarded-first": (
        f'10.0.0.5 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 6 "192.0.2.7" "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "no-size": (
        f'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2" 200 "-" "{FIREFOX}"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "squid": (
        "1286536309.586    921 192.0.2.7 TCP_MISS/200 507 POST http://rcv.example/1.0/rest - DIRECT/10.0.0.1 text/html",
        ("192.0.2.7", "2010-10-08T11:11:49.586000Z", "POST", "/1.0/rest", None),
    ),
    "ltsv": (
        "time:02/Jan/2026:03:04:05 +0000\thost:192.0.2.7\treq:GET /ad?id=7 HTTP/1.1\tstatus:200\tua:curl/8.5.0",
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad?id=7", "curl/8.5.0"),
    ),
    "ingress-nginx": (
        f'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 23 "-" "{FIREFOX}" 417 0.004 '
        "[default-shop-80] [] 10.244.0.7:8080, 10.244.0.8:8080 0, 23 0.001, 0.003 502, 200 8a1f0c",
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "nginx-proxy-manager": (
        '[02/Jan/2026:03:04:05 +0000] - 200 200 - GET https shop.example "/ad?id=7" [Client 192.0.2.7] [Length 5321] '
        f'[Gzip 2.90] [Sent-to 10.0.0.4] "{FIREFOX}" "https://a.example/"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad?id=7", FIREFOX),
    ),
    "nginx-proxy-manager-standard": (
        '[02/Jan/2026:03:04:05 +0000] 200 - GET https shop.example "/ad?id=7" [Client 192.0.2.7] [Length 5321] '
        f'[Gzip -] "{FIREFOX}" "-"',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad?id=7", FIREFOX),
    ),
    "traefik": (
        f'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/2.0" 200 23 "-" "{FIREFOX}" 41 '
        '"shop@docker" "http://172.18.0.3:80" 5ms',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad", FIREFOX),
    ),
    "haproxy": (
        "Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 "
        '10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"',
        ("10.0.1.2", "2009-02-06T12:14:14.655", "GET", "/index.html", None),
    ),
    "alb": (
        "https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80 0.086 "
        '0.048 0.037 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.46.0" '
        "ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/t/73e2 "
        '"Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm:us-east-2:1:certificate/12" 1 '
        '2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_123456',
        ("192.168.131.39", "2018-07-02T22:23:00.186641Z", "GET", "/", "curl/7.46.0"),
    ),
    "elb": (
        "2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 "
        '200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -',
        ("192.168.131.39", "2015-05-13T23:39:43.945958Z", "GET", "/", "curl/7.38.0"),
    ),
    "iis": (
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2014-06-03 05:14:44\n"
        "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) "
        "sc-status sc-substatus sc-win32-status time-taken\n"
        "2014-06-03 05:14:41 10.0.1.3 GET /ad id=7 80 - 192.0.2.7 Mozilla/5.0+(Windows+NT+10.0) - 200 0 0 34",
        ("192.0.2.7", "2014-06-03T05:14:41Z", "GET", "/ad?id=7", "Mozilla/5.0 (Windows NT 10.0)"),
    ),
    "cloudfront": (
        "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
        "cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header "
        "cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type "
        "cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type "
        "sc-content-type sc-content-len sc-range-start sc-range-end\n"
        "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111111abcdef8.cloudfront.net\t/index.html\t200\t-\t"
        "Mozilla/5.0%2520(Windows%2520NT%252010.0;%2520Win64;%2520x64)\t-\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyH"
        "mureZmBNrjGdRLiNIQ==\td111111abcdef8.cloudfront.net\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE-RSA-AES128-GCM-SHA256"
        "\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\ttext/html\t78\t-\t-",
        ("192.0.2.100", "2019-12-04T21:02:31Z", "GET", "/index.html", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"),
    ),
    "w3c": (
        "#Version: 1.0\n#Date: 12-Jan-1996 00:00:00\n#Fields: date time c-ip cs-method cs-uri\n"
        "1996-01-12 00:34:23 192.0.2.7 GET /foo/bar.html",
        ("192.0.2.7", "1996-01-12T00:34:23Z", "GET", "/foo/bar.html", None),
    ),
    "caddy": (
        '{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":'
        '{"remote_ip":"127.0.0.1","remote_port":"41342","client_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET",'
        '"host":"localhost","uri":"/","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]},"tls":{"resumed":false,'
        '"version":772}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200}',
        ("127.0.0.1", "2022-03-09T21:30:01.524102Z", "GET", "/", "curl/7.82.0"),
    ),
    "traefik-json": (
        '{"ClientAddr":"192.0.2.7:51234","ClientHost":"192.0.2.7","DownstreamStatus":200,"RequestMethod":"GET",'
        '"RequestPath":"/ad?id=7","RequestHost":"shop.example","StartUTC":"2026-01-02T03:04:05.123456789Z",'
        '"request_User-Agent":"curl/8.5.0","level":"info","msg":"","time":"2026-01-02T03:04:05Z"}',
        ("192.0.2.7", "2026-01-02T03:04:05.123456789Z", "GET", "/ad?id=7", "curl/8.5.0"),
    ),
    "cloudflare": (
        '{"ClientIP":"192.0.2.7","ClientRequestHost":"shop.example","ClientRequestMethod":"GET","ClientRequestURI":'
        '"/ad?id=7","ClientRequestUserAgent":"curl/8.5.0","EdgeResponseStatus":200,"EdgeStartTimestamp":'
        "1767323045123456789}",
        ("192.0.2.7", "2026-01-02T03:04:05.123456Z", "GET", "/ad?id=7", "curl/8.5.0"),
    ),
    "gcp": (
        '{"httpRequest":{"requestMethod":"GET","requestUrl":"https://shop.example/ad?id=7","status":200,"userAgent":'
        '"curl/8.5.0","remoteIp":"192.0.2.7","latency":"0.012s"},"timestamp":"2026-01-02T03:04:05.123456Z"}',
        ("192.0.2.7", "2026-01-02T03:04:05.123456Z", "GET", "/ad?id=7", "curl/8.5.0"),
    ),
    "ecs": (
        '{"@timestamp":"2026-01-02T03:04:05.123Z","source":{"ip":"192.0.2.7","address":"192.0.2.7"},"url":{"original":'
        '"/ad?id=7","path":"/ad"},"http":{"request":{"method":"GET"},"response":{"status_code":200}},"user_agent":'
        '{"original":"curl/8.5.0"}}',
        ("192.0.2.7", "2026-01-02T03:04:05.123Z", "GET", "/ad?id=7", "curl/8.5.0"),
    ),
    "nginx-json": (
        '{"time_iso8601":"2026-01-02T03:04:05+00:00","remote_addr":"10.0.0.5","http_x_forwarded_for":"192.0.2.7",'
        '"request":"GET /ad?id=7 HTTP/1.1","status":"200","http_user_agent":"curl/8.5.0"}',
        ("192.0.2.7", "2026-01-02T03:04:05+00:00", "GET", "/ad?id=7", "curl/8.5.0"),
    ),
}

SAMPLE = LINES["combined"][0]


def requests(text: str, format: str | LogFormat | None) -> list[tuple[object, ...]]:
    (rows,) = log_rows(text.split("\n"), format)
    cells = rows.cells.assign(ip=hosts(rows.cells["ip"]))[(rows.problem == "") & (rows.aside == "")]
    return [tuple(row) for row in cells[["ip", "ts", "method", "url", "user_agent"]].itertuples(index=False)]


def guessed(*lines: str) -> str | None:
    found = guess(lines)
    return None if found is None else found.name


@pytest.mark.parametrize("name", NAMES)
def test_no_more_is_read_than_is_wanted_and_that_is_the_same(name: str) -> None:
    lines = LINES[name][0].split("\n")
    (every,) = log_rows(lines, name)
    (some,) = log_rows(lines, name, ["ip", "ts", "url"])
    assert some.cells.columns.to_list() == ["ip", "ts", "url"]
    assert some.cells[["ip", "ts", "url"]].equals(every.cells[["ip", "ts", "url"]])
    assert some.problem.tolist() == every.problem.tolist()


def test_every_named_format_has_a_line_here() -> None:
    assert sorted(LINES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_is_read_by_the_name_of_its_format_and_without_it(name: str) -> None:
    text, wanted = LINES[name]
    assert requests(text, name) == requests(text, None) == [wanted]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"vhost-common"}))
def test_a_line_is_told_from_those_of_other_formats(name: str) -> None:
    assert guessed(*LINES[name][0].split("\n")) == name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("nginx", "combined"),
        ("NGINX", "combined"),
        ("apache", "combined"),
        ("vhost_combined", "vhost-combined"),
        ("npm", "nginx-proxy-manager"),
        ("Traefik", "traefik"),
        ("#Fields: time c-ip cs-uri-stem", "custom"),
        ('%h %t "%r"', "custom"),
    ],
)
def test_formats_have_the_names_that_people_use(said: str, name: str) -> None:
    assert find(said).name == name


def test_a_name_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(
        ClickError, match=r"no such log format: 'clodfront'; did you mean cloudfront.* there are common, "
    ):
        find("clodfront")


def test_the_json_of_a_server_goes_by_the_servers_name_too() -> None:
    for name, server in {"nginx-json": "nginx", "traefik-json": "traefik"}.items():
        text, wanted = LINES[name]
        assert requests(text, server) == [wanted]


@pytest.mark.parametrize(
    "wrapped",
    [
        "<190>Jan  2 03:04:05 web-1 nginx: {}",
        "Jan  2 03:04:05 web-1 nginx[123]: {}",
        "<190>Jan  2 03:04:05 nginx: {}",
        "\x1b[36mweb-1  |\x1b[0m {}",
        "2026-01-02T03:04:05.123456+01:00 web-1 nginx: {}",
        "<190>1 2026-01-02T03:04:05.123Z web-1 nginx 123 - - {}",
        "2026-01-02T03:04:05.123456789Z stdout F {}",
        "2026-01-02T03:04:05.123456789Z {}",
        "web-1  | {}",
        "[pod/web-7d4b/nginx] {}",
    ],
)
def test_what_shippers_put_before_a_line_is_seen_through(wrapped: str) -> None:
    for name in ("combined", "vhost-combined", "caddy", "alb"):
        text, wanted = LINES[name]
        lines = [wrapped.replace("{}", text)] * 3
        assert guessed(*lines) == name
        assert requests("\n".join(lines), None) == requests("\n".join(lines), name) == [wanted] * 3


@pytest.mark.parametrize("key", ["log", "message", "MESSAGE"])
def test_a_line_inside_of_json_is_read(key: str) -> None:
    for name in ("combined", "caddy"):
        text, wanted = LINES[name]
        wrapped = json.dumps({key: f"{text}\n", "stream": "stdout", "time": "2026-01-02T03:04:05.1Z"})
        (rows,) = log_rows([wrapped, wrapped])
        assert requests(f"{wrapped}\n{wrapped}", None) == [wanted] * 2
        assert list(rows.notes.values()) == [2]
        assert rows.text(1) == wrapped


@pytest.mark.parametrize(
    "names",
    [
        ("RemoteAddr", "Time", "Method", "URI", "UserAgent"),
        ("remoteIp", "timestamp", "requestMethod", "requestUrl", "userAgent"),
        ("source_ip", "@timestamp", "http_method", "uri_path", "http_user_agent"),
        ("ClientIP", "time", "verb", "request", "agent"),
    ],
)
def test_names_in_json_may_be_in_any_case(names: tuple[str, ...]) -> None:
    wanted = ("192.0.2.7", "2026-01-02T03:04:05Z", "GET", "/ad", "curl")
    text = json.dumps(dict(zip(names, wanted, strict=True)))
    assert guessed(text) == "nginx-json"
    assert requests(text, None) == [wanted]


@pytest.mark.parametrize(
    "lines",
    [
        ["hello", "world"],
        ["session_id,url,ts", "s1,/ad,2026-01-02T03:04:05Z"],
        ['{"session_id":"s1","url":"/ad","ts":"2026-01-02T03:04:05Z","ip":"192.0.2.7","status":"ok"}'],
        ['{"user_id":"7","path":"/ad","time":"2026-01-02T03:04:05Z","ip":"192.0.2.7","method":"GET"}'],
        ['{"UserID":"7","path":"/ad","time":"2026-01-02T03:04:05Z","ip":"192.0.2.7","method":"GET"}'],
        ['{"time":"2026-01-02T03:04:05Z","ip":"192.0.2.7","method":"GET"}'],
        ["", "\0\0"],
        [],
    ],
)
def test_what_is_no_log_is_not_taken_for_one(lines: list[str]) -> None:
    assert guess(lines) is None


def test_a_few_odd_lines_do_not_decide() -> None:
    main = FORWARDED
    odd = main.replace("192.0.2.7, 10.1.1.1", "' or 1=1 --")
    assert guessed("garbage", "\0\0", LINES["traefik"][0], *[main] * 9, odd) == "combined"


def test_a_forwarded_list_that_only_some_lines_have_is_read() -> None:
    main = FORWARDED
    without = main.removesuffix(' "192.0.2.7, 10.1.1.1"')
    text = "\n".join([without, main, f'{without} "-"', main])
    assert guessed(*text.split("\n")) == "combined"
    assert [row[0] for row in requests(text, None)] == ["10.0.0.5", "192.0.2.7", "10.0.0.5", "192.0.2.7"]


def test_a_host_name_before_the_visitors_is_never_the_visitor() -> None:
    for name in ("vhost-combined", "vhost-combined-no-port"):
        rows = [*log_rows([LINES[name][0]], "combined")]
        assert rows[0].problem.tolist() == [f"not a line of combined; it is one of {name}"]
    named = 'shop.example:443 crawl-1.example - frank miller [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 5'
    assert [row[0] for row in requests(named, None)] == ["crawl-1.example"]


@pytest.mark.parametrize(
    ("line", "name", "last"),
    [
        (SAMPLE[:60], "common", "time"),
        (
            "https 2018-07-02T22:23:00.186641Z app/x/5 192.0.2.7:2817 10.0.0.1:80 0.086 0.048",
            "alb",
            "request_processing_time",
        ),
    ],
)
def test_the_nearest_format_is_the_one_that_a_line_is_longest_in(line: str, name: str, last: str) -> None:
    found = nearest(line)
    assert found is not None
    assert (found[0].name, found[1]) == (name, last)
    assert nearest("hello") is nearest(SAMPLE[:45]) is None
