-- What the migrations add up to. Written by tools/schema.py; change a migration, not this file.

sequence transaction_number integer 1..2147483647 cycle

table api_key
    api_key_id uuid not null
    party_id uuid not null
    name text not null
    key_start text not null
    key_hash bytea not null
    scopes text[] not null
    created_at timestamp with time zone not null default now()
    created_by text not null
    expires_at timestamp with time zone
    last_used_at timestamp with time zone
    revoked_at timestamp with time zone
    constraint api_key_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint api_key_pkey PRIMARY KEY (api_key_id)
    constraint api_key_key_hash_key UNIQUE (key_hash)
    CREATE INDEX api_key_by_party ON public.api_key USING btree (party_id)

table audit_entry
    entry_id bigint not null generated as identity
    at timestamp with time zone not null default now()
    party_id uuid not null
    actor text not null
    action text not null
    object text not null
    detail jsonb not null default '{}'::jsonb
    remote_address text
    constraint audit_entry_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint audit_entry_pkey PRIMARY KEY (entry_id)
    CREATE INDEX audit_entry_by_party ON public.audit_entry USING btree (party_id, at DESC)

table authority
    -- The installation's own certificate authority; made when it is first needed.
    authority_id uuid not null
    purpose text not null
    key_kind text not null
    level text not null
    certificate_pem text not null
    sealed_key bytea not null  -- The private key, encrypted under a key derived from the installation's secret key.
    crl bytea  -- The revocation list last signed; null when something was revoked since.
    crl_number bigint not null default 0
    crl_until timestamp with time zone
    created_at timestamp with time zone not null default now()
    constraint authority_key_kind_check CHECK ((key_kind = ANY (ARRAY['EC'::text, 'RSA'::text])))
    constraint authority_level_check CHECK ((level = ANY (ARRAY['root'::text, 'issuing'::text])))
    constraint authority_purpose_check CHECK ((purpose = ANY (ARRAY['station'::text, 'v2g'::text])))
    constraint authority_pkey PRIMARY KEY (authority_id)
    constraint authority_purpose_key_kind_level_key UNIQUE (purpose, key_kind, level)

table certificate
    -- Station and V2G certificates issued, and the roots a party trusts (those have no station).
    certificate_id uuid not null
    party_id uuid not null
    station_id text
    kind text not null
    status text not null  -- issued: on its way to the station; active: the station uses it, or the root is trusted.
    authority_id uuid
    subject text not null
    issuer text not null
    serial text not null
    fingerprint text not null
    key_hash text not null  -- SHA-256 of the public key: no two stations may have the same one.
    chain_pem text not null
    not_before timestamp with time zone not null
    not_after timestamp with time zone not null
    issued_at timestamp with time zone not null default now()
    active_at timestamp with time zone
    renewal_asked_at timestamp with time zone
    replaced_by uuid
    revoked_at timestamp with time zone
    revocation_reason text
    constraint certificate_kind_check CHECK ((kind = ANY (ARRAY['station'::text, 'v2g'::text, 'csms_root'::text, 'manufacturer_root'::text, 'v2g_root'::text, 'mo_root'::text, 'oem_root'::text])))
    constraint certificate_status_check CHECK ((status = ANY (ARRAY['issued'::text, 'active'::text, 'rejected'::text, 'revoked'::text])))
    constraint certificate_authority_id_fkey FOREIGN KEY (authority_id) REFERENCES authority(authority_id)
    constraint certificate_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint certificate_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES certificate(certificate_id)
    constraint certificate_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id)
    constraint certificate_pkey PRIMARY KEY (certificate_id)
    constraint certificate_party_id_fingerprint_key UNIQUE (party_id, fingerprint)
    CREATE INDEX certificate_by_expiry ON public.certificate USING btree (party_id, not_after)
    CREATE INDEX certificate_by_fingerprint ON public.certificate USING btree (fingerprint)
    CREATE INDEX certificate_by_key ON public.certificate USING btree (key_hash)
    CREATE INDEX certificate_by_serial ON public.certificate USING btree (authority_id, serial)
    CREATE INDEX certificate_by_station ON public.certificate USING btree (station_id, kind)

