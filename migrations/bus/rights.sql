-- Every service's role is a member of slipway_service: it reads the log, and writes by these functions alone.
grant usage on schema bus to slipway_service;
grant select on topic, partition, event, consumer_group, consumer, retry to slipway_service;
revoke execute on all functions in schema bus from public;
grant execute on function
  publish(text, jsonb),
  join_group(text, text[]),
  claim(text, text[], text, integer),
  advance(text, text, integer, text, bigint, integer),
  park(text, text, integer, text, text, bigint, integer, integer, text),
  unpark(text, text, integer, text, text),
  forget(bigint, integer)
to slipway_service;
