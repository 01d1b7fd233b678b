-- Tables of everything with a life. Run in each service's own schema; names resolve through search_path.

create table machine (
  kind       text        not null,
  id         text        not null,
  phase      text        not null,
  state      jsonb       not null,
  version    bigint      not null,
  generation bigint      not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (kind, id)
);
create index machine_phase on machine (kind, phase, id);

-- The one outbox: effects, events to publish and timers. A row exists until its outcome is recorded.
-- lane null: ordered with nothing (timers). leased_until in the past or null: nobody performs it.
create table command (
  seq          bigint generated always as identity primary key,
  kind         text        not null,
  id           text        not null,
  lane         text,
  generation   bigint      not null,
  survives     boolean     not null,
  timer        boolean     not null,
  payload      jsonb       not null,
  run_after    timestamptz not null,
  attempts     integer     not null default 0,
  last_reason  text,
  holder       text,
  leased_until timestamptz,
  created_at   timestamptz not null,
  foreign key (kind, id) references machine (kind, id)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0, fillfactor = 70);
create index command_lane on command (kind, id, lane, seq);
create index command_due on command (run_after);
create index command_lease on command (leased_until) where leased_until is not null;

-- Which events a consumer has taken: the same event a second time has no effect.
create table inbox (
  consumer    text        not null,
  event_id    text        not null,
  received_at timestamptz not null default clock_timestamp(),
  primary key (consumer, event_id)
);
create index inbox_age on inbox (received_at);

-- Answers of mutating calls by Idempotency-Key. status null: the first call is still being handled (until locked_until).
create table idempotency (
  principal    text        not null,
  endpoint     text        not null,
  key          text        not null,
  request_hash text        not null,
  status       integer,
  headers      jsonb,
  body         text,
  locked_until timestamptz not null,
  created_at   timestamptz not null default clock_timestamp(),
  primary key (principal, endpoint, key)
);
create index idempotency_age on idempotency (created_at);

-- Hash-chained: each hash covers the entry and the hash before it. seq has no gaps.
create table audit (
  seq       bigint      primary key,
  at        timestamptz not null,
  actor     text        not null,
  action    text        not null,
  subject   text        not null,
  detail    jsonb       not null,
  prev_hash text        not null,
  hash      text        not null
);
create index audit_subject on audit (subject, seq);

-- The service's own role may add to the audit log and never change it.
do $$
begin
  if exists (select 1 from pg_roles where rolname = 'slipway_' || current_schema()) then
    execute format('revoke update, delete, truncate on audit from %I', 'slipway_' || current_schema());
  end if;
end
$$;
