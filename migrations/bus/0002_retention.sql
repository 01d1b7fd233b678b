-- Forgets events of a topic's partition that are older than p_age_ms (a day at least) and that every group has read: nothing that a group has still
-- before it, and nothing of a subject that waits to be tried again. At most p_limit at a time, oldest first; gives their number.
create function forget(p_age_ms bigint, p_limit integer) returns integer
language plpgsql security definer set search_path = bus, pg_temp as $$
declare
  v_count integer;
begin
  delete from event where (topic, partition, "offset") in (
    select e.topic, e.partition, e."offset" from event e
    where e.published_at < clock_timestamp() - greatest(p_age_ms, 86400000) * interval '1 ms'
      and not exists (
        select from consumer c
        where c.topic = e.topic and c.partition = e.partition and c.next_offset <= e."offset")
      and not exists (
        select from retry r
        where r.topic = e.topic and r.partition = e.partition and r.subject = e.subject and r."offset" <= e."offset")
    order by e.published_at
    limit p_limit);
  get diagnostics v_count = row_count;
  return v_count;
end $$;

revoke execute on function forget(bigint, integer) from public;
grant execute on function forget(bigint, integer) to slipway_service;
