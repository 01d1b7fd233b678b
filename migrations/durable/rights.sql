-- The service's own role may add to the audit log and never change it.
do $$
begin
  execute format('revoke update, delete, truncate on audit from %I', 'slipway_' || current_schema());
end
$$;
