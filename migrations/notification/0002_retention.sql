-- So that what is known of a deployment can be forgotten with its notifications.
alter table known_deployment add column learned_at timestamptz not null default clock_timestamp();
