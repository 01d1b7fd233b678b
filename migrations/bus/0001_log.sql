-- The event log. Services read the tables and change them only through the functions at the end, so that no service can
-- rewrite or delete an event, or consume in the name of another.

create table topic (
  name text primary key,
  -- Fixed for ever: another number would move subjects between partitions and break their order.
  partitions integer not null default 8 check (partitions between 1 and 64)
);

create table partition (
  topic text not null references topic (name),
  number integer not null,
  next_offset bigint not null default 0,
  last_published_at timestamptz not null default '-infinity',
  primary key (topic, number)
);

create table event (
  topic text not null,
  partition integer not null,
  "offset" bigint not null,
  id text not null,
  subject text not null,
  body jsonb not null,
  -- Never falls within a partition, whatever the clock does.
  published_at timestamptz not null,
  primary key (topic, partition, "offset"),
  unique (topic, id),
  foreign key (topic, partition) references partition (topic, number)
);
create index event_by_subject on event (topic, partition, subject, "offset");
create index event_by_time on event (topic, published_at, partition, "offset");

create table consumer_group (
  name text primary key,
  role name not null
);

-- How far a group has come in a partition, and who works on it now (a token of one claim).
create table consumer (
  consumer_group text not null references consumer_group (name),
  topic text not null,
  partition integer not null,
  next_offset bigint not null default 0,
  token text,
  leased_until timestamptz,
  claimed_at timestamptz not null default '-infinity',
  primary key (consumer_group, topic, partition),
  foreign key (topic, partition) references partition (topic, number)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- A subject whose handler failed: its events from this offset on wait here, while other subjects go on.
create table retry (
  consumer_group text not null,
  topic text not null,
  partition integer not null,
  subject text not null,
  "offset" bigint not null,
  attempts integer not null,
  due_at timestamptz not null,
  reason text not null,
  since timestamptz not null default clock_timestamp(),
  primary key (consumer_group, topic, partition, subject),
  foreign key (consumer_group, topic, partition) references consumer (consumer_group, topic, partition)
);

create function partition_of(subject text, partitions integer) returns integer
language sql immutable strict parallel safe
return ('x' || substr(md5(subject), 1, 7))::bit(28)::integer % partitions;

create function ensure_topic(p_topic text) returns integer
language plpgsql security definer set search_path = bus, pg_temp as $$
declare
  v_partitions integer;
begin
  select partitions into v_partitions from topic where name = p_topic;
  if v_partitions is null then
    insert into topic (name) values (p_topic) on conflict do nothing;
    select partitions into strict v_partitions from topic where name = p_topic;
  end if;
  if not exists (select from partition where topic = p_topic and number = v_partitions - 1) then
    insert into partition (topic, number)
      select p_topic, number from generate_series(0, v_partitions - 1) as number on conflict do nothing;
  end if;
  return v_partitions;
end $$;

-- Appends the events that the topic does not have yet; gives their number. The rows of the partitions are locked to the
-- end of the transaction, in order: within a partition the order of offsets is the order of commits, so that a reader
-- that has seen an offset can never miss a smaller one that commits later.
create function publish(p_topic text, p_events jsonb) returns integer
language plpgsql security definer set search_path = bus, pg_temp as $$
declare
  v_partitions integer := ensure_topic(p_topic);
  v_now timestamptz;
  v_count integer;
begin
  perform from partition
    where topic = p_topic and number in (
      select partition_of(body ->> 'subject', v_partitions) from jsonb_array_elements(p_events) as body)
    order by number for update;
  v_now := clock_timestamp();

  with input as (
    select distinct on (given.body ->> 'id')
      given.place, given.body, partition_of(given.body ->> 'subject', v_partitions) as number
    from jsonb_array_elements(p_events) with ordinality as given (body, place)
    where not exists (select from event where event.topic = p_topic and event.id = given.body ->> 'id')
    order by given.body ->> 'id', given.place
  ), placed as (
    insert into event (topic, partition, "offset", id, subject, body, published_at)
    select p_topic, number, p.next_offset + row_number() over (partition by number order by place) - 1,
      input.body ->> 'id', input.body ->> 'subject', input.body, greatest(v_now, p.last_published_at)
    from input join partition p using (number) where p.topic = p_topic
    returning event.partition
  ), counted as (
    select placed.partition as number, count(*) as events from placed group by placed.partition
  ), moved as (
    update partition p
      set next_offset = p.next_offset + counted.events, last_published_at = greatest(v_now, p.last_published_at)
      from counted where p.topic = p_topic and p.number = counted.number
      returning counted.events
  )
  select coalesce(sum(events), 0) into v_count from moved;

  if v_count > 0 then
    perform pg_notify('slipway_bus', p_topic);
  end if;
  return v_count;
end $$;

-- Makes a group and its place in each partition (at the first event), or finds them. A group belongs to the role that
-- joined first.
create function join_group(p_group text, p_topics text[]) returns void
language plpgsql security definer set search_path = bus, pg_temp as $$
declare
  v_topic text;
begin
  insert into consumer_group (name, role) values (p_group, session_user) on conflict do nothing;
  perform assert_own_group(p_group);
  foreach v_topic in array p_topics loop
    perform ensure_topic(v_topic);
    insert into consumer (consumer_group, topic, partition)
      select p_group, topic, number from partition where topic = v_topic on conflict do nothing;
  end loop;
end $$;

create function assert_own_group(p_group text) returns void
language plpgsql security definer set search_path = bus, pg_temp as $$
begin
  if not exists (select from consumer_group where name = p_group and role = session_user) then
    raise exception 'consumer group % does not belong to role %', p_group, session_user
      using errcode = 'insufficient_privilege';
  end if;
end $$;

-- Takes the partition that was claimed longest ago among those with work that nobody works on. Without one: no
-- partition, and in how many ms there may be one (null: not before something is published).
create function claim(p_group text, p_topics text[], p_token text, p_lease_ms integer,
  out topic text, out partition integer, out next_offset bigint, out wait_ms double precision)
language plpgsql security definer set search_path = bus, pg_temp as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  perform assert_own_group(p_group);
  update consumer c
    set token = p_token, claimed_at = v_now, leased_until = v_now + p_lease_ms * interval '1 ms'
    where (c.consumer_group, c.topic, c.partition) = (
      select w.consumer_group, w.topic, w.partition
      from consumer w join partition p on p.topic = w.topic and p.number = w.partition
      where w.consumer_group = p_group and w.topic = any (p_topics)
        and (w.leased_until is null or w.leased_until <= v_now)
        and (p.next_offset > w.next_offset or exists (
          select from retry r where r.consumer_group = w.consumer_group and r.topic = w.topic
            and r.partition = w.partition and r.due_at <= v_now))
      order by w.claimed_at, w.topic, w.partition
      limit 1 for update of w skip locked)
    returning c.topic, c.partition, c.next_offset into topic, partition, next_offset;
  if topic is not null then
    return;
  end if;
  select extract(epoch from min(greatest(
      w.leased_until,
      case when p.next_offset > w.next_offset then v_now else r.due_at end)) - v_now) * 1000
    into wait_ms
    from consumer w join partition p on p.topic = w.topic and p.number = w.partition
    left join retry r on r.consumer_group = w.consumer_group and r.topic = w.topic and r.partition = w.partition
    where w.consumer_group = p_group and w.topic = any (p_topics)
      and (p.next_offset > w.next_offset or r.due_at is not null);
end $$;

-- The three below act for a claim and give false, changing nothing, once another claim has taken the partition.

-- Records progress and extends the lease, or gives it back (p_lease_ms null).
create function advance(p_group text, p_topic text, p_partition integer, p_token text, p_next_offset bigint,
  p_lease_ms integer) returns boolean
language plpgsql security definer set search_path = bus, pg_temp as $$
begin
  perform assert_own_group(p_group);
  update consumer
    set next_offset = greatest(next_offset, p_next_offset),
      token = case when p_lease_ms is null then null else token end,
      leased_until = clock_timestamp() + p_lease_ms * interval '1 ms'
    where consumer_group = p_group and topic = p_topic and partition = p_partition and token = p_token;
  return found;
end $$;

-- Lets a subject wait from an offset on. The progress of the partition moves past that offset in the same moment.
create function park(p_group text, p_topic text, p_partition integer, p_token text, p_subject text, p_offset bigint,
  p_attempts integer, p_delay_ms integer, p_reason text) returns boolean
language plpgsql security definer set search_path = bus, pg_temp as $$
begin
  perform assert_own_group(p_group);
  update consumer set next_offset = greatest(next_offset, p_offset + 1)
    where consumer_group = p_group and topic = p_topic and partition = p_partition and token = p_token;
  if not found then
    return false;
  end if;
  insert into retry (consumer_group, topic, partition, subject, "offset", attempts, due_at, reason)
    values (p_group, p_topic, p_partition, p_subject, p_offset, p_attempts,
      clock_timestamp() + p_delay_ms * interval '1 ms', p_reason)
    on conflict (consumer_group, topic, partition, subject) do update
      set "offset" = excluded."offset", attempts = excluded.attempts, due_at = excluded.due_at, reason = excluded.reason;
  return true;
end $$;

-- The subject has caught up with its partition and goes on like the others.
create function unpark(p_group text, p_topic text, p_partition integer, p_token text, p_subject text) returns boolean
language plpgsql security definer set search_path = bus, pg_temp as $$
begin
  perform assert_own_group(p_group);
  perform from consumer
    where consumer_group = p_group and topic = p_topic and partition = p_partition and token = p_token for update;
  if not found then
    return false;
  end if;
  delete from retry
    where consumer_group = p_group and topic = p_topic and partition = p_partition and subject = p_subject;
  return true;
end $$;

-- Every service's role is a member of slipway_service.
grant usage on schema bus to slipway_service;
grant select on topic, partition, event, consumer_group, consumer, retry to slipway_service;
revoke execute on all functions in schema bus from public;
grant execute on function
  publish(text, jsonb),
  join_group(text, text[]),
  claim(text, text[], text, integer),
  advance(text, text, integer, text, bigint, integer),
  park(text, text, integer, text, text, bigint, integer, integer, text),
  unpark(text, text, integer, text, text)
to slipway_service;
