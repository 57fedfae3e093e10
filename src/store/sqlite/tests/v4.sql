-- What `sqlite3 state.db .dump` says of a file of version 4, as acctpool wrote it when it went on with that
-- of version 3 beside this one: a lease, two accounts whose cleanings have begun again, with receipts, and
-- two reservations that wait, one of them for two accounts.
PRAGMA application_id = 0x61636374;
PRAGMA user_version = 4;
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
INSERT INTO accounts VALUES('1fb7f9fbc2ee4d997036b22dd6cfc9ed','lite','leased','2026-11-23T11:26:48.368096612Z',12,0,'{"id":"1fb7f9fbc2ee4d997036b22dd6cfc9ed","account_type":"lite","fence":12,"state":{"state":"leased","reservation":"3f20d8c4-d909-4c61-b000-c9a3a02854de"},"since":"2026-11-23T11:26:48.368096612Z","keys":{"current":0,"current_generation":0,"pending":null,"pending_generation":0,"previous":null,"previous_generation":0,"newest":0,"verified":true},"credential":{"generation":0,"fence":9,"service_id":"ServiceId-1bd6305e-640b-476e-85a0-ef8a09bba9d1","key_id":"ApiKey-acab95d5-9492-4ec3-ade9-45d44dfd7928","policy_ids":["7737ce4d-1e8f-425c-a48f-8ee8fe7b9b3a","2d8d2de8-fd95-4da5-ba26-9d18518813c0"],"expires_at":"2026-12-01T00:27:00Z"},"unrevoked":true,"verify_at":"2026-11-23T17:26:43.377908264Z","remint_at":"2026-11-30T11:27:00Z","rotate_at":"2026-12-23T11:26:19.117122949Z","timeouts":0,"draining":false}',-6467453949975830514);
INSERT INTO accounts VALUES('a83a8ecb1a69d79f326be64862949d95','lite','cleaning','2026-11-23T17:38:46.262260512Z',16,0,'{"id":"a83a8ecb1a69d79f326be64862949d95","account_type":"lite","fence":16,"state":{"state":"cleaning","purpose":"full","phase":"revoke","step":{"running":"2026-11-23T17:53:46.262260512Z"},"deadline":"2026-11-23T19:38:46.262260512Z","settling_since":null,"faults":0,"stuck_passes":0,"failed_proofs":0,"remaining":[],"receipt":16,"passes":0,"there_since":"2026-11-23T17:38:46.262260512Z"},"since":"2026-11-23T17:38:46.262260512Z","keys":{"current":0,"current_generation":0,"pending":null,"pending_generation":0,"previous":null,"previous_generation":0,"newest":0,"verified":true},"credential":null,"unrevoked":false,"verify_at":"2026-11-23T17:26:49.626247649Z","remint_at":"2026-11-30T11:27:00Z","rotate_at":"2026-12-23T11:26:19.117122949Z","timeouts":0,"draining":false}',-5816387488900088774);
INSERT INTO accounts VALUES('e24c8a278b4f54cb66909b8daba69669','lite','cleaning','2026-11-23T17:38:46.262260512Z',17,0,'{"id":"e24c8a278b4f54cb66909b8daba69669","account_type":"lite","fence":17,"state":{"state":"cleaning","purpose":"full","phase":"revoke","step":{"running":"2026-11-23T17:53:46.262260512Z"},"deadline":"2026-11-23T19:38:46.262260512Z","settling_since":null,"faults":0,"stuck_passes":0,"failed_proofs":0,"remaining":[],"receipt":17,"passes":0,"there_since":"2026-11-23T17:38:46.262260512Z"},"since":"2026-11-23T17:38:46.262260512Z","keys":{"current":0,"current_generation":0,"pending":null,"pending_generation":0,"previous":null,"previous_generation":0,"newest":0,"verified":true},"credential":null,"unrevoked":false,"verify_at":"2026-11-23T17:26:52.592735436Z","remint_at":"2026-11-23T11:26:49.423834442Z","rotate_at":"2026-12-23T11:26:19.117122949Z","timeouts":0,"draining":false}',6798250220709072514);
CREATE TABLE audit (
        number      INTEGER PRIMARY KEY,
        at          TEXT NOT NULL,
        event       TEXT NOT NULL,
        consumer    TEXT,              -- the name of a token, never the token
        account     TEXT,
        reservation TEXT,
        details     TEXT NOT NULL,     -- a JSON object
        hash        TEXT NOT NULL      -- in hexadecimal digits
    ) STRICT;