table charging_period
    -- A settled session in pieces of one kind each; energies add up to the session's.
    session_id uuid not null
    started_at timestamp with time zone not null
    ended_at timestamp with time zone not null
    kind text not null
    energy_wh numeric not null
    constraint charging_period_kind_check CHECK ((kind = ANY (ARRAY['charging'::text, 'idle'::text, 'suspended_ev'::text, 'suspended_evse'::text, 'connected'::text])))
    constraint charging_period_session_id_fkey FOREIGN KEY (session_id) REFERENCES session(session_id) ON DELETE CASCADE
    constraint charging_period_pkey PRIMARY KEY (session_id, started_at)

table command
    command_id uuid not null
    party_id uuid not null
    station_id text not null
    kind text not null
    action text
    parameters jsonb not null default '{}'::jsonb
    status text not null
    requested_by text not null
    requested_at timestamp with time zone not null default now()
    expires_at timestamp with time zone
    sent_at timestamp with time zone
    answered_at timestamp with time zone
    message_id text
    answer jsonb
    error_code text
    error_text text
    constraint command_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'sending'::text, 'sent'::text, 'accepted'::text, 'rejected'::text, 'failed'::text, 'timed_out'::text, 'offline'::text, 'expired'::text, 'cancelled'::text])))
    constraint command_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint command_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id)
    constraint command_pkey PRIMARY KEY (command_id)
    CREATE UNIQUE INDEX command_by_message ON public.command USING btree (station_id, message_id) WHERE (message_id IS NOT NULL)
    CREATE INDEX command_by_party ON public.command USING btree (party_id, requested_at DESC)
    CREATE INDEX command_by_station ON public.command USING btree (station_id, requested_at DESC)
    CREATE INDEX command_waiting ON public.command USING btree (station_id, requested_at) WHERE (status = 'queued'::text)

table connection_change partition by RANGE (at)
    station_id text not null
    at timestamp with time zone not null
    is_connected boolean not null
    reason text not null default ''::text
    detail text not null default ''::text
    constraint connection_change_pkey PRIMARY KEY (station_id, at, is_connected)

table connector with (fillfactor=80)
    station_id text not null
    evse_number integer not null
    connector_number integer not null
    standard text
    max_power_w integer
    status text not null default 'unknown'::text
    status_at timestamp with time zone
    error_code text
    info text
    vendor_error_code text
    constraint connector_connector_number_check CHECK ((connector_number > 0))
    constraint connector_status_check CHECK ((status = ANY (ARRAY['available'::text, 'occupied'::text, 'preparing'::text, 'charging'::text, 'suspended_ev'::text, 'suspended_evse'::text, 'finishing'::text, 'reserved'::text, 'unavailable'::text, 'faulted'::text, 'unknown'::text])))
    constraint connector_station_id_evse_number_fkey FOREIGN KEY (station_id, evse_number) REFERENCES evse(station_id, evse_number) ON DELETE CASCADE
    constraint connector_pkey PRIMARY KEY (station_id, evse_number, connector_number)

table evse
    station_id text not null
    evse_number integer not null
    current_type text
    max_power_w integer
    physical_reference text
    constraint evse_current_type_check CHECK ((current_type = ANY (ARRAY['AC'::text, 'DC'::text])))
    constraint evse_evse_number_check CHECK ((evse_number > 0))
    constraint evse_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id) ON DELETE CASCADE
    constraint evse_pkey PRIMARY KEY (station_id, evse_number)

table gateway
    -- Running gateways. One that stopped renewing alive_at is dead, and its stations are offline.
    gateway_id uuid not null
    address text not null
    started_at timestamp with time zone not null default now()
    alive_at timestamp with time zone not null default now()
    constraint gateway_pkey PRIMARY KEY (gateway_id)

table idempotent_request
    -- Answers to POST requests with an Idempotency-Key, kept for a day. status is null while the first one runs.
    party_id uuid not null
    key text not null
    fingerprint bytea not null
    status smallint
    headers jsonb
    body bytea
    created_at timestamp with time zone not null default now()
    constraint idempotent_request_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint idempotent_request_pkey PRIMARY KEY (party_id, key)

table installed_certificate
    -- What stations said they have installed, when last asked.
    station_id text not null
    usage text not null
    hash_algorithm text not null
    issuer_name_hash text not null
    issuer_key_hash text not null
    serial_number text not null
    seen_at timestamp with time zone not null
    constraint installed_certificate_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id) ON DELETE CASCADE
    constraint installed_certificate_pkey PRIMARY KEY (station_id, usage, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number)

