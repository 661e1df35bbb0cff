-- SPDX-License-Identifier: Apache-2.0
-- Takt's blocks under comfortable names, for DuckDB 1.3 or later:
--
--     SET VARIABLE takt = '/var/lib/takt';   -- the data directory; takt-data without this line
--     .read docs/sql/views.sql
--     SELECT service, name, count(*), quantile_cont(duration_ns, 0.99) / 1e6 AS p99_ms
--     FROM takt_spans WHERE start_time > (now() AT TIME ZONE 'UTC') - INTERVAL 1 HOUR GROUP BY ALL ORDER BY 3 DESC;
--
-- What the files hold: docs/formats/block.md. Times are UTC, ids are hexadecimal text. Attributes keep
-- the names of their columns ("span.http.route", "resource.service.name"); rare ones, and values that
-- fit no column, are in `rest`.
--
-- A view sees the files that are there. Spans not yet in a block (POST /flush writes them), spans that a
-- client sent twice into two blocks, and blocks that were merged and wait for their last reader are the
-- server's business: it joins, drops and hides them, SQL does not.
--
-- takt_links needs one block with a link, takt_events one with an event; without any, their
-- CREATE VIEW fails, and the other views work. So they come last.

-- A time so many nanoseconds after another; NULL where TIMESTAMP_NS cannot say it (before 1677, after 2262).
CREATE OR REPLACE MACRO takt_time(t, ns) AS
    CASE WHEN isfinite(t) AND epoch_ns(t)::HUGEINT + ns BETWEEN -9223286400000000000 AND 9223372036854775806
         THEN make_timestamp_ns((epoch_ns(t)::HUGEINT + ns)::BIGINT) END;

