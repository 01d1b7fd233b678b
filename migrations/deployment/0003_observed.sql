-- Targets whose region carries a newer grant than this database knows: it was restored to an older state, and only observes them until a
-- person accepts what the regions show.
create table observed (
  service     text        not null,
  environment text        not null,
  region      text        not null,
  -- As the region's annotation has it.
  fence       text        not null,
  epoch_there bigint      not null,
  epoch_here  bigint      not null,
  weights     jsonb       not null,
  since       timestamptz not null default clock_timestamp(),
  primary key (service, environment, region)
);
