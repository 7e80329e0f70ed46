-- What cars and stations negotiate: energy both ways, the schedule a car chose and whether it keeps to our limits.

alter table token add column may_discharge boolean not null default false;
comment on column token.may_discharge is 'Its holder lets cars give energy back: without it a session only charges (OCPP 2.1 Q01).';

create table allowed_transfer (
    station_id     text        not null references station on delete cascade,
    transaction_id text        not null,
    ways           text[]      not null,
    told_at        timestamptz not null default now(),
    primary key (station_id, transaction_id)
);
comment on table allowed_transfer is 'Ways of energy transfer that stations were told for a session and took (OCPP 2.1 NotifyAllowedEnergyTransfer); until the session ends they count instead of what its token may.';

alter table charging_needs
    add column selected_schedule_id integer,
    add column is_tolerance_accepted boolean,
    add column n_rejected smallint not null default 0,
    drop constraint charging_needs_status_check,
    add constraint charging_needs_status_check
        check (status in ('received', 'planned', 'refused', 'impossible', 'superseded', 'free', 'rejected'));
comment on column charging_needs.status is 'free: the car may take what it likes within the limits there are, and was told so; rejected: it chose more than it may have and gets its profile once more.';
comment on column charging_needs.selected_schedule_id is 'Which schedule of its profile the car chose (ISO 15118-20).';
comment on column charging_needs.is_tolerance_accepted is 'The car keeps to the power tolerance of its profile.';
comment on column charging_needs.n_rejected is 'How often the car chose a schedule beyond its limits.';