-- Where things lie: one row per row group. A block is a folder; numbers of rows count within its files.
CREATE OR REPLACE VIEW takt_groups AS
WITH files AS (
    SELECT DISTINCT file_name, row_group_id, row_group_num_rows
    FROM parquet_metadata(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/spans.parquet'))
SELECT parse_path(file_name)[-2] AS block, row_group_id AS row_group,
       coalesce(sum(row_group_num_rows) OVER before, 0) AS first_row, row_group_num_rows AS n_rows
FROM files
WINDOW before AS (PARTITION BY file_name ORDER BY row_group_id
                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

CREATE OR REPLACE VIEW takt_resources AS
SELECT parse_path(filename)[-2] AS block, file_row_number AS resource,
       * EXCLUDE (filename, file_row_number, name, version, otlp, schema_url), schema_url AS resource_schema_url
FROM read_parquet(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/resources.parquet',
                  filename = true, file_row_number = true, union_by_name = true)
UNION ALL BY NAME -- so that the column is there even if no resource has a name
SELECT NULL::VARCHAR AS "resource.service.name" WHERE false;

CREATE OR REPLACE VIEW takt_scopes AS
SELECT parse_path(filename)[-2] AS block, file_row_number AS scope, name AS scope_name, version AS scope_version,
       * EXCLUDE (filename, file_row_number, name, version, otlp, schema_url), schema_url AS scope_schema_url
FROM read_parquet(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/scopes.parquet',
                  filename = true, file_row_number = true, union_by_name = true);

-- Spans as they are, with ids as text and times; nothing joined, so the cheapest to ask.
CREATE OR REPLACE VIEW takt_spans_only AS
SELECT parse_path(filename)[-3] AS tenant, parse_path(filename)[-2] AS block, file_row_number AS span_row,
       lower(hex(trace_id)) AS trace_id, lower(hex(span_id)) AS span_id,
       CASE WHEN parent <> 0 THEN file_row_number - parent END AS parent_row,
       CASE WHEN parent_id IS NOT NULL THEN lower(hex(parent_id)) END AS lost_parent_id,
       "start" AS start_time, takt_time("start", duration) AS end_time,
       duration AS duration_ns, name,
       CASE kind WHEN 0 THEN 'unspecified' WHEN 1 THEN 'internal' WHEN 2 THEN 'server' WHEN 3 THEN 'client'
                 WHEN 4 THEN 'producer' WHEN 5 THEN 'consumer' ELSE kind::VARCHAR END AS kind,
       CASE status WHEN 0 THEN 'unset' WHEN 1 THEN 'ok' WHEN 2 THEN 'error' ELSE status::VARCHAR END AS status,
       * EXCLUDE (filename, file_row_number, trace_id, span_id, parent, parent_id, "start", duration, name,
                  kind, status)
FROM read_parquet(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/spans.parquet',
                  filename = true, file_row_number = true, union_by_name = true);

-- Spans with all that belongs to them but events and links. parent_id is NULL for roots.
CREATE OR REPLACE VIEW takt_spans AS
SELECT s.tenant, s.trace_id, s.span_id, coalesce(p.span_id, s.lost_parent_id) AS parent_id,
       s.start_time, s.end_time, s.duration_ns, r."resource.service.name" AS service,
       s.* EXCLUDE (tenant, trace_id, span_id, parent_row, lost_parent_id, start_time, end_time, duration_ns,
                    resource, scope),
       c.* EXCLUDE (block, scope), r.* EXCLUDE (block, resource)
FROM takt_spans_only s
LEFT JOIN takt_resources r ON r.block = s.block AND r.resource = s.resource
LEFT JOIN takt_scopes c ON c.block = s.block AND c.scope = s.scope
LEFT JOIN (SELECT block, span_row, span_id FROM takt_spans_only) p
       ON p.block = s.block AND p.span_row = s.parent_row;

-- A row per trace and row group (a trace may lie in several blocks). services: {"name":[spans,errors]}.
CREATE OR REPLACE VIEW takt_traces AS
SELECT parse_path(filename)[-3] AS tenant, parse_path(filename)[-2] AS block, lower(hex(trace_id)) AS trace_id,
       "start" AS start_time, takt_time("start", duration) AS end_time,
       duration AS duration_ns, longest AS longest_span_ns, root_service, root_name, "rows" AS n_spans,
       errors AS n_errors, services::JSON AS services
FROM read_parquet(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/traces.parquet', filename = true);

-- Events and links name their span by its row within the row group; their own row groups match those of
-- the spans.
CREATE OR REPLACE VIEW takt_events AS
WITH files AS (
    SELECT DISTINCT file_name, row_group_id, row_group_num_rows
    FROM parquet_metadata(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/events.parquet')),
groups AS (
    SELECT parse_path(file_name)[-2] AS block, row_group_id AS row_group, row_group_num_rows AS n_rows,
           sum(row_group_num_rows) OVER (PARTITION BY file_name ORDER BY row_group_id) - n_rows AS first_row
    FROM files),
events AS (
    SELECT parse_path(filename)[-2] AS block, *
    FROM read_parquet(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/events.parquet',
                      filename = true, file_row_number = true, union_by_name = true))
SELECT s.tenant, s.trace_id, s.span_id, takt_time(s.start_time, e."offset") AS event_time,
       e."offset" AS offset_ns, e.name,
       e.* EXCLUDE (block, "row", "offset", name, filename, file_row_number), e.block, s.span_row
FROM events e
JOIN groups g ON g.block = e.block AND e.file_row_number >= g.first_row
             AND e.file_row_number < g.first_row + g.n_rows
JOIN takt_groups t ON t.block = g.block AND t.row_group = g.row_group
JOIN takt_spans_only s ON s.block = t.block AND s.span_row = t.first_row + e."row";

CREATE OR REPLACE VIEW takt_links AS
WITH files AS (
    SELECT DISTINCT file_name, row_group_id, row_group_num_rows
    FROM parquet_metadata(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/links.parquet')),
groups AS (
    SELECT parse_path(file_name)[-2] AS block, row_group_id AS row_group, row_group_num_rows AS n_rows,
           sum(row_group_num_rows) OVER (PARTITION BY file_name ORDER BY row_group_id) - n_rows AS first_row
    FROM files),
links AS (
    SELECT parse_path(filename)[-2] AS block, *
    FROM read_parquet(coalesce(getvariable('takt'), 'takt-data') || '/blocks/*/*/links.parquet',
                      filename = true, file_row_number = true, union_by_name = true))
SELECT s.tenant, s.trace_id, s.span_id, s.start_time, nullif(lower(hex(l.trace_id)), repeat('0', 32)) AS linked_trace_id,
       nullif(lower(hex(l.span_id)), repeat('0', 16)) AS linked_span_id,
       l.* EXCLUDE (block, "row", trace_id, span_id, filename, file_row_number), l.block, s.span_row
FROM links l
JOIN groups g ON g.block = l.block AND l.file_row_number >= g.first_row
             AND l.file_row_number < g.first_row + g.n_rows
JOIN takt_groups t ON t.block = g.block AND t.row_group = g.row_group
JOIN takt_spans_only s ON s.block = t.block AND s.span_row = t.first_row + l."row";
