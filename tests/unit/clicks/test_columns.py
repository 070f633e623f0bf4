"""Which column holds which field: usual names are taken and told, and all that is missing is told in one line."""

from __future__ import annotations

import pytest

from workbench.clicks.columns import CARRIED, USUAL, doubts, is_address, resolved
from workbench.clicks.mapping import Mapping
from workbench.errors import ClickError

TALKING = ["ip", "app", "device", "os", "channel", "click_time", "attributed_time", "is_attributed"]


@pytest.mark.parametrize(
    ("names", "session", "url", "ts"),
    [
        (["user_id", "page", "timestamp"], "user_id", "page", "timestamp"),
        (["visitorId", "Landing page", "Click Time"], "visitorId", "Landing page", "Click Time"),
        (["AppsFlyer ID", "url", "Attributed Touch Time"], "AppsFlyer ID", "url", "Attributed Touch Time"),
        (["anonymousId", "context.page.url", "timestamp"], "anonymousId", "context.page.url", "timestamp"),
        (["user_pseudo_id", "event_params[page_location]", "event_timestamp"],) * 1
        + ("user_pseudo_id", "event_params[page_location]", "event_timestamp"),
        (["session_id", "user_id", "url", "ts", "timestamp"], "session_id", "url", "ts"),
        (
            ["ga_session_id", "user_pseudo_id", "page_location", "event_time"],
            "user_pseudo_id+ga_session_id",
            "page_location",
            "event_time",
        ),
        (["visitorId", "visitNumber", "url", "ts"], "visitorId+visitNumber", "url", "ts"),
        (["ga_session_id", "url", "ts"], "ga_session_id", "url", "ts"),
        (["distinct_id", "$current_url", "time"], "distinct_id", "$current_url", "time"),
    ],
)
def test_usual_names_are_taken_and_told(names: list[str], session: str, url: str, ts: str) -> None:
    found, notes = resolved(Mapping(), names, "a.csv")
    assert (found.session_id, found.url, found.ts) == (tuple(session.split("+")), url, ts)
    for field, path in (("session_id", session), ("url", url), ("ts", ts)):
        assert field == path or any(path in note for note in notes)


def test_what_was_said_wins_over_what_is_usual() -> None:
    found, notes = resolved(
        Mapping(session_id="visitor", ts="when"), ["session_id", "visitor", "url", "ts", "when"], "a"
    )
    assert (found.session_id, found.url, found.ts, notes) == (("visitor",), "url", "when", [])


def test_fields_that_say_what_a_click_cost_are_carried_along() -> None:
    found, notes = resolved(Mapping(), ["session_id", "url", "ts", "CPC", "Campaign", "country"], "a.csv")
    assert found.carry == {"campaign": "Campaign", "country": "country", "cost": "CPC"}
    assert notes == ["carried along: campaign (from Campaign), country, cost (from CPC)"]


