-- How much of what a step printed is in the log, where the step outlives the process that reads it: its next reader goes on there.
create table build_step_output (
  build_id text   not null,
  run      text   not null,
  taken    bigint not null,
  primary key (build_id, run)
);
