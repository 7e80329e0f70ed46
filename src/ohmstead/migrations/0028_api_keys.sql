-- Keys can be renamed, by one person at a time; and it is known where they were used from.
alter table api_key
    add column version integer not null default 1,
    add column last_used_from text;
comment on column api_key.last_used_from is 'The address from which it was last used, as of last_used_at.';
