-- What `sqlite3 state.db .dump` says of a file of version 1, as acctpool wrote it: three leases, one
-- of which was never claimed, a reservation that waits, and one that was given up. Only the leases'
-- expiration was moved, to where no test will meet it. The master key was
-- `0123456789abcdef0123456789abcdef`.
PRAGMA application_id = 0x61636374;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE accounts (
        id          TEXT PRIMARY KEY,
        type        TEXT NOT NULL,
        state       TEXT NOT NULL,     -- dirty, cleaning, ready, leased, quarantined, drained
        since       TEXT NOT NULL,     -- when it came into that state
        fence       INTEGER NOT NULL,
        epoch       INTEGER NOT NULL,  -- of the management key in use; 0 is the configured one
        record      TEXT NOT NULL,
        digest      INTEGER NOT NULL   -- of the record: its SHA-256's first 8 bytes
    ) STRICT, WITHOUT ROWID;
INSERT INTO "accounts" VALUES('45eac2e13ac8f7e58da6ede881d42358','lite','leased','2026-11-23T07:41:58.783291275Z',10,0,'{"id":"45eac2e13ac8f7e58da6ede881d42358","account_type":"lite","fence":10,"state":{"state":"leased","reservation":"2f7d4849-e2ce-4611-b2d9-90694bcd7ec0"},"since":"2026-11-23T07:41:58.783291275Z","keys":{"current":0,"pending":null,"previous":null,"newest":0},"credential":{"fence":6,"service_id":"ServiceId-e78ad1c1-e340-41fe-b87b-40665f93bbe9","key_id":"ApiKey-c1e29f06-d3a7-4734-8286-8ef395f4aca0","policy_ids":["58eb7622-7c17-4585-b246-2480c7da4574","6693eedf-5800-4c88-b809-e4880409340c"],"expires_at":"2026-11-30T20:42:00Z"},"unrevoked":true,"verify_at":"2026-11-23T13:41:53.67533669Z","remint_at":"2026-11-30T07:42:00Z","rotate_at":"2026-12-23T07:41:53.661705594Z","timeouts":0,"draining":false}',8216261890471881847);
INSERT INTO "accounts" VALUES('a9d03bab89c5f2d477b913f729b912db','lite','leased','2026-11-23T07:41:58.773160399Z',9,0,'{"id":"a9d03bab89c5f2d477b913f729b912db","account_type":"lite","fence":9,"state":{"state":"leased","reservation":"ca47e6c9-d5dd-4755-9b38-ce7d01eba17c"},"since":"2026-11-23T07:41:58.773160399Z","keys":{"current":0,"pending":null,"previous":null,"newest":0},"credential":{"fence":6,"service_id":"ServiceId-e974939f-cb1f-486b-af91-3ee209257ece","key_id":"ApiKey-60620763-63d6-4fbf-8b36-15711ff11a00","policy_ids":["7cf5cf77-1545-4bc1-bfd6-d9a754aa5b94","f33dae22-244a-4a08-bf64-703cf62e1068"],"expires_at":"2026-11-30T20:42:00Z"},"unrevoked":true,"verify_at":"2026-11-23T13:41:53.673310147Z","remint_at":"2026-11-30T07:42:00Z","rotate_at":"2026-12-23T07:41:53.661705594Z","timeouts":0,"draining":false}',-5821117974885546150);
INSERT INTO "accounts" VALUES('cf5f108a65ac81923f9a7ca2a39c9f48','lite','leased','2026-11-23T07:41:58.734107763Z',9,0,'{"id":"cf5f108a65ac81923f9a7ca2a39c9f48","account_type":"lite","fence":9,"state":{"state":"leased","reservation":"bd49ac4f-38a2-4e80-bb80-366aeea952a1"},"since":"2026-11-23T07:41:58.734107763Z","keys":{"current":0,"pending":null,"previous":null,"newest":0},"credential":{"fence":6,"service_id":"ServiceId-747672ec-aaa8-45f0-8573-fcb2bed56c85","key_id":"ApiKey-caa9af5f-0786-4320-b2ff-3d7ebd932277","policy_ids":["022746e7-7212-4a0e-a75d-7c441ff9be2c","03ceef3d-2bed-4653-b7ad-54ee96ed6c80"],"expires_at":"2026-11-30T20:42:00Z"},"unrevoked":true,"verify_at":"2026-11-23T13:41:53.673641972Z","remint_at":"2026-11-30T07:42:00Z","rotate_at":"2026-12-23T07:41:53.661705594Z","timeouts":0,"draining":false}',7323698284492225186);
CREATE TABLE reservations (
        sequence    INTEGER PRIMARY KEY,
        id          TEXT NOT NULL,
        token       TEXT NOT NULL,     -- the consumer's name, never the token
        type        TEXT NOT NULL,
        state       TEXT NOT NULL,     -- pending, active, ended
        created_at  TEXT NOT NULL,
        account     TEXT,              -- while active
        expiration  TEXT,              -- while active
        end_reason  TEXT,              -- when ended
        record      TEXT NOT NULL,
        digest      INTEGER NOT NULL   -- as above
    ) STRICT;
