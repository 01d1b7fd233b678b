-- Where builds of a service's main branch are deployed by themselves; null: nowhere.
alter table service add column deploys_to text;