table location
    location_id uuid not null
    party_id uuid not null
    name text not null
    address text not null default ''::text
    city text not null default ''::text
    postal_code text not null default ''::text
    country text not null default ''::text
    latitude double precision
    longitude double precision
    time_zone text not null default 'UTC'::text
    version integer not null default 1
    created_at timestamp with time zone not null default now()
    updated_at timestamp with time zone not null default now()
    constraint location_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision)))
    constraint location_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision)))
    constraint location_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint location_pkey PRIMARY KEY (location_id)
    CREATE INDEX location_by_party ON public.location USING btree (party_id, name)

table loose_sample
    -- Meter values outside any session (clock-aligned readings of a free connector, the main meter).
    station_id text not null
    evse_number integer not null
    sampled_at timestamp with time zone not null
    context text not null
    energy_wh numeric
    power_w numeric
    soc_percent numeric
    readings jsonb not null
    received_at timestamp with time zone not null default now()
    constraint loose_sample_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id) ON DELETE CASCADE
    constraint loose_sample_pkey PRIMARY KEY (station_id, evse_number, sampled_at, context)

table ocpp_message partition by RANGE (received_at)
    station_id text not null
    received_at timestamp with time zone not null  -- When the request was read (in) or written (out).
    message_id text not null
    direction text not null  -- in: the station asked; out: we asked.
    version text not null
    action text not null
    payload text
    answer_kind text
    answer text
    error_code text
    latency_us integer  -- in: from reading the request to its answer being decided, before the commit both wait for; out: from writing the request to reading its answer.
    constraint ocpp_message_answer_kind_check CHECK ((answer_kind = ANY (ARRAY['result'::text, 'error'::text, 'none'::text])))
    constraint ocpp_message_direction_check CHECK ((direction = ANY (ARRAY['in'::text, 'out'::text])))
    CREATE INDEX ocpp_message_by_station ON ONLY public.ocpp_message USING btree (station_id, received_at DESC)
    CREATE INDEX ocpp_message_by_time ON ONLY public.ocpp_message USING brin (received_at)

table operator
    operator_id uuid not null
    party_id uuid not null
    name text not null
    email text
    role text not null default 'owner'::text
    created_at timestamp with time zone not null default now()
    disabled_at timestamp with time zone
    constraint operator_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'operations'::text, 'technician'::text, 'finance'::text, 'support'::text, 'read_only'::text])))
    constraint operator_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint operator_pkey PRIMARY KEY (operator_id)
    CREATE UNIQUE INDEX operator_email ON public.operator USING btree (lower(email)) WHERE (email IS NOT NULL)

table outbox
    -- Facts that others act on afterwards. Written in the transaction that made them true.
    event_id bigint not null generated as identity
    xid xid8 not null default pg_current_xact_id()
    at timestamp with time zone not null default clock_timestamp()
    party_id uuid
    kind text not null
    subject text not null
    payload jsonb not null
    constraint outbox_pkey PRIMARY KEY (event_id)
    CREATE INDEX outbox_by_subject ON public.outbox USING btree (subject, event_id)
    CREATE INDEX outbox_by_xid ON public.outbox USING btree (xid, event_id)

table outbox_cursor
    consumer text not null
    window_from xid8 not null
    window_to xid8 not null
    done_event_id bigint not null default 0
    failures integer not null default 0
    last_error text
    updated_at timestamp with time zone not null default now()
    constraint outbox_cursor_pkey PRIMARY KEY (consumer)

table partitioned_table
    -- Tables split by time: partitions are made ahead and dropped by retention.
    table_name text not null
    step text not null
    time_column text not null
    constraint partitioned_table_step_check CHECK ((step = ANY (ARRAY['day'::text, 'month'::text])))
    constraint partitioned_table_pkey PRIMARY KEY (table_name)

table party
    party_id uuid not null
    name text not null
    country_code text not null default 'XX'::text
    party_code text not null default 'OHM'::text
    currency text not null default 'EUR'::text
    time_zone text not null default 'UTC'::text
    created_at timestamp with time zone not null default now()
    constraint party_pkey PRIMARY KEY (party_id)
    constraint party_country_code_party_code_key UNIQUE (country_code, party_code)

