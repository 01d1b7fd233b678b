-- What takes exposure back: claimed before everything else, in slots of its own.
alter table command add column urgent boolean not null default false;
create index command_urgent on command (run_after) where urgent;
