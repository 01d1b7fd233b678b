-- What is known of a deployment from its own events, so that a notification can say more than the event that causes it.
create table known_deployment (
  id text primary key,
  baselines jsonb not null default '{}',
  requested_by text,
  -- Of the failed watch, for the notification that says it was taken back.
  judgement jsonb
);

-- One row per notification and event; the outbox of this service.
create table notification (
  number bigint generated always as identity primary key,
  -- `<source>/<id>` of the event: an event that comes twice makes one notification.
  event_key text not null unique,
  about text not null,
  channel text not null,
  notice jsonb not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default '-infinity',
  last_reason text,
  created_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz check ((delivered_at is not null) = (state = 'delivered')),
  -- The event notification.delivered or .failed has been published.
  announced boolean not null default false
);
create index notification_pending on notification (channel, number) where state = 'pending';
create index notification_unannounced on notification (number) where state <> 'pending' and not announced;

-- When the next message may be sent to a channel; its row is locked by the process that sends.
create table channel (
  name text primary key,
  next_send_at timestamptz not null default '-infinity'
);
