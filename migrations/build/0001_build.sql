-- Where services' repositories are. match_key: host and path without scheme, user or ".git", to know a webhook's sender.
create table repository (
  service    text        primary key,
  url        text        not null,
  match_key  text        not null unique,
  secret     text        not null,
  updated_at timestamptz not null
);

-- Each webhook delivery once, with the answer that it got (json keeps its very text). The delivery id is not signed, so the body's hash counts too.
create table delivery (
  service     text        not null,
  delivery_id text        not null,
  body_sha256 text        not null,
  event       text        not null,
  status      integer     not null,
  answer      json        not null,
  received_at timestamptz not null,
  primary key (service, delivery_id)
);
create index delivery_body on delivery (service, body_sha256);

create sequence build_number;

-- What builds are looked up by; their state is the machine's row of kind 'build'.
create table build (
  number     bigint      primary key,
  id         text        not null unique,
  service    text        not null,
  git_sha    text        not null,
  created_at timestamptz not null
);
create index build_by_service on build (service, number desc);
create index build_by_commit on build (git_sha text_pattern_ops, number desc);

-- The log of a build: whole lines of UTF-8. at = offset of a chunk in bytes; length = where the next one goes.
create table build_log (
  build_id text   primary key,
  length   bigint not null
);
create table build_log_chunk (
  build_id text   not null references build_log (build_id),
  at       bigint not null,
  bytes    bytea  not null,
  primary key (build_id, at)
);
