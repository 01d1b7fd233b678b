-- Which Slipway this is: what others can share with it, such as a Kafka, is told by this from what is theirs. One row.

create table installation (
  id    uuid    not null default gen_random_uuid(),
  alone boolean primary key default true check (alone)
);
insert into installation default values;
