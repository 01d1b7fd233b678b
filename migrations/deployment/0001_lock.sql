-- The locks of deployments: one row per target ever granted (its epoch is never reset, so rows are never deleted)
-- and one ticket per holder, drawn in order.

create table target (
  service text not null,
  environment text not null,
  region text not null,
  epoch bigint not null default 0 check (epoch >= 0),
  holder text,
  held_since timestamptz,
  primary key (service, environment, region),
  check ((holder is null) = (held_since is null))
);

create table ticket (
  id bigint generated always as identity primary key,
  holder text not null,
  service text not null,
  environment text not null,
  regions text[] not null check (cardinality(regions) > 0),
  state text not null default 'waiting' check (state in ('waiting', 'granted', 'lost', 'released')),
  lost_to text check ((lost_to is not null) = (state = 'lost')),
  drawn_at timestamptz not null default clock_timestamp(),
  granted_at timestamptz,
  ended_at timestamptz
);

-- A holder has one life at a time.
create unique index ticket_one_life on ticket (holder) where state <> 'released';
create index ticket_by_holder on ticket (holder, id desc);
create index ticket_queue on ticket (service, environment, id) where state in ('waiting', 'granted');

-- An epoch that shrinks would let an old holder's writes through a region's fence.
create function target_epoch_grows() returns trigger language plpgsql as $$
begin
  if new.epoch < old.epoch then
    raise exception 'the epoch of %/%/% may not shrink from % to %',
      old.service, old.environment, old.region, old.epoch, new.epoch;
  end if;
  if new.holder is not null and new.holder is distinct from old.holder and new.epoch = old.epoch then
    raise exception 'a new holder of %/%/% needs a new epoch', old.service, old.environment, old.region;
  end if;
  return new;
end $$;

create trigger target_epoch_grows before update on target
  for each row execute function target_epoch_grows();