table profile_upgrade
    profile_upgrade_id uuid not null
    party_id uuid not null
    station_id text not null
    from_profile smallint not null
    to_profile smallint not null
    url text
    slot integer not null
    status text not null  -- certificate: the station is getting one first; expected: it was told, and is to come back with the new profile.
    reason text
    requested_by text not null
    started_at timestamp with time zone not null default now()
    finished_at timestamp with time zone
    constraint profile_upgrade_status_check CHECK ((status = ANY (ARRAY['started'::text, 'certificate'::text, 'expected'::text, 'done'::text, 'failed'::text])))
    constraint profile_upgrade_to_profile_check CHECK (((to_profile >= 2) AND (to_profile <= 3)))
    constraint profile_upgrade_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint profile_upgrade_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id)
    constraint profile_upgrade_pkey PRIMARY KEY (profile_upgrade_id)
    CREATE INDEX profile_upgrade_by_station ON public.profile_upgrade USING btree (station_id, started_at DESC)
    CREATE UNIQUE INDEX profile_upgrade_open ON public.profile_upgrade USING btree (station_id) WHERE (finished_at IS NULL)

table sample partition by RANGE (sampled_at)
    -- One row per meter value: the totals people chart as columns, every reading by measurand/phase/location with value and unit in readings.
    session_id uuid not null
    sampled_at timestamp with time zone not null
    context text not null
    energy_wh numeric
    power_w numeric
    soc_percent numeric
    readings jsonb not null
    received_at timestamp with time zone not null default now()
    constraint sample_pkey PRIMARY KEY (session_id, sampled_at, context)

table schema_migration
    number integer not null
    name text not null
    digest bytea not null
    applied_at timestamp with time zone not null default now()
    constraint schema_migration_pkey PRIMARY KEY (number)

table security_signal
    -- Refused connections, foreign transactions, security events of stations: what detections will read.
    signal_id bigint not null generated as identity
    at timestamp with time zone not null default now()
    party_id uuid
    station_id text
    remote_address text
    kind text not null
    detail jsonb not null default '{}'::jsonb
    constraint security_signal_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint security_signal_pkey PRIMARY KEY (signal_id)
    CREATE INDEX security_signal_by_station ON public.security_signal USING btree (station_id, at DESC)
    CREATE INDEX security_signal_by_time ON public.security_signal USING btree (at DESC)

table session with (fillfactor=70)
    session_id uuid not null
    party_id uuid not null
    station_id text not null
    location_id uuid
    evse_number integer
    connector_number integer
    transaction_id text not null  -- What the station calls it; unique per station, never looked up without the station.
    run smallint not null default 0  -- Counts reuses of a transaction id by one station (some restart their counters after a reset).
    start_key text  -- OCPP 1.6: connector, token, timestamp and meterStart of the start; a repeated start finds its session by it.
    ocpp_version text not null
    status text not null
    charging_state text
    token_uid text
    token_key text generated as (lower(token_uid))
    token_type text
    token_id uuid
    group_uid text
    authorization_status text
    is_offline boolean not null default false
    is_orphan boolean not null default false
    remote_start_id integer
    reservation_id integer
    started_at timestamp with time zone not null
    ended_at timestamp with time zone
    last_event_at timestamp with time zone not null
    first_received_at timestamp with time zone not null
    updated_at timestamp with time zone not null
    stop_reason text
    stop_token_uid text
    energy_wh numeric not null default 0
    energy_before_wh numeric not null default 0  -- Energy counted before the register was last reset.
    energy_source text not null default 'none'::text
    register_before_wh numeric  -- The connector's register at the end of the session before: a start that contradicts it is corrected.
    is_start_exact boolean not null default false  -- The start register came as the transaction's own first reading (meterStart, Transaction.Begin).
    is_end_exact boolean not null default false  -- The last register came as the transaction's own final reading (meterStop, Transaction.End).
    register_start_wh numeric
    register_start_at timestamp with time zone
    register_last_wh numeric
    register_last_at timestamp with time zone
    power_w numeric
    power_at timestamp with time zone
    peak_power_w numeric
    soc_start_percent numeric
    soc_percent numeric
    soc_at timestamp with time zone
    n_samples integer not null default 0
    charging_s integer
    idle_s integer
    seen_seq_nos integer[] not null default '{}'::integer[]  -- OCPP 2.x sequence numbers seen, as inclusive ranges [lo, hi, lo, hi, …].
    end_seq_no integer
    anomalies text[] not null default '{}'::text[]
    needs_refold boolean not null default false  -- Something arrived out of order or implausible: the total is computed anew from all samples when the session settles.
    settled_at timestamp with time zone
    constraint session_charging_state_check CHECK ((charging_state = ANY (ARRAY['connected'::text, 'charging'::text, 'suspended_ev'::text, 'suspended_evse'::text, 'idle'::text])))
    constraint session_energy_source_check CHECK ((energy_source = ANY (ARRAY['none'::text, 'register'::text, 'interval'::text, 'power'::text])))
    constraint session_energy_wh_check CHECK ((energy_wh >= (0)::numeric))
    constraint session_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'active'::text, 'closing'::text, 'completed'::text, 'invalid'::text])))
    constraint session_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint session_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id)
    constraint session_pkey PRIMARY KEY (session_id)
    constraint session_station_id_transaction_id_run_key UNIQUE (station_id, transaction_id, run)
    CREATE INDEX session_by_location ON public.session USING btree (location_id, started_at DESC)
    CREATE INDEX session_by_party ON public.session USING btree (party_id, started_at DESC, session_id)
    CREATE UNIQUE INDEX session_by_start_key ON public.session USING btree (station_id, start_key) WHERE (start_key IS NOT NULL)
    CREATE INDEX session_by_station ON public.session USING btree (station_id, started_at DESC)
    CREATE INDEX session_by_token ON public.session USING btree (party_id, token_key, started_at DESC) WHERE (token_uid IS NOT NULL)
    CREATE INDEX session_open ON public.session USING btree (station_id, evse_number) WHERE (status = ANY (ARRAY['pending'::text, 'active'::text, 'closing'::text]))
    CREATE INDEX session_open_by_token ON public.session USING btree (party_id, token_key) WHERE (status = ANY (ARRAY['pending'::text, 'active'::text]))

