-- How many images are copied at once. place_until: who copies it has said to go on until then; null or past: nobody copies. waits: it asked for a place and
-- got none. seen_at: when a process that could copy it last had it in hand.
alter table image_import
  add column place_until timestamptz,
  add column waits boolean not null default false,
  add column seen_at timestamptz;
create index image_import_place on image_import (place_until) where place_until is not null;
create index image_import_waits on image_import (number) where waits;
