-- What the orchestrator looks deployments up by; the machine row is the truth.
create sequence deployment_number as bigint;

create table service (
  name       text        primary key,
  owner      text        not null,
  created_at timestamptz not null default now()
);

create table deployment (
  number          bigint      primary key,
  id              text        not null unique,
  service         text        not null,
  environment     text        not null,
  version         text        not null,
  -- The caller's idempotency key: a request that was stored is never stored twice.
  request_key     text        unique,
  created_at      timestamptz not null default now()
);
create index deployment_by_service on deployment (service, environment, number desc);
create index deployment_by_version on deployment (environment, version);
