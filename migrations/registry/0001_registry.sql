-- What is in the registry. Bytes of blobs are objects; a blob is there when its row is, never because its object is.
create table blob (
  digest     text        primary key,
  size       bigint      not null check (size >= 0),
  created_at timestamptz not null default clock_timestamp()
);

-- Which repository may give a blob out. A mount adds a row and moves no bytes.
create table repository_blob (
  repository text        not null,
  digest     text        not null references blob (digest),
  created_at timestamptz not null default clock_timestamp(),
  primary key (repository, digest)
);

-- An upload that is not finished. chunks: [{"key", "size"}] in order; received = the sum of their sizes.
create table upload (
  id         uuid        primary key,
  repository text        not null,
  received   bigint      not null default 0,
  chunks     jsonb       not null default '[]',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
create index upload_age on upload (updated_at);

create table manifest (
  repository    text        not null,
  digest        text        not null,
  media_type    text        not null,
  bytes         bytea       not null,
  artifact_type text,
  subject       text,
  annotations   jsonb,
  created_at    timestamptz not null default clock_timestamp(),
  primary key (repository, digest)
);
create index manifest_subject on manifest (repository, subject) where subject is not null;

-- What a manifest needs. Blobs are held by the foreign key of repository_blob; manifests of an index likewise.
create table manifest_blob (
  repository text not null,
  manifest   text not null,
  blob       text not null,
  primary key (repository, manifest, blob),
  foreign key (repository, manifest) references manifest (repository, digest),
  foreign key (repository, blob) references repository_blob (repository, digest)
);
create table manifest_child (
  repository text not null,
  manifest   text not null,
  child      text not null,
  primary key (repository, manifest, child),
  foreign key (repository, manifest) references manifest (repository, digest)
);

create table tag (
  repository text        not null,
  name       text        collate "C" not null,
  digest     text        not null,
  by         text        not null,
  at         timestamptz not null default clock_timestamp(),
  primary key (repository, name),
  foreign key (repository, digest) references manifest (repository, digest)
);

-- An image that a build vouches for. `number` gives the order of lists.
create table artifact (
  digest        text        primary key,
  number        bigint      generated always as identity unique,
  service       text        not null,
  git_sha       text        not null,
  spec          jsonb       not null,
  provenance    jsonb       not null,
  registered_by text        not null,
  created_at    timestamptz not null
);
create index artifact_by_service on artifact (service, number desc);
create index artifact_by_commit on artifact (git_sha text_pattern_ops);

create table artifact_environment (
  digest      text        not null references artifact (digest),
  environment text        not null,
  by          text        not null,
  at          timestamptz not null,
  promotion   text,
  primary key (digest, environment)
);

create table artifact_bad (
  digest      text        not null references artifact (digest),
  environment text        not null,
  deployment  text        not null,
  reason      text        not null,
  at          timestamptz not null,
  primary key (digest, environment)
);

create sequence promotion_number;

-- What promotions are looked up by; their state is the machine's row of kind 'promotion'.
create table promotion (
  number      bigint      primary key,
  id          text        not null unique,
  digest      text        not null references artifact (digest),
  environment text        not null,
  open        boolean     not null,
  created_at  timestamptz not null
);
create index promotion_by_digest on promotion (digest, number);
create unique index promotion_open on promotion (digest, environment) where open;

-- Which digest each deployment uses and how far it got: what may never be collected is worked out from these rows.
create table pin (
  digest      text        not null,
  deployment  text        not null,
  service     text        not null,
  environment text        not null,
  phase       text        not null,
  at          timestamptz not null,
  primary key (digest, deployment)
);
create index pin_by_target on pin (service, environment, at desc);
