-- The last settled session of each station, so that stations can be put in order by it without reading sessions.

create table usage_last (
    station_id  text        primary key references station on delete cascade,
    party_id    uuid        not null references party,
    session_id  uuid        not null,
    location_id uuid        not null,
    started_at  timestamptz not null,
    energy_wh   numeric     not null
);
comment on table usage_last is 'Which settled session of a station began last, and its energy. Written with usage_share; only lists are put in order by it.';
comment on column usage_last.location_id is 'All zeros: the station was at no location.';

insert into usage_last
select distinct on (station_id) station_id, party_id, session_id,
       coalesce(location_id, '00000000-0000-0000-0000-000000000000'), started_at, energy_wh
from session where settled_at is not null
order by station_id, started_at desc, session_id;

create index usage_last_by_session on usage_last (session_id);
