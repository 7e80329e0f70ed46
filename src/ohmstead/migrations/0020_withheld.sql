-- Tokens that a station's local list leaves out, because the station was told to forget who they belong to.

create table local_list_withheld (
    station_id text        not null references station on delete cascade,
    uid        text        not null check (uid = lower(uid)),
    at         timestamptz not null,
    primary key (station_id, uid)
);
comment on table local_list_withheld is 'Tokens whose data the station was to forget (OCPP 2.x N10), which does not touch its local list: that is for us to do. Until the token is changed, the list leaves it out.';

-- What a list holds is said in the words of the order that brings it there.
update local_list set entries = (
    select jsonb_object_agg(key, value - 'valid_until' || case when value ->> 'valid_until' is null then '{}'
                                 else jsonb_build_object('expires_at', value -> 'valid_until') end)
      from jsonb_each(entries)) where entries <> '{}';
