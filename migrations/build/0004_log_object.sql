-- The log of an ended build moves into the object store: its first object_length bytes are there under the key `object`, and their chunks are gone. In
-- their place is one for programs that do not know of it. Chunks from object_length on are the log's as before. known_at: since when the log may have
-- been here beside such a program; of those from before, the time of this file. claimed_until: until then somebody is moving it.
alter table build_log
  add column object        text,
  add column object_length bigint,
  add column claimed_until timestamptz,
  add column forgotten     boolean     not null default false,
  add column known_at      timestamptz not null default now();

update build_log l set forgotten = true
from (select convert_to(E'what this build printed was removed once logs are not kept any more (SLIPWAY_KEEP_BUILD_LOGS)\n', 'UTF8') as bytes) instead
where l.length = length(instead.bytes)
  and exists (select from build_log_chunk c where c.build_id = l.build_id and c.at = 0 and c.bytes = instead.bytes);

-- Those that may have to be moved.
create index build_log_here on build_log (build_id) where object is null and not forgotten;

-- Builds whose log was forgotten, and whose objects may still be there. A row goes once they are not.
create table build_log_left (
  build_id text primary key
);
