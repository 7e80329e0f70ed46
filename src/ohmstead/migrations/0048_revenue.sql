-- What sessions brought in, by the day on which they began: sums of CDRs, for reports.

create table revenue_day (
    party_id     uuid    not null references party,
    level        text    not null check (level in ('party', 'location', 'station')),
    location_id  uuid    not null,
    station_id   text    not null,
    day          date    not null,
    currency     text    not null,
    n_cdrs       integer not null,
    before_taxes numeric not null,
    total        numeric not null,
    primary key (party_id, level, location_id, station_id, day, currency)
);
comment on table revenue_day is
    'The sums of CDRs by day on the wall of the location, as usage_day has uses: of a station, a location, and the whole party. Kept by a trigger.';
comment on column revenue_day.n_cdrs is 'Charges less credits: sessions that are billed.';
comment on column revenue_day.total is 'With taxes.';
create index revenue_day_by_day on revenue_day (party_id, level, day);
create index revenue_day_by_station on revenue_day (party_id, station_id, day) where level = 'station';

create function revenue_day_grows() returns trigger language plpgsql as $$
begin
    insert into revenue_day as r
        (party_id, level, location_id, station_id, day, currency, n_cdrs, before_taxes, total)
    select x.party_id, v.level, v.location_id, v.station_id, x.day, x.currency, sum(x.n), sum(x.before_taxes), sum(x.total)
    from (select a.party_id, coalesce(a.location_id, '00000000-0000-0000-0000-000000000000') as location_id, a.station_id,
                 (a.started_at at time zone coalesce(l.time_zone, p.time_zone))::date as day, a.currency,
                 case a.kind when 'charge' then 1 else -1 end as n, a.before_taxes, a.total
          from added a join party p using (party_id) left join location l on l.location_id = a.location_id) x
    cross join lateral (values
        ('party', '00000000-0000-0000-0000-000000000000'::uuid, ''),
        ('location', x.location_id, ''),
        ('station', x.location_id, x.station_id)) v (level, location_id, station_id)
    group by x.party_id, v.level, v.location_id, v.station_id, x.day, x.currency
    on conflict (party_id, level, location_id, station_id, day, currency) do update set
        n_cdrs = r.n_cdrs + excluded.n_cdrs, before_taxes = r.before_taxes + excluded.before_taxes,
        total = r.total + excluded.total;
    return null;
end $$;

insert into revenue_day (party_id, level, location_id, station_id, day, currency, n_cdrs, before_taxes, total)
select x.party_id, v.level, v.location_id, v.station_id, x.day, x.currency, sum(x.n), sum(x.before_taxes), sum(x.total)
from (select a.party_id, coalesce(a.location_id, '00000000-0000-0000-0000-000000000000') as location_id, a.station_id,
             (a.started_at at time zone coalesce(l.time_zone, p.time_zone))::date as day, a.currency,
             case a.kind when 'charge' then 1 else -1 end as n, a.before_taxes, a.total
      from cdr a join party p using (party_id) left join location l on l.location_id = a.location_id) x
cross join lateral (values
    ('party', '00000000-0000-0000-0000-000000000000'::uuid, ''),
    ('location', x.location_id, ''),
    ('station', x.location_id, x.station_id)) v (level, location_id, station_id)
group by x.party_id, v.level, v.location_id, v.station_id, x.day, x.currency;

create trigger revenue_day_grows after insert on cdr referencing new table as added
    for each statement execute function revenue_day_grows();
