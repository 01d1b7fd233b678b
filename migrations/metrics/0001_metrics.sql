-- When a commit was made, from the build that was queued for it.
create table commit_time (
  service text not null,
  git_sha text not null,
  committed_at timestamptz not null,
  primary key (service, git_sha)
);

-- What events have told about a deployment, in whatever order they came.
create table deployment (
  id text primary key,
  service text not null,
  environment text not null,
  version text not null,
  git_sha text,
  regions text[] not null default '{}',
  exposed_at timestamptz,
  succeeded_at timestamptz,
  caught_at timestamptz,
  caught_reason text,
  ended_at timestamptz,
  outcome text,
  ended_reason text,
  max_weight_percent double precision,
  failed_requests bigint,
  -- When each region was confirmed to send the canary nothing more: {region: time}.
  shut jsonb not null default '{}',
  -- Set once it counts in a report: it came to 100%, was caught or was taken back.
  counted_at timestamptz
);
create index deployment_counted on deployment (counted_at) where counted_at is not null;