table session_event
    -- What happened in a session, as the station timed it: started, authorized, state changes, stopped.
    session_id uuid not null
    at timestamp with time zone not null
    kind text not null
    detail jsonb not null default '{}'::jsonb
    received_at timestamp with time zone not null default now()
    constraint session_event_pkey PRIMARY KEY (session_id, at, kind)

table sign_in_link
    link_hash bytea not null
    operator_id uuid not null
    created_at timestamp with time zone not null default now()
    expires_at timestamp with time zone not null
    used_at timestamp with time zone
    constraint sign_in_link_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES operator(operator_id) ON DELETE CASCADE
    constraint sign_in_link_pkey PRIMARY KEY (link_hash)

table signed_reading
    session_id uuid not null
    sampled_at timestamp with time zone not null
    context text not null
    measurand text not null
    digest bytea not null
    encoding text
    signing_method text
    public_key text
    data bytea not null  -- The signed text, byte for byte as the station sent it: re-serialised it would no longer verify.
    received_at timestamp with time zone not null default now()
    constraint signed_reading_pkey PRIMARY KEY (session_id, sampled_at, digest)

table signing_request
    signing_request_id uuid not null
    party_id uuid not null
    station_id text not null
    kind text not null
    csr_pem text not null
    key_hash text
    request_number bigint  -- OCPP 2.1 requestId, to be echoed with the certificate.
    status text not null
    reason text
    certificate_id uuid
    command_id uuid
    tries integer not null default 0
    requested_at timestamp with time zone not null
    finished_at timestamp with time zone
    constraint signing_request_kind_check CHECK ((kind = ANY (ARRAY['station'::text, 'v2g'::text])))
    constraint signing_request_status_check CHECK ((status = ANY (ARRAY['accepted'::text, 'refused'::text, 'signed'::text, 'delivered'::text, 'rejected'::text, 'failed'::text])))
    constraint signing_request_certificate_id_fkey FOREIGN KEY (certificate_id) REFERENCES certificate(certificate_id)
    constraint signing_request_command_id_fkey FOREIGN KEY (command_id) REFERENCES command(command_id)
    constraint signing_request_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint signing_request_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id)
    constraint signing_request_pkey PRIMARY KEY (signing_request_id)
    CREATE INDEX signing_request_by_station ON public.signing_request USING btree (station_id, requested_at DESC)
    CREATE INDEX signing_request_open ON public.signing_request USING btree (requested_at) WHERE (status = ANY (ARRAY['accepted'::text, 'signed'::text]))

