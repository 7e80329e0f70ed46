-- A write that was reckoned from a row which is another by now must not stand, nor anything written along with it.

create function raise_stale() returns boolean language plpgsql as $$
begin
    raise exception 'a row was changed by somebody else since it was read' using errcode = 'OHS01';
end $$;
comment on function raise_stale is 'Ends the statement that calls it, with SQLSTATE OHS01: whoever sent it reads again and tries again.';
