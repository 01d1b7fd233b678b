-- What was waited for has been decided since: how, by whom, and when. The notice stays, and says so.
alter table notification
  add column settled text,
  add column settled_at timestamptz,
  add constraint settled_at_once check ((settled is null) = (settled_at is null));
create index notification_unsettled on notification (about) where settled is null and notice ? 'waits';