table station with (fillfactor=80)
    station_id text not null  -- The OCPP identity: the last part of the URL the station connects to.
    party_id uuid not null
    location_id uuid
    name text not null default ''::text
    registration text not null default 'accepted'::text
    security_profile smallint not null default 1
    secret_hash text  -- Never the secret itself: a keyed hash of a generated one, argon2id of a chosen one.
    certificate_name text  -- Security profile 3: the common name or serial number the client certificate must carry; the identity itself when null.
    is_lab boolean not null default false
    vendor text
    model text
    serial_number text
    firmware_version text
    iccid text
    imsi text
    meter_type text
    meter_serial_number text
    ocpp_version text
    heartbeat_interval_s integer
    max_power_w integer
    status text  -- Of the device itself, where it tells one (1.6 connector 0).
    status_at timestamp with time zone
    error_code text
    info text
    boot_reason text
    booted_at timestamp with time zone
    gateway_id uuid
    connection_id uuid  -- The connection that holds the station now; a late close of an older one changes nothing.
    connected_at timestamp with time zone
    disconnected_at timestamp with time zone
    last_seen_at timestamp with time zone
    remote_address text
    version integer not null default 1
    created_at timestamp with time zone not null default now()
    updated_at timestamp with time zone not null default now()
    retired_at timestamp with time zone
    next_security_profile smallint  -- While it is being raised: admitted under this profile too; the first such connection makes it the profile.
    constraint station_next_security_profile_check CHECK (((next_security_profile >= 1) AND (next_security_profile <= 3)))
    constraint station_registration_check CHECK ((registration = ANY (ARRAY['accepted'::text, 'pending'::text, 'rejected'::text])))
    constraint station_security_profile_check CHECK (((security_profile >= 0) AND (security_profile <= 3)))
    constraint station_station_id_check CHECK (((length(station_id) >= 1) AND (length(station_id) <= 48)))
    constraint station_location_id_fkey FOREIGN KEY (location_id) REFERENCES location(location_id)
    constraint station_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint station_pkey PRIMARY KEY (station_id)
    CREATE INDEX station_by_gateway ON public.station USING btree (gateway_id) WHERE (gateway_id IS NOT NULL)
    CREATE UNIQUE INDEX station_by_identity ON public.station USING btree (lower(station_id))
    CREATE INDEX station_by_location ON public.station USING btree (location_id)
    CREATE INDEX station_by_party ON public.station USING btree (party_id, station_id)

table station_record
    -- What stations report beyond status and sessions, kept whole. digest covers action, message id and payload: a repeat is kept once.
    record_id bigint not null generated as identity
    station_id text not null
    received_at timestamp with time zone not null default now()
    kind text not null
    digest bytea not null
    payload jsonb not null
    constraint station_record_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id) ON DELETE CASCADE
    constraint station_record_pkey PRIMARY KEY (record_id)
    constraint station_record_station_id_digest_key UNIQUE (station_id, digest)
    CREATE INDEX station_record_by_kind ON public.station_record USING btree (station_id, kind, record_id DESC)

table station_variable
    -- Configuration as last reported: 1.6 keys under component '', 2.x variables under Component[instance]@evse.connector.
    station_id text not null
    component text not null default ''::text
    variable text not null
    attribute text not null default 'Actual'::text
    value text
    is_read_only boolean
    data_type text
    unit text
    updated_at timestamp with time zone not null default now()
    constraint station_variable_station_id_fkey FOREIGN KEY (station_id) REFERENCES station(station_id) ON DELETE CASCADE
    constraint station_variable_pkey PRIMARY KEY (station_id, component, variable, attribute)

table status_change partition by RANGE (at)
    -- Every change as the station timed it; EVSE 0 is the station itself. Intervals are read between two rows.
    station_id text not null
    evse_number integer not null
    connector_number integer not null
    at timestamp with time zone not null
    status text not null
    error_code text
    info text
    vendor_id text
    vendor_error_code text
    received_at timestamp with time zone not null default now()
    constraint status_change_pkey PRIMARY KEY (station_id, evse_number, connector_number, at, status)
    CREATE INDEX status_change_by_time ON ONLY public.status_change USING btree (station_id, at)

