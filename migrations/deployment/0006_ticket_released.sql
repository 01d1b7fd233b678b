-- Each release looks for tickets of its queue that are old enough to be forgotten: without this it would read the tickets of all services.
create index ticket_released on ticket (service, environment, ended_at) where state = 'released';
