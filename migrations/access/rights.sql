-- Every service checks tokens itself and changes none.
grant usage on schema access to slipway_service;
grant select on token to slipway_service;
grant select on installation to slipway_service;
