create table outbox (
  number bigint primary key,
  subject text not null,
  -- ms since 1970, on the clock of the process that wrote the row.
  at double precision not null
);
