-- What a watch remembers between looks, so that a restarted controller judges on: the judge's state and the last counters of each region.
create table snapshot (
  watch_id text        primary key,
  at       timestamptz not null,
  content  text        not null
);

-- Looks as they were judged, in batches: replaying them gives the same verdicts.
create table look (
  watch_id text        not null,
  batch    bigint      generated always as identity,
  at       timestamptz not null,
  looks    text        not null,
  primary key (watch_id, batch)
);
create index look_age on look (at);
