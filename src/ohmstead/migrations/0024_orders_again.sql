-- The last order of its kind that a person gave, to begin the next one with.
create index command_by_person on command (party_id, requested_by, kind, requested_at desc);
