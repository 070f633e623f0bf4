"""The rule in Flink SQL: a count over the range of ten seconds before each click of a session and URL.

    python flink_rule.py BOOTSTRAP CLICKS VERDICTS DEAD-LETTERS CONNECTOR.jar

A row is judged once the watermark has passed it, so never revised: each verdict waits until clicks have come that are
three seconds younger, and the last ones of a stream until more traffic comes. Event times are milliseconds, the finest
that a row time may be. What cannot be parsed is skipped: SQL has no dead letters.
"""

from __future__ import annotations

import sys

from pyflink.table import EnvironmentSettings, TableEnvironment

bootstrap, clicks, verdicts, _, connector = sys.argv[1:]
table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
for name, value in {
    "pipeline.jars": f"file://{connector}",
    "parallelism.default": "2",
    "execution.checkpointing.interval": "60 s",
    "table.local-time-zone": "UTC",
}.items():
    table.get_config().set(name, value)
kafka = f"'connector' = 'kafka', 'properties.bootstrap.servers' = '{bootstrap}'"
table.execute_sql(f"""
    CREATE TABLE clicks (
        click_id STRING, session_id STRING, url STRING, ts TIMESTAMP_LTZ(6),
        row_time AS CAST(ts AS TIMESTAMP_LTZ(3)), WATERMARK FOR row_time AS row_time - INTERVAL '3' SECOND
    ) WITH (
        {kafka}, 'topic' = '{clicks}', 'properties.group.id' = 'flink-{clicks}',
        'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
        'json.ignore-parse-errors' = 'true', 'json.timestamp-format.standard' = 'ISO-8601'
    )""")
table.execute_sql(f"""
    CREATE TABLE verdicts (
        click_id STRING, session_id STRING, url STRING, fraudClick STRING, revised BOOLEAN
    ) WITH (
        {kafka}, 'topic' = '{verdicts}', 'key.format' = 'raw', 'key.fields' = 'session_id', 'value.format' = 'json'
    )""")
table.execute_sql("""
    INSERT INTO verdicts
    SELECT click_id, session_id, url, CASE WHEN clicks_in_window >= 3 THEN 'Yes' ELSE 'No' END, FALSE
    FROM (
        SELECT click_id, session_id, url, COUNT(DISTINCT click_id) OVER (
            PARTITION BY session_id, url ORDER BY row_time
            RANGE BETWEEN INTERVAL '9.999' SECOND PRECEDING AND CURRENT ROW
        ) AS clicks_in_window
        FROM clicks WHERE click_id IS NOT NULL
    )""").wait()
