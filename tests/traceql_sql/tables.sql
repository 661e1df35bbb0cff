-- SPDX-License-Identifier: Apache-2.0
-- What the questions of this test are asked of, made from docs/sql/views.sql once. Statements end at an empty line.

-- A row per span; `uid` is its number.
CREATE TABLE raw AS
SELECT row_number() OVER (ORDER BY block, span_row) AS uid, *, epoch_ns(start_time) AS start_ns,
       greatest(duration_ns, 0) AS duration, start_ns + duration AS end_ns
FROM takt_spans

-- The parent: of several spans with the id that the child names, the one that ends last; not the span itself.
CREATE TABLE up AS
SELECT * FROM (
    SELECT c.uid, p.uid AS parent
    FROM raw c JOIN raw p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id
    QUALIFY row_number() OVER (PARTITION BY c.uid ORDER BY p.end_ns DESC, p.start_ns DESC) = 1)
WHERE uid <> parent

CREATE TABLE roots AS
SELECT trace_id, name AS root_name, coalesce("resource.service.name", '') AS root_service
FROM raw WHERE parent_id IS NULL
QUALIFY row_number() OVER (PARTITION BY trace_id ORDER BY start_ns, span_id) = 1

CREATE TABLE traces AS
SELECT trace_id, max(end_ns) - min(start_ns) AS trace_duration FROM raw GROUP BY trace_id

CREATE TABLE children AS
SELECT parent, count(*) AS n FROM up GROUP BY parent

CREATE TABLE spans AS
SELECT raw.*, up.parent, roots.root_name, roots.root_service, traces.trace_duration,
       coalesce(children.n, 0) AS child_count
FROM raw JOIN traces USING (trace_id) LEFT JOIN up USING (uid) LEFT JOIN roots USING (trace_id)
LEFT JOIN children ON children.parent = raw.uid

-- Every span with each of those above it.
CREATE TABLE above AS
WITH RECURSIVE walk AS (
    SELECT uid, parent AS ancestor FROM up
    UNION ALL
    SELECT walk.uid, up.parent FROM walk JOIN up ON up.uid = walk.ancestor)
SELECT * FROM walk

CREATE TABLE events AS
SELECT spans.uid, e.* FROM takt_events e JOIN spans USING (block, span_row)

CREATE TABLE links AS
SELECT spans.uid, l.* FROM takt_links l JOIN spans USING (block, span_row)
