-- The first schema. Released migrations never change: the migrator compares their checksums.
--
-- Inside, things are named by small integers (full text needs an integer rowid, the vector index a u32);
-- outside, by the 16 bytes of a UUID in `uid`, which is also the key by which a retry is recognised.
-- Times are milliseconds since 1970. Text is kept byte for byte; length() and LIKE stop at U+0000, so nothing
-- here relies on them.

-- One row: what this database is, and how much it holds. The triggers below keep the counts.
CREATE TABLE store(
  id INTEGER PRIMARY KEY CHECK(id = 1),
  identity BLOB NOT NULL CHECK(length(identity) = 16),
  created_at INTEGER NOT NULL,
  conversations INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  memories INTEGER NOT NULL DEFAULT 0,
  chunks INTEGER NOT NULL DEFAULT 0,
  deleted_texts INTEGER NOT NULL DEFAULT 0 -- whose words the full text still holds in its old segments
) STRICT;
INSERT INTO store(id, identity, created_at)
  VALUES(1, randomblob(16), CAST(unixepoch('subsec') * 1000 AS INTEGER));

CREATE TABLE project(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- The local tools that wrote something.
CREATE TABLE client(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  UNIQUE(name, version)
) STRICT;

CREATE TABLE conversation(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  project_id INTEGER REFERENCES project(id),
  client_id INTEGER REFERENCES client(id),
  title TEXT,
  model TEXT,
  head_message_id INTEGER,              -- kept by the code: a foreign key would scan this table at each delete
  wanted_head BLOB,                     -- the head that an import named; its message may come in a later batch
  next_seq INTEGER NOT NULL DEFAULT 1,
  message_count INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  metadata TEXT CHECK(metadata IS NULL OR json_valid(metadata))
) STRICT;
CREATE INDEX conversation_by_update ON conversation(updated_at, id);
CREATE INDEX conversation_by_project ON conversation(project_id, updated_at, id);

CREATE TABLE message(
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the rowid of message_fts
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  conversation_id INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  parent_id INTEGER REFERENCES message(id) ON DELETE SET NULL,
  client_id INTEGER REFERENCES client(id),
  role INTEGER NOT NULL CHECK(role BETWEEN 0 AND 4), -- system, user, assistant, tool, note
  status INTEGER CHECK(status BETWEEN 0 AND 2),      -- complete, cancelled, failed
  created_at INTEGER NOT NULL,
  edited_at INTEGER,
  author TEXT,
  model TEXT,
  sources TEXT CHECK(sources IS NULL OR json_valid(sources)),
  usage TEXT CHECK(usage IS NULL OR json_valid(usage)),
  metadata TEXT CHECK(metadata IS NULL OR json_valid(metadata)),
  -- 0: an answer that only quotes what is stored elsewhere; set once, with the row
  searchable INTEGER NOT NULL DEFAULT 1 CHECK(searchable IN (0, 1)),
  content TEXT NOT NULL,                -- last, so that the columns before it are read without its pages
  UNIQUE(conversation_id, seq)
) STRICT;
CREATE INDEX message_by_parent ON message(parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE memory(
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the rowid of memory_fts
  uid BLOB NOT NULL UNIQUE CHECK(length(uid) = 16),
  project_id INTEGER REFERENCES project(id),
  client_id INTEGER REFERENCES client(id),
  kind TEXT NOT NULL,
  source_message BLOB CHECK(length(source_message) = 16),
  superseded_by BLOB CHECK(length(superseded_by) = 16),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER,
  metadata TEXT CHECK(metadata IS NULL OR json_valid(metadata)),
  content TEXT NOT NULL
) STRICT;
CREATE INDEX memory_by_update ON memory(updated_at, id) WHERE superseded_by IS NULL;
CREATE INDEX memory_by_project ON memory(project_id, updated_at, id) WHERE superseded_by IS NULL;

-- A range of bytes of a message's or a memory's text, which is embedded. Its id is the vector's id: a u32 that
-- is never used twice. View 0 is the text itself; other numbers are left for other ways to look at it.
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK(id < 4294967295),
  message_id INTEGER REFERENCES message(id) ON DELETE CASCADE,
  memory_id INTEGER REFERENCES memory(id) ON DELETE CASCADE,
  view INTEGER NOT NULL DEFAULT 0 CHECK(view BETWEEN 0 AND 255),
  place INTEGER NOT NULL,
  start_byte INTEGER NOT NULL,
  end_byte INTEGER NOT NULL,
  CHECK((message_id IS NULL) <> (memory_id IS NULL)),
  CHECK(start_byte >= 0 AND start_byte <= end_byte)
) STRICT;
CREATE UNIQUE INDEX chunk_of_message ON chunk(message_id, view, place) WHERE message_id IS NOT NULL;
CREATE UNIQUE INDEX chunk_of_memory ON chunk(memory_id, view, place) WHERE memory_id IS NOT NULL;

-- One generation of vectors: those of one model for all chunks. The triggers keep the counts.
CREATE TABLE embed_space(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  model TEXT NOT NULL,
  fingerprint TEXT NOT NULL,            -- '' in the space that waits for the first model
  dimension INTEGER NOT NULL,
  chunker INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 2), -- building, serving, dropped
  ready INTEGER NOT NULL DEFAULT 0,
  leased INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  vectors INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX embed_space_serving ON embed_space(state) WHERE state = 1;
-- Jobs are queued before the first model is there: it takes this space over.
INSERT INTO embed_space(model, fingerprint, dimension, chunker, state) VALUES('', '', 0, 0, 0);

CREATE TABLE embed_job(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  space_id INTEGER NOT NULL REFERENCES embed_space(id),
  kind INTEGER NOT NULL CHECK(kind IN (0, 1)), -- embed, remove
  chunk_id INTEGER NOT NULL,                   -- no foreign key: a removal outlives its chunk
  state INTEGER NOT NULL DEFAULT 0 CHECK(state BETWEEN 0 AND 3), -- ready, leased, dead, waiting for run_at
  attempts INTEGER NOT NULL DEFAULT 0,
  touched INTEGER NOT NULL DEFAULT 0,          -- was leased once, so that its vector may be in the index
  run_at INTEGER NOT NULL,                     -- when it is due; leased: when the lease ends; dead: since when
  lease INTEGER,
  last_error TEXT,
  UNIQUE(space_id, chunk_id)
) STRICT;
-- SQLite uses a partial index only where the query repeats its condition word for word.
CREATE INDEX embed_job_ready ON embed_job(space_id, kind, chunk_id) WHERE state = 0;
CREATE INDEX embed_job_leased ON embed_job(id) WHERE state = 1;
CREATE INDEX embed_job_dead ON embed_job(id) WHERE state = 2;
CREATE INDEX embed_job_waiting ON embed_job(space_id, run_at) WHERE state = 3;

-- What the vector index is expected to hold.
CREATE TABLE chunk_vector(
  space_id INTEGER NOT NULL REFERENCES embed_space(id),
  chunk_id INTEGER NOT NULL,
  PRIMARY KEY(space_id, chunk_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW searched_message AS SELECT id, content FROM message WHERE searchable = 1;
CREATE VIRTUAL TABLE message_fts USING fts5(content, content='searched_message', content_rowid='id',
  tokenize="unicode61 remove_diacritics 2");
CREATE VIRTUAL TABLE memory_fts USING fts5(content, content='memory', content_rowid='id',
  tokenize="unicode61 remove_diacritics 2");

CREATE TRIGGER conversation_inserted AFTER INSERT ON conversation BEGIN
  UPDATE store SET conversations = conversations + 1 WHERE id = 1;
END;
CREATE TRIGGER conversation_deleted AFTER DELETE ON conversation BEGIN
  UPDATE store SET conversations = conversations - 1 WHERE id = 1;
END;

CREATE TRIGGER message_inserted AFTER INSERT ON message BEGIN
  INSERT INTO message_fts(rowid, content) SELECT new.id, new.content WHERE new.searchable = 1;
  UPDATE store SET messages = messages + 1 WHERE id = 1;
END;
CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
  INSERT INTO message_fts(message_fts, rowid, content)
    SELECT 'delete', old.id, old.content WHERE old.searchable = 1;
  UPDATE store SET messages = messages - 1, deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
CREATE TRIGGER message_changed AFTER UPDATE OF content ON message WHEN old.searchable = 1 BEGIN
  INSERT INTO message_fts(message_fts, rowid, content) VALUES('delete', old.id, old.content);
  INSERT INTO message_fts(rowid, content) VALUES(new.id, new.content);
  UPDATE store SET deleted_texts = deleted_texts + 1 WHERE id = 1;
END;

CREATE TRIGGER memory_inserted AFTER INSERT ON memory BEGIN
  INSERT INTO memory_fts(rowid, content) VALUES(new.id, new.content);
  UPDATE store SET memories = memories + 1 WHERE id = 1;
END;
CREATE TRIGGER memory_deleted AFTER DELETE ON memory BEGIN
  INSERT INTO memory_fts(memory_fts, rowid, content) VALUES('delete', old.id, old.content);
  UPDATE store SET memories = memories - 1, deleted_texts = deleted_texts + 1 WHERE id = 1;
END;
CREATE TRIGGER memory_changed AFTER UPDATE OF content ON memory BEGIN
  INSERT INTO memory_fts(memory_fts, rowid, content) VALUES('delete', old.id, old.content);
  INSERT INTO memory_fts(rowid, content) VALUES(new.id, new.content);
  UPDATE store SET deleted_texts = deleted_texts + 1 WHERE id = 1;
END;

-- Every chunk has, in every space that is not dropped, exactly one of an embed job and a vector.
CREATE TRIGGER chunk_inserted AFTER INSERT ON chunk BEGIN
  INSERT INTO embed_job(space_id, kind, chunk_id, run_at)
    SELECT id, 0, new.id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM embed_space WHERE state < 2;
  UPDATE store SET chunks = chunks + 1 WHERE id = 1;
END;
-- A deleted chunk leaves the index too. A job that was ever leased may have written its vector already, so it
-- turns into a removal; its old lease no longer counts, and a late completion changes nothing.
CREATE TRIGGER chunk_deleted AFTER DELETE ON chunk BEGIN
  DELETE FROM embed_job WHERE space_id IN (SELECT id FROM embed_space) AND chunk_id = old.id
    AND kind = 0 AND touched = 0;
  UPDATE embed_job SET kind = 1, state = 0, attempts = 0, lease = NULL, last_error = NULL,
      run_at = CAST(unixepoch('subsec') * 1000 AS INTEGER)
    WHERE space_id IN (SELECT id FROM embed_space) AND chunk_id = old.id AND kind = 0;
  INSERT INTO embed_job(space_id, kind, chunk_id, run_at)
    SELECT space_id, 1, chunk_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM chunk_vector
    WHERE space_id IN (SELECT id FROM embed_space WHERE state < 2) AND chunk_id = old.id;
  DELETE FROM chunk_vector WHERE space_id IN (SELECT id FROM embed_space) AND chunk_id = old.id;
  UPDATE store SET chunks = chunks - 1 WHERE id = 1;
END;

CREATE TRIGGER embed_job_inserted AFTER INSERT ON embed_job BEGIN
  UPDATE embed_space SET ready = ready + (new.state IN (0, 3)), leased = leased + (new.state = 1),
    dead = dead + (new.state = 2) WHERE id = new.space_id;
END;
CREATE TRIGGER embed_job_deleted AFTER DELETE ON embed_job BEGIN
  UPDATE embed_space SET ready = ready - (old.state IN (0, 3)), leased = leased - (old.state = 1),
    dead = dead - (old.state = 2) WHERE id = old.space_id;
END;
CREATE TRIGGER embed_job_moved AFTER UPDATE OF state ON embed_job WHEN old.state <> new.state BEGIN
  UPDATE embed_space SET
    ready = ready + (new.state IN (0, 3)) - (old.state IN (0, 3)),
    leased = leased + (new.state = 1) - (old.state = 1),
    dead = dead + (new.state = 2) - (old.state = 2) WHERE id = new.space_id;
END;
CREATE TRIGGER chunk_vector_inserted AFTER INSERT ON chunk_vector BEGIN
  UPDATE embed_space SET vectors = vectors + 1 WHERE id = new.space_id;
END;
CREATE TRIGGER chunk_vector_deleted AFTER DELETE ON chunk_vector BEGIN
  UPDATE embed_space SET vectors = vectors - 1 WHERE id = old.space_id;
END;