table token
    token_id uuid not null
    party_id uuid not null
    uid text not null  -- As the reader sends it; compared without regard to case, since readers disagree about it.
    uid_key text not null generated as (lower(uid))
    type text not null default 'ISO14443'::text
    status text not null default 'active'::text
    group_uid text
    is_master boolean not null default false  -- Belongs to the master pass group: may stop every session (OCPP 2.x C16).
    contract_id text
    label text not null default ''::text
    valid_from timestamp with time zone
    valid_until timestamp with time zone
    location_ids uuid[]
    weekdays smallint not null default 127  -- Bit 0 is Monday; the token is good on days whose bit is set, in the location's time zone.
    from_minute smallint
    until_minute smallint
    max_sessions smallint default 1  -- How many sessions at once; null for any number.
    version integer not null default 1
    created_at timestamp with time zone not null default now()
    updated_at timestamp with time zone not null default now()
    constraint token_from_minute_check CHECK (((from_minute >= 0) AND (from_minute <= 1439)))
    constraint token_max_sessions_check CHECK ((max_sessions > 0))
    constraint token_status_check CHECK ((status = ANY (ARRAY['active'::text, 'blocked'::text])))
    constraint token_type_check CHECK ((type = ANY (ARRAY['ISO14443'::text, 'ISO15693'::text, 'eMAID'::text, 'EVCCID'::text, 'VIN'::text, 'KeyCode'::text, 'MacAddress'::text, 'Central'::text, 'DirectPayment'::text, 'NoAuthorization'::text, 'Local'::text])))
    constraint token_uid_check CHECK (((length(uid) >= 1) AND (length(uid) <= 255)))
    constraint token_until_minute_check CHECK (((until_minute >= 1) AND (until_minute <= 1440)))
    constraint token_weekdays_check CHECK (((weekdays >= 0) AND (weekdays <= 127)))
    constraint token_party_id_fkey FOREIGN KEY (party_id) REFERENCES party(party_id)
    constraint token_pkey PRIMARY KEY (token_id)
    constraint token_party_id_uid_key_key UNIQUE (party_id, uid_key)
    CREATE INDEX token_by_group ON public.token USING btree (party_id, group_uid) WHERE (group_uid IS NOT NULL)

table web_session
    cookie_hash bytea not null
    operator_id uuid not null
    csrf_token text not null
    created_at timestamp with time zone not null default now()
    last_seen_at timestamp with time zone not null default now()
    expires_at timestamp with time zone not null
    remote_address text
    user_agent text
    constraint web_session_operator_id_fkey FOREIGN KEY (operator_id) REFERENCES operator(operator_id) ON DELETE CASCADE
    constraint web_session_pkey PRIMARY KEY (cookie_hash)
    CREATE INDEX web_session_by_operator ON public.web_session USING btree (operator_id)

CREATE OR REPLACE FUNCTION public.drop_partitions(p_table text, p_before timestamp with time zone)
 RETURNS SETOF text
 LANGUAGE plpgsql
AS $function$
declare
    part record;
    hi   timestamptz;
begin
    for part in
        select c.relname, pg_get_expr(c.relpartbound, c.oid) as bound
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = p_table::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
    loop
        hi := (regexp_match(part.bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz;
        if hi <= p_before then
            execute format('drop table %I', part.relname);
            return next part.relname;
        end if;
    end loop;
end $function$

CREATE OR REPLACE FUNCTION public.ensure_partition(p_table text, p_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
declare
    spec  partitioned_table;
    lo    timestamptz;
    hi    timestamptz;
    part  text;
begin
    select * into strict spec from partitioned_table where table_name = p_table;
    lo := date_trunc(spec.step, p_at at time zone 'UTC') at time zone 'UTC';
    hi := ((lo at time zone 'UTC') + case spec.step when 'day' then interval '1 day' else interval '1 month' end) at time zone 'UTC';
    part := p_table || to_char(lo at time zone 'UTC', case spec.step when 'day' then '"_p"YYYYMMDD' else '"_p"YYYYMM' end);
    if to_regclass(part) is not null then
        return false;
    end if;
    execute format('create table %I (like %I including defaults including constraints)', part, p_table);
    execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
                   p_table || '_default', spec.time_column, lo, spec.time_column, hi, part);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', p_table, part, lo, hi);
    return true;
end $function$

CREATE OR REPLACE FUNCTION public.raise_stale()
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
begin
    raise exception 'a row was changed by somebody else since it was read' using errcode = 'OHS01';
end $function$