INSERT INTO "reservations" VALUES(4,'bd49ac4f-38a2-4e80-bb80-366aeea952a1','ci','lite','active','2026-11-23T07:41:58.734107763Z','cf5f108a65ac81923f9a7ca2a39c9f48','2999-11-23T08:36:58Z',NULL,'{"id":"bd49ac4f-38a2-4e80-bb80-366aeea952a1","sequence":4,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T07:41:58.734107763Z","state":{"state":"active","account":"cf5f108a65ac81923f9a7ca2a39c9f48","granted_at":"2026-11-23T07:41:58.734107763Z","expiration":"2999-11-23T08:36:58Z","claimed":true}}',-4407860326101595793);
INSERT INTO "reservations" VALUES(5,'542b45d7-b1d5-45da-aa5b-f0ba10828118','ci','lite','ended','2026-11-23T07:41:58.753447397Z',NULL,NULL,'cancelled','{"id":"542b45d7-b1d5-45da-aa5b-f0ba10828118","sequence":5,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T07:41:58.753447397Z","state":{"state":"ended","reason":"cancelled","ended_at":"2026-11-23T07:41:58.763892035Z"}}',-3285057901719764303);
INSERT INTO "reservations" VALUES(7,'ca47e6c9-d5dd-4755-9b38-ce7d01eba17c','ci','lite','active','2026-11-23T07:41:58.773160399Z','a9d03bab89c5f2d477b913f729b912db','2999-11-23T08:36:58Z',NULL,'{"id":"ca47e6c9-d5dd-4755-9b38-ce7d01eba17c","sequence":7,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T07:41:58.773160399Z","state":{"state":"active","account":"a9d03bab89c5f2d477b913f729b912db","granted_at":"2026-11-23T07:41:58.773160399Z","expiration":"2999-11-23T08:36:58Z","claimed":true}}',-1007742324468845118);
INSERT INTO "reservations" VALUES(8,'2f7d4849-e2ce-4611-b2d9-90694bcd7ec0','ci','lite','active','2026-11-23T07:41:58.783291275Z','45eac2e13ac8f7e58da6ede881d42358','2999-11-23T08:36:58Z',NULL,'{"id":"2f7d4849-e2ce-4611-b2d9-90694bcd7ec0","sequence":8,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T07:41:58.783291275Z","state":{"state":"active","account":"45eac2e13ac8f7e58da6ede881d42358","granted_at":"2026-11-23T07:41:58.783291275Z","expiration":"2999-11-23T08:36:58Z","claimed":false}}',6760872037156749231);
INSERT INTO "reservations" VALUES(9,'fa69a312-8a23-4bf2-afa4-ddb71d8179d8','ci','lite','pending','2026-11-23T07:41:58.792112571Z',NULL,NULL,NULL,'{"id":"fa69a312-8a23-4bf2-afa4-ddb71d8179d8","sequence":9,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T07:41:58.792112571Z","state":{"state":"pending"}}',6064695918657203086);
CREATE TABLE store (
        id              TEXT NOT NULL,
        created_at      TEXT NOT NULL,
        key_fingerprint TEXT
    ) STRICT;
INSERT INTO "store" VALUES('cb432893-cd01-406f-9ec6-f12d830f622e','2026-11-23T07:41:53.658718809Z','hbWYlt0q9yluvorW_nQ3tv1gsdPpSUR62Bs73vzW054');
COMMIT;
