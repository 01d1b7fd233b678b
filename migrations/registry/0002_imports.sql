create sequence import_number;

-- Foreign images on their way here. How one is doing is the machine's row of kind 'import'; the bytes are for display.
create table image_import (
  number       bigint      primary key,
  id           text        not null unique,
  service      text        not null,
  image        text        not null,
  bytes_total  bigint,
  bytes_copied bigint      not null default 0,
  created_at   timestamptz not null
);
create index image_import_by_service on image_import (service, number desc);
create index image_import_by_image on image_import (service, image, number desc);
