-- Tokens of people and services. Written by the host at first start, read by every service; secrets are never stored.

create table token (
  kid        text        primary key check (kid ~ '^[0-9a-z]{12}$'),
  name       text        not null check (name <> ''),
  roles      text[]      not null check (roles <@ array['viewer', 'deployer', 'approver', 'admin', 'service']),
  hash       bytea       not null check (octet_length(hash) = 32),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index token_name on token (name);

-- Every service checks tokens itself and changes none.
grant usage on schema access to slipway_service;
grant select on token to slipway_service;
