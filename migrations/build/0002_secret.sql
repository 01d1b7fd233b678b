-- Secrets of build steps. A value is encrypted (packages/secrets); replaced ones stay for the builds that began with them.
create table secret_value (
  service     text        not null,
  scope       text        not null,
  name        text        not null,
  revision    text        not null,
  key_id      text        not null,
  box         bytea       not null,
  set_by      text        not null,
  set_at      timestamptz not null,
  replaced_at timestamptz,
  primary key (service, scope, name, revision)
);
create unique index secret_value_present on secret_value (service, scope, name) where replaced_at is null;
