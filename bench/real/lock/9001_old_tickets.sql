-- Tickets are kept for 90 days: what 500 deployments a day of 5,000 services have left behind.
insert into ticket (holder, service, environment, regions, state, granted_at, ended_at)
select 'B-' || n, 'orders-' || n % 5000, 'prod', '{us-east-1,eu-west-1,ap-southeast-1}', 'released',
  clock_timestamp(), clock_timestamp()
from generate_series(1, 45000) as n;

analyze ticket;
