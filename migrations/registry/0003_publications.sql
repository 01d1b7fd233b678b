-- Images on their way into the registry that regions pull from. How one is doing is the machine's row of kind 'publication', by the same id; the bytes are for
-- display. `image` is its name there: one row for each place that it was ever published to.
create table publication (
  image        text        primary key,
  digest       text        not null,
  service      text        not null,
  host         text        not null,
  repository   text        not null,
  bytes_total  bigint,
  bytes_copied bigint      not null default 0,
  -- Null: it was never known to be there whole.
  published_at timestamptz,
  created_at   timestamptz not null
);
create index publication_by_host on publication (host, published_at desc);

-- Which repositories have a layer: one that another of them has there is mounted from it.
create index manifest_blob_by_blob on manifest_blob (blob);