@pytest.mark.parametrize(
    ("mapping", "names", "option"),
    [
        (Mapping(), TALKING, "--map session_id=ip+device+os,url=channel,ts=click_time"),
        (Mapping(session_id="visitr"), ["visitor", "page", "ts"], "--map session_id=visitor,url=page,ts=ts"),
        (Mapping(label="truht"), ["session_id", "url", "ts", "truth"], ",label=truth"),
        (Mapping(), ["user_agent", "url", "ts"], "--map session_id=COLUMN,url=url,ts=ts"),
        (Mapping(), ["user_agent", "x_forwarded_for", "url", "ts"], "--map session_id=x_forwarded_for+user_agent,"),
        (Mapping(), ["req.ip", "req.url", "ts"], "--map session_id=req.ip,url=req.url,ts=ts"),
        (Mapping(), ["AppsFlyer ID", "IP", "x", "ts"], '--map "session_id=AppsFlyer ID,url=COLUMN,ts=ts"'),
        (Mapping(), [], "it has no columns"),
    ],
)
def test_all_that_is_missing_is_one_line_with_the_option_to_write(
    mapping: Mapping, names: list[str], option: str
) -> None:
    with pytest.raises(ClickError) as error:
        resolved(mapping, names, "a.csv")
    assert option in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "option"),
    [
        (
            "transaction_id,affiliate_id,offer_id,datetime,revenue_cents,refer,url,ip,user_agent,session_datetime",
            "--map session_id=ip+user_agent,url=url,ts=datetime",
        ),
        (
            "Click ID,Visit timestamp,Click timestamp,Campaign ID,Campaign name,Lander URL,Country,IP,User agent",
            '--map "session_id=IP+User agent,url=Lander URL,ts=Click timestamp"',
        ),
        (
            "click_id,date_received,network_name,site_id,creative_id,device_ip,device_ua,click_cost,original_request",
            "--map session_id=device_ip+device_ua,url=original_request,ts=date_received",
        ),
        (
            "id,name,timestamp,last_attributed_touch_data_tilde_campaign,user_data_ip,user_data_user_agent",
            "=user_data_ip+user_data_user_agent,url=last_attributed_touch_data_tilde_campaign,ts=timestamp",
        ),
        (
            "{click_time},{created_at},{campaign_name},{adid},{idfa},{gps_adid},{ip_address},{user_agent}",
            '--map "session_id={adid},url={campaign_name},ts={click_time}"',
        ),
        (
            "idVisit,visitIp,visitorId,serverTimestamp,firstActionTimestamp,referrerUrl,actionDetails[0].url",
            '--map "session_id=visitorId,url=actionDetails[0].url,ts=serverTimestamp"',
        ),
        (
            "requestId,ip,caller,user,requestTime,httpMethod,resourcePath,status,protocol",
            "--map session_id=ip,url=resourcePath,ts=requestTime",
        ),
        (
            "requestId,ip,requestTime,httpMethod,routeKey,status,path,domainName",
            "--map session_id=ip,url=domainName+path,ts=requestTime",
        ),
        (
            "_index,_id,_source.timestamp,_source.clientip,_source.request,_source.agent,_source.host",
            "--map session_id=_source.clientip+_source.agent,url=_source.request,ts=_source.timestamp",
        ),
        (
            "@timestamp,_id,agent,bytes,clientip,host,request,url",
            "--map session_id=clientip+agent,url=url,ts=@timestamp",
        ),
        ("ip,$current_url,time", "--map 'session_id=ip,url=$current_url,ts=time'"),
        (
            "reqTimeSec,cliIP,reqHost,reqPath,queryStr,UA",
            "session_id=cliIP+UA,url=reqHost+reqPath+queryStr,ts=reqTimeSec",
        ),
    ],
)
def test_the_option_names_the_columns_of_what_tools_export(header: str, option: str) -> None:
    with pytest.raises(ClickError) as error:
        resolved(Mapping(), header.split(","), "a.csv")
    assert str(error.value).endswith(option)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (
            "Attributed Touch Time,Install Time,Event Time,Ad ID,IP,AppsFlyer ID,User Agent,Original URL",
            (("AppsFlyer ID",), "Original URL", "Attributed Touch Time", "IP", "User Agent"),
        ),
        (
            "click_campaign,click_date_utc,click_device_id,click_device_ip,click_device_ua,click_original_request",
            (("click_device_id",), "click_original_request", "click_date_utc", "click_device_ip", "click_device_ua"),
        ),
        (
            "timestamp,name,site_id,user_id,session_id,hostname,pathname,referrer",
            (("session_id",), ("hostname", "pathname"), "timestamp", None, None),
        ),
        (
            "app_id,collector_tstamp,user_ipaddress,domain_userid,page_url,page_urlhost,page_urlpath,useragent",
            (("domain_userid",), "page_url", "collector_tstamp", "user_ipaddress", "useragent"),
        ),
        (
            "_id,_source.@timestamp,_source.client.ip,_source.url.original,_source.session_id",
            (("_source.session_id",), "_source.url.original", "_source.@timestamp", "_source.client.ip", None),
        ),
        (
            "event,properties.time,properties.distinct_id,properties.$current_url",
            (("properties.distinct_id",), "properties.$current_url", "properties.time", None, None),
        ),
    ],
)
def test_columns_that_are_plain_by_their_names_are_taken(header: str, found: tuple[object, ...]) -> None:
    mapping, _ = resolved(Mapping(), header.split(","), "a.csv")
    assert (mapping.session_id, mapping.url, mapping.ts, mapping.ip, mapping.user_agent) == found


def test_constants_and_places_in_records_need_no_column_of_their_own() -> None:
    mapping = Mapping(session_id="user.id", url="=/shop", ts="user.seen[0]")
    assert resolved(mapping, ["user.name", "other"], "a.jsonl")[0].session_id == ("user.id",)


def test_columns_of_addresses_are_known_by_their_names() -> None:
    assert all(map(is_address, ["ip", "clientIp", "context.ip", "request.remote_ip", "c-ip"]))
    assert not any(map(is_address, ["device", "ip.country", "zip"]))


def test_no_usual_name_stands_for_two_fields() -> None:
    names = [name for usual in (*USUAL.values(), *CARRIED.values()) for name in usual]
    assert len(names) == len(set(names))


def test_what_is_unique_within_a_user_only_is_told_with_the_user() -> None:
    names = ["user_pseudo_id", "event_params[ga_session_id]", "url", "ts"]
    both = '"session_id=user_pseudo_id+event_params[ga_session_id]"'
    found, notes = resolved(Mapping(), names, "a.csv")
    assert found.session_id == ("user_pseudo_id", "event_params[ga_session_id]")
    assert "session_id is read from user_pseudo_id+event_params[ga_session_id]" in notes[0]
    assert doubts(found, names) == []
    assert both in doubts(Mapping(session_id="event_params[ga_session_id]"), names)[0]
    alone = ["ga_session_id", "url", "ts"]
    assert "--map session_id=USER+ga_session_id" in doubts(resolved(Mapping(), alone, "a.csv")[0], alone)[0]
    assert doubts(Mapping(session_id="user_pseudo_id"), names) == []  # the user said so


@pytest.mark.parametrize(
    ("names", "fix"),
    [
        (["sessionId", "referrerUrl", "clickedUrl", "clickedAt"], "url=clickedUrl,ts=clickedAt"),
        (["sessionId", "referrerUrl", "campaign", "clickedAt"], "url=campaign,ts=clickedAt"),
        (["visitor", "url", "last_update", "ts.$date"], "url=url,ts=ts.$date"),
        (["visitor", "hit.uri", "hit.args", "query", "ts"], "url=hit.uri+hit.args,ts=ts"),
        (["visitor", "properties.[Tool] Page URL", "ts"], "url=COLUMN,ts=ts"),  # no path leads there
    ],
)
def test_what_likely_holds_the_url_and_the_time_is_in_the_fix(names: list[str], fix: str) -> None:
    with pytest.raises(ClickError) as error:
        resolved(Mapping(), names, "a.json")

    assert error.value.fix.strip("'").endswith(fix)
