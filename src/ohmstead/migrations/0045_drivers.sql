-- Whose browser takes push messages, and drivers by their address.

alter table push_subscription add column driver_session_id uuid;
comment on column push_subscription.driver_session_id is
    'Where its driver was signed in when they allowed it: signed out there, nothing is sent there. Null: by a program.';

create index driver_by_email on driver (lower(email)) where email is not null;
