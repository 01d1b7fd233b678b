-- Requests of a version that was caught for slowness, over the limit of its baseline.
alter table deployment add column slow_requests bigint;
