-- Which process has a watch. It says so again each second; what nobody has said for two and a half seconds another one takes.
create table keeper (
  watch_id   text        primary key,
  -- `<disk>/<process>`: what is started again on the same disk takes back at once what it had.
  holder     text        not null,
  kept_until timestamptz not null
);
create index keeper_holder on keeper (holder);