INSERT INTO audit VALUES(1,'2026-11-23T11:26:19.056494272Z','store_created',NULL,NULL,NULL,'{"store":"8d6eb0fe-af0a-4e5a-8306-c72bb474662e"}','d686742965d8e1604539d80f53f667ce47b5770e9e96a9a91e96aef13fac3b61');
INSERT INTO audit VALUES(2,'2026-11-23T11:26:19.168640557Z','cleaning_started',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{"purpose":"full"}','28f6bfb35d2e31f566b1a807ffbf85e520337bf405d1d6bd5ca3918e9e1576ee');
INSERT INTO audit VALUES(3,'2026-11-23T11:26:19.168640557Z','cleaning_started',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{"purpose":"full"}','504ead35fee8cf5501c3180a4534992fdae1e01399491e801a20441bb7f26d41');
INSERT INTO audit VALUES(4,'2026-11-23T11:26:19.168640557Z','cleaning_started',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{"purpose":"full"}','f972d6571550aa88897a35570e89f98445f0b280b1cc261fa2ac062074080342');
INSERT INTO audit VALUES(5,'2026-11-23T11:26:19.168640557Z','master_key_introduced',NULL,NULL,NULL,'{"number":0}','ecadd60a3b84ab685607a53753261daf2dcc061c018b3e16a4f030998ec0ff51');
INSERT INTO audit VALUES(6,'2026-11-23T11:26:19.181120916Z','credential_revoked',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{}','6d49efc7c543008d9d470a2c2f521e04784ce2c77162411187519f3853e531b2');
INSERT INTO audit VALUES(7,'2026-11-23T11:26:19.183015712Z','credential_revoked',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{}','837403c604e9731e0d2d4befd08819fb86404bb557e7ac22b8c9d3a188dc715f');
INSERT INTO audit VALUES(8,'2026-11-23T11:26:19.183057274Z','credential_revoked',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{}','c298fbb31cb51de8874fa6f6b7c4900839814ff0fe01571eca56443a466f41ca');
INSERT INTO audit VALUES(9,'2026-11-23T11:26:43.332550903Z','cleaning_started',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{"purpose":"full"}','81ba3495c16bc55f90d28511a1e3b1159cc2331b335bde970dd64da905022952');
INSERT INTO audit VALUES(10,'2026-11-23T11:26:43.332550903Z','cleaning_started',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{"purpose":"full"}','1a8f68f37d613afd9fad4f02e4fa1fe106b00b36bdcb37111c747808397aa0ac');
INSERT INTO audit VALUES(11,'2026-11-23T11:26:43.332550903Z','cleaning_started',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{"purpose":"full"}','085c1c0d223720687b23da8d4de3773fbb1c62480384e485fa655601819541b6');
INSERT INTO audit VALUES(12,'2026-11-23T11:26:43.358261Z','credential_revoked',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{}','3758fe9f987fd3a4507da42a2ec19d929f4f5c77c17ce6c32d2b07703e2c8015');
INSERT INTO audit VALUES(13,'2026-11-23T11:26:43.358937679Z','credential_revoked',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{}','5051d720c1989538b9b8ce601ba9803932de98906abebfc4707b4204d98e6507');
INSERT INTO audit VALUES(14,'2026-11-23T11:26:43.359123026Z','credential_revoked',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{}','ae64db8f23edc9a2aad5a7c345ed44dc155ae2ac71ee0fb62364e6981b7ab4ee');
INSERT INTO audit VALUES(15,'2026-11-23T11:26:46.402392457Z','account_proven',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{}','b9f873f6b84e174895d71bf524f4f189dcff82058ef33aa0f847e15bca3012a0');
INSERT INTO audit VALUES(16,'2026-11-23T11:26:46.412777336Z','credential_minted',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{"fence":9}','1c549cfd320fda65ee92ddaefbe8bc8e45242d8043e62e6f933aa424b0f8b125');
INSERT INTO audit VALUES(17,'2026-11-23T11:26:46.416468341Z','account_proven',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{}','c3728a4334ce97dd8f110ddd8b6b6f96337ca2045244bb88355687e65f45e841');
INSERT INTO audit VALUES(18,'2026-11-23T11:26:46.416803561Z','account_proven',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{}','a8fa60221162257bd39b3f3e3d17c011bbd3c0720ce2aa752549ab955525605a');
INSERT INTO audit VALUES(19,'2026-11-23T11:26:46.421592223Z','credential_minted',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{"fence":9}','2f03f4e64636b2f192aa5575b5fdf0954ba7282db43e6383beea0d0e340e4f29');
INSERT INTO audit VALUES(20,'2026-11-23T11:26:46.421656759Z','credential_minted',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{"fence":9}','78e5327a7ee81d175ca07b401cfd08e8401300cdb90963d95fd99399da4b2dbe');
INSERT INTO audit VALUES(21,'2026-11-23T11:26:47.40548658Z','account_ready',NULL,'1fb7f9fbc2ee4d997036b22dd6cfc9ed',NULL,'{}','ff440438022dbbe0bb5058ac6680b9a6c9636c8eb0e0ca5dc151e028af285b34');
INSERT INTO audit VALUES(22,'2026-11-23T11:26:47.405831054Z','account_ready',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{}','aa8277e81d0f77afbe0d6489c42c6c2331e74ab4ef94bc22ad87277a0ab8822c');
INSERT INTO audit VALUES(23,'2026-11-23T11:26:47.405892385Z','account_ready',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{}','ba72639067a430e64ff1549cf3b50fe7e9a02400c0742a825983ab95f10422d3');
INSERT INTO audit VALUES(24,'2026-11-23T11:26:48.368096612Z','reservation_requested','demo',NULL,'3f20d8c4-d909-4c61-b000-c9a3a02854de','{"type":"lite"}','71d3d8aa313aa7e0ee60c45adb8c437bc2be39a3f141337afc2f037aa69c3534');
INSERT INTO audit VALUES(25,'2026-11-23T11:26:48.368096612Z','reservation_granted','demo','1fb7f9fbc2ee4d997036b22dd6cfc9ed','3f20d8c4-d909-4c61-b000-c9a3a02854de','{"fence":12,"expiration":"2026-11-23T12:21:48Z"}','dc0e37965b58cfd1453a1bcf18e2f9395a4dd3e673f18699a065db17aa9c847f');
INSERT INTO audit VALUES(26,'2026-11-23T11:26:48.372235104Z','credential_shown','demo','1fb7f9fbc2ee4d997036b22dd6cfc9ed','3f20d8c4-d909-4c61-b000-c9a3a02854de','{}','3e03fb5eebc1312eff6eea5696c2e192deae5b306c00abd931067b5fa3cd89d7');
INSERT INTO audit VALUES(27,'2026-11-23T11:26:48.383162612Z','reservation_requested','demo',NULL,'d3e79230-1921-4c88-989c-b07d34af8eeb','{"type":"lite"}','0ac38dc4b8dce7b11e67f1d6bb697a833fcaec8bff9c43b68d873ead5bbf7952');
INSERT INTO audit VALUES(28,'2026-11-23T11:26:48.383162612Z','reservation_granted','demo','e24c8a278b4f54cb66909b8daba69669','d3e79230-1921-4c88-989c-b07d34af8eeb','{"fence":12,"expiration":"2026-11-23T12:21:48Z"}','4ff031583334cd995d3ae09f0d4fd45e05169b4fc6454bd215b77b3f35bd9219');
INSERT INTO audit VALUES(29,'2026-11-23T11:26:48.384665333Z','credential_shown','demo','e24c8a278b4f54cb66909b8daba69669','d3e79230-1921-4c88-989c-b07d34af8eeb','{}','4ab61b0d3f2f6d3588ad1202310ea862ac49552032b4d253e4227980eb1f1b57');
INSERT INTO audit VALUES(30,'2026-11-23T11:26:49.468197298Z','cleaning_started',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{"purpose":"full"}','2291ffdb94c474eef3352f4ccd8c5ee4912d98c202122cc06856d97376ffdc32');
INSERT INTO audit VALUES(31,'2026-11-23T11:26:49.618968962Z','credential_revoked',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{}','025e5fd65d938ffc8687042f65dfec28e01d2b7c03baf45249de0565fda4d11b');
INSERT INTO audit VALUES(32,'2026-11-23T11:26:52.419639416Z','reservation_ended','demo','e24c8a278b4f54cb66909b8daba69669','d3e79230-1921-4c88-989c-b07d34af8eeb','{"reason":"cancelled"}','d2efbbb97f1389c8edecee2677525421328326ccdd32e195e7dd920a82ca0a55');
INSERT INTO audit VALUES(33,'2026-11-23T11:26:52.419639416Z','cleaning_started',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{"purpose":"full"}','e0d1ef47f3057b3b47c787bd0d027d13da38b6b024a06c680c17999fa00bce40');
INSERT INTO audit VALUES(34,'2026-11-23T11:26:52.58908406Z','credential_revoked',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{}','12785927e8d2ad434dd3f974993eee7030f4cddcf869a075802f2a74f326ec7c');
INSERT INTO audit VALUES(35,'2026-11-23T11:26:54.439900131Z','reservation_requested','demo',NULL,'5b7f76cf-33f2-482e-a2da-f7f09b2c54db','{"type":"lite"}','8896ed1271b164120fd26b1f1f05353f1e5e4c3e3e5efa3c39eec4ee3d8747e2');
INSERT INTO audit VALUES(36,'2026-11-23T14:05:22.027228788Z','store_migrated',NULL,NULL,NULL,'{"from_version":2}','dc6cbebdffa763aa1ea606e8925534c7037b1ac8804517be8026637ec5b2570f');
INSERT INTO audit VALUES(37,'2026-11-23T14:05:22.122634801Z','cleaning_started',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{"purpose":"full"}','a5e62a9de7d64fac0b4da371cd494c842930b53c6195d0644ee8d6dfe135529f');
INSERT INTO audit VALUES(38,'2026-11-23T14:05:22.122634801Z','cleaning_started',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{"purpose":"full"}','ea1de125d5dee5ffb78c50ab91896657768190c0c3d03d388209aaf6a93fb2f4');
INSERT INTO audit VALUES(39,'2026-11-23T17:38:46.191860316Z','store_migrated',NULL,NULL,NULL,'{"from_version":3}','56de80354af82b5d13b05b3cc41ec8a4b1ed48291d91dbcec41ce15329823a9b');
INSERT INTO audit VALUES(40,'2026-11-23T17:38:46.262260512Z','cleaning_started',NULL,'a83a8ecb1a69d79f326be64862949d95',NULL,'{"purpose":"full"}','c5dce6dd62b82328fa702b95f09a926c33e9888295cc612dc122230c7cd2188a');
INSERT INTO audit VALUES(41,'2026-11-23T17:38:46.262260512Z','cleaning_started',NULL,'e24c8a278b4f54cb66909b8daba69669',NULL,'{"purpose":"full"}','084d91e77cb9b1fcac71c077003cae37049f3d948617bb31a6a74c40e6544582');
INSERT INTO audit VALUES(42,'2026-11-23T17:38:49.198590729Z','reservation_requested','ci',NULL,'7c3d8f84-29f6-407f-8336-dae8b787635f','{"type":"lite","count":2}','94c104e92e4d5b7b414af3bdaf22195c48e81951ac42c75edab67a23c0a91b89');
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
INSERT INTO reservations VALUES(4,'3f20d8c4-d909-4c61-b000-c9a3a02854de','ci','lite','active','2026-11-23T11:26:48.368096612Z','1fb7f9fbc2ee4d997036b22dd6cfc9ed','2999-11-23T12:21:48Z',NULL,'{"id":"3f20d8c4-d909-4c61-b000-c9a3a02854de","sequence":4,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T11:26:48.368096612Z","state":{"state":"active","account":"1fb7f9fbc2ee4d997036b22dd6cfc9ed","granted_at":"2026-11-23T11:26:48.368096612Z","expiration":"2999-11-23T12:21:48Z","claimed":true}}',3147873270987334561);
INSERT INTO reservations VALUES(5,'d3e79230-1921-4c88-989c-b07d34af8eeb','ci','lite','ended','2026-11-23T11:26:48.383162612Z',NULL,NULL,'cancelled','{"id":"d3e79230-1921-4c88-989c-b07d34af8eeb","sequence":5,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T11:26:48.383162612Z","state":{"state":"ended","reason":"cancelled","ended_at":"2026-11-23T11:26:52.419639416Z"}}',7905508970762619291);
INSERT INTO reservations VALUES(6,'5b7f76cf-33f2-482e-a2da-f7f09b2c54db','ci','lite','pending','2026-11-23T11:26:54.439900131Z',NULL,NULL,NULL,'{"id":"5b7f76cf-33f2-482e-a2da-f7f09b2c54db","sequence":6,"token":"ci","account_type":"lite","duration":{"secs":3300,"nanos":0},"created_at":"2026-11-23T11:26:54.439900131Z","state":{"state":"pending"}}',-6095545622663500114);
INSERT INTO reservations VALUES(7,'7c3d8f84-29f6-407f-8336-dae8b787635f','ci','lite','pending','2026-11-23T17:38:49.198590729Z',NULL,NULL,NULL,'{"id":"7c3d8f84-29f6-407f-8336-dae8b787635f","sequence":7,"token":"ci","account_type":"lite","count":2,"duration":{"secs":3300,"nanos":0},"ttl":{"secs":300,"nanos":0},"purpose":"nightly","created_at":"2026-11-23T17:38:49.198590729Z","state":{"state":"pending"}}',-4356272979869291557);
CREATE TABLE store (
        id              TEXT NOT NULL,
        created_at      TEXT NOT NULL,
        key_fingerprint TEXT
    , pruned_number INTEGER NOT NULL DEFAULT 0, pruned_hash TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO store VALUES('8d6eb0fe-af0a-4e5a-8306-c72bb474662e','2026-11-23T11:26:19.056494272Z','{"0":"ylnxDM60QoD7HKiTQ4JQh7q0dmG7UYouhybU3BWtWGY"}',0,'');
CREATE TABLE receipts (
        number      INTEGER PRIMARY KEY,
        account     TEXT NOT NULL,
        cleaning    INTEGER NOT NULL,  -- the fence at which it began
        reservation TEXT,              -- whose lease it followed
        at          TEXT NOT NULL,
        step        TEXT NOT NULL,     -- began, revoked, verified, swept, proved, faulted,
                                       -- key_changed, ended
        details     TEXT NOT NULL
    ) STRICT;
INSERT INTO receipts VALUES(1,'a83a8ecb1a69d79f326be64862949d95',15,NULL,'2026-11-23T14:05:22.122634801Z','began','{"step":"began"}');
INSERT INTO receipts VALUES(2,'e24c8a278b4f54cb66909b8daba69669',16,NULL,'2026-11-23T14:05:22.122634801Z','began','{"step":"began"}');
INSERT INTO receipts VALUES(3,'a83a8ecb1a69d79f326be64862949d95',15,NULL,'2026-11-23T17:38:46.195591712Z','ended','{"step":"ended","outcome":{"outcome":"interrupted"},"leftovers":[]}');
INSERT INTO receipts VALUES(4,'e24c8a278b4f54cb66909b8daba69669',16,NULL,'2026-11-23T17:38:46.195591712Z','ended','{"step":"ended","outcome":{"outcome":"interrupted"},"leftovers":[]}');
INSERT INTO receipts VALUES(5,'a83a8ecb1a69d79f326be64862949d95',16,NULL,'2026-11-23T17:38:46.262260512Z','began','{"step":"began"}');
INSERT INTO receipts VALUES(6,'e24c8a278b4f54cb66909b8daba69669',17,NULL,'2026-11-23T17:38:46.262260512Z','began','{"step":"began"}');
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never changed'); END;
CREATE TRIGGER audit_is_pruned_from_its_start BEFORE DELETE ON audit
    WHEN old.number > (SELECT pruned_number FROM store)
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never removed'); END;
CREATE INDEX receipts_of_account ON receipts (account, cleaning);
CREATE INDEX receipts_of_reservation ON receipts (reservation, cleaning)
    WHERE reservation IS NOT NULL;
COMMIT;
