-- Files, carried on: one vocabulary with orders, who vouches for firmware, and records that are forgotten in time.

alter table file_job rename column oldest_at to since;
alter table file_job rename column latest_at to until;
alter table file_job add column offered_under text[];
comment on column file_job.offered_under is 'Where a local controller offers the firmware to the stations behind it.';

alter table firmware_image
    add column signing_chain text,
    add column vouched_by    text,
    add column doubt         text;
comment on column firmware_image.signing_chain is 'Certificates between the signing one and the manufacturer''s root, PEM.';
comment on column firmware_image.vouched_by is 'Subject of the manufacturer''s root that the signing certificate leads to.';
comment on column firmware_image.doubt is 'Why no manufacturer''s root vouches for the signing certificate.';

-- Rows come in the order of time: a few pages of this index tell where the old ones end.
create index station_record_by_time on station_record using brin (received_at);
create index report_chunk_by_time on report_chunk (received_at);
